import { beforeEach, describe, expect, test } from "vitest";
import { busybox, exampleFile } from "../kit/examples.ts";
import { requires } from "../kit/requires.ts";
import { asNobody, emptyRoot, fence, host, type Outcome, run } from "../kit/sandbox.ts";
import { type HostProxy, hello, httpProxy } from "../kit/sandbox-proxy.ts";

const users = [
  { who: "the user of the tests", needs: "bwrap", enter: host.enter },
  { who: "an unprivileged user", needs: "unprivileged bwrap", enter: asNobody(host).enter },
];

describe.for(users)("the example for bubblewrap, as $who,", ({ needs, enter }) => {
  beforeEach(requires(needs));

  function example({ socket }: HostProxy, ...applet: readonly string[]): Promise<Outcome> {
    const env = { FENCE: fence, BUSYBOX: busybox, PROXY_SOCKET: socket };
    return run(enter(["sh", exampleFile("bwrap/run.sh"), ...applet]), { env });
  }

  /** The same root and the same variable without fence. */
  function twin({ socket }: HostProxy, ...applet: readonly string[]): Promise<Outcome> {
    const root = emptyRoot("--ro-bind", busybox, "/bin/busybox", "--ro-bind", socket, "/run/proxy.sock");
    const env = ["--setenv", "http_proxy", "http://127.0.0.1:3128"];
    const [bwrap = "", ...rest] = root.enter(["/bin/busybox", ...applet]);
    return run(enter([bwrap, ...env, ...rest]));
  }

  test("fetches through the proxy, and nothing but fence leads there", async () => {
    const proxy = await httpProxy();
    const wget = ["wget", "-q", "-O", "-", "http://example.com/"];
    expect(await example(proxy, ...wget)).toMatchObject({ status: 0, stdout: hello, stderr: "" });
    expect(proxy.asked).toEqual(["GET http://example.com/"]);
    const without = await twin(proxy, ...wget);
    expect(without).toMatchObject({ status: 1, stdout: "" });
    expect(without.stderr).toContain("Connection refused");
  });

  test("fetches nothing that the proxy denies, and nothing past the proxy", async () => {
    const proxy = await httpProxy();
    const denied = await example(proxy, "wget", "-q", "-O", "-", "http://other.example/");
    expect(denied.stderr).toContain("403 Forbidden");
    const direct = await example(proxy, "wget", "-Y", "off", "-q", "-O", "-", "http://192.0.2.1/");
    expect(direct.stderr).toContain("Network is unreachable");
    expect(proxy.asked).toEqual(["GET http://other.example/"]);
  });

  test("reads nothing but /bin", async () => {
    const proxy = await httpProxy();
    const list = ["ls", "/"];
    expect(await twin(proxy, ...list)).toMatchObject({ status: 0, stdout: expect.stringContaining("bin\n") });
    expect(await example(proxy, ...list)).toMatchObject({ status: 1, stdout: "" });
    expect(await example(proxy, "ls", "/bin")).toMatchObject({ status: 0, stdout: "busybox\n" });
  });

  test("ends with the program's status", async () => {
    expect(await example(await httpProxy(), "sh", "-c", "exit 42")).toMatchObject({ status: 42, stderr: "" });
  });
});
