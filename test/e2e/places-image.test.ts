import { chmodSync, copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { exampleText } from "../kit/examples.ts";
import { requires } from "../kit/requires.ts";
import { fence, host, type Json, json, type Outcome, run } from "../kit/sandbox.ts";
import {
  type EngineOptions,
  type Image,
  imageConfig,
  type Links,
  readContainerfile,
  readPod,
} from "../kit/sandbox-image.ts";
import { bundle, crunNeeds } from "../kit/sandbox-oci.ts";
import { type HostProxy, hello, httpProxy } from "../kit/sandbox-proxy.ts";

beforeEach(requires(...crunNeeds));

/** What a test adds to an image. */
type Fill = (rootfs: string) => void;

function runImage(image: Image, options: EngineOptions = {}, more: Fill = () => {}): Promise<Outcome> {
  const made = bundle(imageConfig(image, options), (at) => {
    image.fill(join(at, "rootfs"));
    more(join(at, "rootfs"));
  });
  return run(made.run);
}

/** `podman run --volume PROXY:/run/proxy`. */
const at = ({ folder }: HostProxy): EngineOptions => ({ volumes: [[folder, "/run/proxy"]] });

const withProbe: Fill = (rootfs) => copyFileSync(host.probe, join(rootfs, "bin", "probe"));

const scratch = () => readContainerfile(exampleText("scratch/Containerfile"));
const busyboxImage = (links?: Links) => readContainerfile(exampleText("busybox/Containerfile"), links);

/** The same container, whose entry point is the program itself: the twin. */
const withoutFence: EngineOptions = { entrypoint: [] };

describe("the example of a scratch image", () => {
  test("fetches through the proxy, and nothing but fence leads there", async () => {
    const proxy = await httpProxy();
    expect(await runImage(scratch(), at(proxy))).toMatchObject({ status: 0, stdout: hello, stderr: "" });
    expect(proxy.asked).toEqual(["GET http://example.com/"]);
    const image = { ...scratch(), env: ["http_proxy=http://127.0.0.1:3128"] };
    const twin = await runImage(image, { ...at(proxy), ...withoutFence });
    expect(twin).toMatchObject({ status: 1, stdout: "" });
    expect(twin.stderr).toContain("Connection refused");
  });

  test("runs as its unprivileged user, without capabilities, beneath PID 1, under file rules", async () => {
    const proxy = await httpProxy();
    const attempt = async (action: readonly string[], options: EngineOptions = {}): Promise<Json> => {
      const cmd = ["/bin/probe", ...action];
      return json(await runImage(scratch(), { ...at(proxy), cmd, ...options }, withProbe));
    };
    const who = { uid: 65534, gid: 65534, capabilitiesEffective: "0".repeat(16), noNewPrivs: 1 };
    expect(await attempt(["facts"])).toMatchObject({ ...who, ppid: 1, seccompMode: 2 });
    expect(await attempt(["facts"], withoutFence)).toMatchObject({ ...who, ppid: 0, seccompMode: 0 });
    expect(await attempt(["open-read", "/fence"])).toMatchObject({ errno: "EACCES" });
    expect(await attempt(["open-read", "/fence"], withoutFence)).toMatchObject({ errno: 0 });
    expect(await attempt(["create", "/x"])).toMatchObject({ errno: "EROFS" });
  });

  test("runs dist/fence", async () => {
    const cmd = ["--version", "--json"];
    const inside = await runImage(scratch(), { ...at(await httpProxy()), entrypoint: ["/fence"], cmd });
    expect(inside.stdout).toBe((await run([fence, ...cmd])).stdout);
  });

  test("without the proxy's socket the program runs, and its connections are reset", async () => {
    const outcome = await runImage(scratch());
    expect(outcome).toMatchObject({ status: 1, stdout: "" });
    expect(outcome.stderr).toBe("wget: error getting response: Connection reset by peer\n");
  });

  test("a program, a loader and a script's interpreter that are missing are three different errors", async () => {
    const proxy = await httpProxy();
    const cannotRun = (program: string) =>
      runImage(scratch(), { ...at(proxy), cmd: [program] }, (rootfs) => {
        copyFileSync("/bin/true", join(rootfs, "bin", "dynamic")); // Debian's, for glibc
        writeFileSync(join(rootfs, "bin", "script"), "#!/usr/bin/env python3\n", { mode: 0o755 });
      });
    const missing = await cannotRun("/bin/missing");
    expect(missing).toMatchObject({ status: 127, stdout: "" });
    expect(missing.stderr).toContain("hint:  the program must exist inside the sandbox");
    const dynamic = await cannotRun("/bin/dynamic");
    expect(dynamic).toMatchObject({ status: 126, stdout: "" });
    expect(dynamic.stderr).toMatch(/its ELF interpreter \(the dynamic loader\), \/lib\S*\/ld-\S+, is not\n/);
    expect(dynamic.stderr).toContain("hint:  bring the loader and its libraries into the sandbox");
    const script = await cannotRun("/bin/script");
    expect(script).toMatchObject({ status: 126, stdout: "" });
    expect(script.stderr).toMatch(/the interpreter of its #! line, "?\/usr\/bin\/env"?, is not\n/);
  });

  test("a set-user-ID copy of fence is refused; under no_new_privs it gains nothing, and runs", async () => {
    const proxy = await httpProxy();
    const setUserId: Fill = (rootfs) => {
      rmSync(join(rootfs, "fence")); // a link: its mode is not ours to change
      copyFileSync(fence, join(rootfs, "fence"));
      chmodSync(join(rootfs, "fence"), 0o4755);
    };
    const cmd = ["/bin/busybox", "id", "-u"];
    const gaining = await runImage(scratch(), { ...at(proxy), cmd, mayGainPrivileges: true }, setUserId);
    expect(gaining).toMatchObject({ status: 125, stdout: "" });
    expect(gaining.stderr).toContain("chmod u-s,g-s");
    const harmless = await runImage(scratch(), { ...at(proxy), cmd }, setUserId);
    expect(harmless).toMatchObject({ status: 0, stdout: "65534\n", stderr: "" });
  });
});

describe("the example of a busybox image", () => {
  const maskedShell: EngineOptions = { masked: ["/bin/sh"] };

  test.for([
    { what: "as it is", options: {} },
    { what: "whose shell is masked", options: maskedShell },
  ])("$what fetches through the proxy", async ({ options }) => {
    const proxy = await httpProxy();
    expect(await runImage(busyboxImage(), { ...at(proxy), ...options })).toMatchObject({ status: 0, stdout: hello });
    expect(proxy.asked).toEqual(["GET http://example.com/"]);
  });

  test("whose shell is masked starts nothing by way of a shell", async () => {
    const byShell = { cmd: ["sh", "-c", "echo started"] };
    expect(await runImage(busyboxImage(), byShell)).toMatchObject({ status: 0, stdout: "started\n" });
    const masked = await runImage(busyboxImage(), { ...byShell, ...maskedShell });
    expect(masked).toMatchObject({ status: 126, stdout: "" });
    expect(masked.stderr).toMatch(/^fence: cannot run \/bin\/sh: it is a device or another special file/);
    const without = await runImage(busyboxImage(), { ...byShell, ...maskedShell, ...withoutFence });
    expect(without).toMatchObject({ stdout: "" });
    expect(without.status).not.toBe(0);
  });

  describe("whose names are symbolic links, and so are all masked with one,", () => {
    const image = () => busyboxImage("symbolic");

    test("runs what is not that program, through the bridge", async () => {
      const proxy = await httpProxy();
      const get = ["/bin/probe", "http-get", "3128", "http://example.com/"];
      const outcome = await runImage(image(), { ...at(proxy), ...maskedShell, cmd: get }, withProbe);
      expect(json(outcome)).toMatchObject({ errno: 0, status: "HTTP/1.1 200 OK" });
    });

    test("says of every name that it cannot run", async () => {
      const proxy = await httpProxy();
      expect(await runImage(image(), at(proxy))).toMatchObject({ status: 0, stdout: hello });
      for (const cmd of [
        ["wget", "--help"],
        ["/bin/busybox", "true"],
      ]) {
        const outcome = await runImage(image(), { ...at(proxy), ...maskedShell, cmd });
        expect(outcome).toMatchObject({ status: 126, stdout: "" });
        expect(outcome.stderr).toMatch(/^fence: cannot run \/bin\/\w+: .*it is a device or another special file/);
        expect(outcome.stderr).toContain("masking one of them masks all");
      }
    });
  });

  test("with noexec on every writable mount runs, and executes nothing from there", async () => {
    const proxy = await httpProxy();
    const cmd = ["sh", "-c", "cp /bin/probe /tmp/p && exec /bin/probe exec /tmp/p exit 42"];
    const mounted = (...options: readonly string[]): EngineOptions => ({
      ...at(proxy),
      cmd,
      tmpfs: [["/tmp", options]],
    });
    expect(await runImage(busyboxImage(), mounted("exec"), withProbe)).toMatchObject({ status: 42, stderr: "" });
    const noexec = await runImage(busyboxImage(), mounted("noexec"), withProbe);
    expect(json(noexec)).toMatchObject({ errno: "EACCES" });
    const fetching = { ...mounted("noexec"), cmd: ["wget", "-q", "-O", "/tmp/got", "http://example.com/"] };
    expect(await runImage(busyboxImage(), fetching)).toMatchObject({ status: 0, stderr: "" });
  });
});

describe("the example of a Kubernetes pod", () => {
  const pod = () => readPod(exampleText("kubernetes/pod.json"));

  test("fetches through the proxy with the scratch image", async () => {
    const proxy = await httpProxy();
    const outcome = await runImage({ ...scratch(), ...pod().image }, { ...pod().options([proxy.folder]) });
    expect(outcome).toMatchObject({ status: 0, stdout: hello, stderr: "" });
  });

  test("reaches no other port of the pod", async () => {
    const proxy = await httpProxy();
    const { image, options } = pod();
    const connect = ["/bin/probe", "connect-tcp", "127.0.0.1", "80"];
    const cmd = [...image.cmd.slice(0, image.cmd.indexOf("--") + 1), ...connect];
    const inPod = (changed: Partial<Image>) =>
      runImage({ ...scratch(), ...image, ...changed }, options([proxy.folder]), withProbe);
    expect(json(await inPod({ cmd }))).toMatchObject({ errno: "EACCES" });
    expect(json(await inPod({ entrypoint: [], cmd: connect }))).toMatchObject({ errno: "ECONNREFUSED" });
  });
});
