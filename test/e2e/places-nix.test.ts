import { once } from "node:events";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { busybox, exampleFile } from "../kit/examples.ts";
import { requires } from "../kit/requires.ts";
import { asNobody, fence, folder, host, type Json, json, type Place, run, unfenced } from "../kit/sandbox.ts";
import { type Build, nixBuild } from "../kit/sandbox-nix.ts";
import { hello, httpProxy } from "../kit/sandbox-proxy.ts";

beforeEach(requires("nix-build", "bwrap"));

/** The same derivation, whose builder is the program itself: the twin. */
const withoutFence = `{ example, ... }@given:
let
  attributes = (import example (removeAttrs given [ "example" ])).drvAttrs;
  after = words: if builtins.head words == "--" then builtins.tail words else after (builtins.tail words);
  program = after attributes.args;
in
derivation (attributes // { builder = builtins.head program; args = builtins.tail program; })
`;

/** Runs actions of the probe, each into a file of the output. */
const tries = (actions: Readonly<Record<string, string>>): string =>
  [
    "mkdir $out",
    "tools=$(dirname $(readlink /proc/$$/exe))",
    ...Object.entries(actions).map(([name, action]) => `$tools/${action} >$out/${name}`),
  ].join("\n");

interface Attempt {
  readonly script?: string;
  readonly options?: readonly string[];
  readonly settings?: Readonly<Record<string, string>>;
  readonly enter?: Place["enter"];
}

function build({ script, options = [], settings = {}, enter }: Attempt = {}): Promise<Build> {
  return nixBuild([exampleFile("nix/default.nix"), ...given(script, options)], settings, enter);
}

function buildWithoutFence({ script }: Attempt): Promise<Build> {
  const expression = join(folder(), "without-fence.nix");
  writeFileSync(expression, withoutFence);
  return nixBuild([expression, "--arg", "example", exampleFile("nix/default.nix"), ...given(script, [])]);
}

function given(script: string | undefined, options: readonly string[]): readonly string[] {
  const tools = join(folder(), "tools");
  mkdirSync(tools);
  copyFileSync(busybox, join(tools, "busybox"));
  copyFileSync(host.probe, join(tools, "probe"));
  const list = `[ ${options.map((option) => JSON.stringify(option)).join(" ")} ]`;
  const words = ["--arg", "fence", fence, "--arg", "tools", tools, "--arg", "options", list];
  return script === undefined ? words : [...words, "--argstr", "script", script];
}

function result(made: Build, name: string): Json {
  return json({ ...made, stdout: made.read(name) });
}

test("the example builds, with fence as the builder", async () => {
  const made = await build();
  expect(made.stderr).not.toContain("fence: ");
  expect(made).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\/nix\/store\/\w+-fenced\n$/) });
  expect(made.read()).toBe("hello from a fenced build\n");
});

test("the build's sandbox is on: another user, an empty network, a folder and a name of its own", async () => {
  const server = createServer();
  onTestFinished(() => void server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const connect = ["connect-tcp", "127.0.0.1", port];
  expect(await unfenced(host, connect)).toMatchObject({ errno: 0 });

  const script = tries({
    facts: "probe facts",
    connect: `probe ${connect.join(" ")}`,
    far: "probe connect-tcp 192.0.2.1 80",
    interfaces: "busybox tail -n +3 /proc/net/dev",
    name: "busybox hostname",
    root: "busybox ls /",
  });
  for (const made of [
    await build({ script, options: ["--ro", "/proc", "--ro", "/"] }),
    await buildWithoutFence({ script }),
  ]) {
    expect(made).toMatchObject({ status: 0 });
    expect(result(made, "facts")).toMatchObject({ uid: 1000, gid: 100, cwd: "/build" });
    expect(result(made, "connect")).toMatchObject({ errno: "ECONNREFUSED" });
    expect(result(made, "far")).toMatchObject({ errno: "ENETUNREACH" });
    expect(made.read("interfaces")).toMatch(/^ *lo:[^\n]*\n$/);
    expect(made.read("name")).toBe("localhost\n");
    expect(made.read("root")).toBe("build\ndev\netc\nnix\nproc\ntmp\n");
  }
});

test("in the build fence becomes the program, under file rules and its filter", async () => {
  const script = tries({
    pid: "busybox sh -c 'echo $PPID'",
    status: "busybox grep -E '^(NoNewPrivs|Seccomp_filters):' /proc/self/status",
    passwd: "probe open-read /etc/passwd",
    temporary: "probe create /tmp/x",
    own: "probe create /build/x",
    keys: "probe keyctl",
  });
  const made = await build({ script, options: ["--ro", "/proc"] });
  const twin = await buildWithoutFence({ script });
  expect([made.status, twin.status]).toEqual([0, 0]);
  for (const { read } of [made, twin]) expect(read("pid")).toBe("1\n");
  expect(filters(made)).toBe(filters(twin) + 1); // Nix has one of its own
  expect(result(made, "passwd")).toMatchObject({ errno: "EACCES" });
  expect(result(twin, "passwd")).toMatchObject({ errno: 0 });
  expect(result(made, "temporary")).toMatchObject({ errno: "EACCES" });
  expect(result(twin, "temporary")).toMatchObject({ errno: 0 });
  expect(result(made, "keys")).toMatchObject({ errno: "EPERM" });
  expect(result(twin, "keys")).toMatchObject({ errno: 0 });
  for (const one of [made, twin]) expect(result(one, "own")).toMatchObject({ errno: 0 });
});

function filters({ read }: Build): number {
  const [, count] = /^NoNewPrivs:\t1\nSeccomp_filters:\t(\d+)\n$/.exec(read("status")) ?? [];
  return Number(count);
}

test("an unprivileged user's build is the same", async (context) => {
  requires("unprivileged bwrap")(context);
  const made = await build({ script: tries({ passwd: "probe open-read /etc/passwd" }), enter: asNobody(host).enter });
  const twin = await buildWithoutFence({ script: tries({ passwd: "probe open-read /etc/passwd" }) });
  expect(result(made, "passwd")).toMatchObject({ errno: "EACCES" });
  expect(result(twin, "passwd")).toMatchObject({ errno: 0 });
});

test("it is dist/fence that builds", async () => {
  const script = tries({ version: "../*-fence --version --json" });
  const made = await build({ script, options: ["--rox", "/nix/store", "--ro", "/proc"] });
  expect(made).toMatchObject({ status: 0 });
  expect(made.read("version")).toBe((await run([fence, "--version", "--json"])).stdout);
});

test("a proxy on a Unix socket that the build is granted is reached through fence", async () => {
  const proxy = await httpProxy();
  const script = "wget -q -O $out http://example.com/";
  const options = ["--http-proxy", "unix:/run/proxy/http.sock"];
  const made = await build({ script, options, settings: { "sandbox-paths": `/run/proxy=${proxy.folder}` } });
  expect(made.stderr).not.toContain("wget:");
  expect(made.read()).toBe(hello);
  expect(proxy.asked).toEqual(["GET http://example.com/"]);
});

test("the build fails when fence fails, and its log says why", async () => {
  const made = await build({ options: ["--ro", "/no/such/folder"] });
  expect(made).toMatchObject({ stdout: "" });
  expect(made.status).not.toBe(0);
  expect(made.stderr).toContain("cannot open /no/such/folder for a rule");
  expect(made.stderr).toContain("failed with exit code 125");
});

test("the exit status of the program is the builder's", async () => {
  expect((await build({ script: "exit 42" })).stderr).toContain("failed with exit code 42");
});
