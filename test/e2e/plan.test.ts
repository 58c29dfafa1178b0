import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import {
  arranged,
  asNobody,
  bootstrap,
  emptyRoot,
  fenced,
  folder,
  host,
  type Json,
  json,
  type Place,
  run,
  unfenced,
} from "../kit/sandbox.ts";

type Plan = Readonly<Record<string, unknown>>;

/** What the probe prints under a plan on descriptor 3. */
function planned(place: Place, plan: Plan, action: readonly string[]): Promise<Json> {
  const input3 = JSON.stringify({ version: 1, ...plan });
  return fenced(place, ["--plan-fd", "3"], action, { input3 });
}

describe("a plan is read from", () => {
  const plan = JSON.stringify({ version: 1, env: { FROM_PLAN: "yes" } });
  const yes = Buffer.from("yes").toString("hex");
  const value = ["env-raw", "FROM_PLAN"];

  test("--plan FILE", async () => {
    const file = join(folder(), "plan");
    writeFileSync(file, plan);
    expect(await fenced(host, ["--plan", file], value)).toMatchObject({ values: [yes] });
  });

  test("--plan -, after which standard input is at its end", async () => {
    expect(await fenced(host, ["--plan", "-"], value, { input: plan })).toMatchObject({ values: [yes] });
    const outcome = await bootstrap(host, ["--plan", "-"], ["/bin/cat"], { input: plan });
    expect(outcome).toMatchObject({ status: 0, stdout: "", stderr: "" });
  });

  test("--plan-fd N", async () => {
    expect(await fenced(host, ["--plan-fd", "3"], value, { input3: plan })).toMatchObject({ values: [yes] });
    expect(await fenced(host, ["--plan-fd", "0"], value, { input: plan })).toMatchObject({ values: [yes] });
  });

  test("a file in an empty root", async (context) => {
    requires("bwrap")(context);
    const file = join(folder(), "plan");
    writeFileSync(file, plan);
    const root = emptyRoot("--ro-bind", file, "/plan");
    expect(await fenced(root, ["--plan", "/plan"], value)).toMatchObject({ values: [yes] });
  });
});

describe("the program", () => {
  test("can be named by the plan", async () => {
    const plan = JSON.stringify({ version: 1, program: [host.probe, "argv-raw", "ü", ""] });
    const outcome = await run([host.fence, "bootstrap", "--plan", "-"], { input: plan });
    const words = json(outcome).argv.map((hex: string) => Buffer.from(hex, "hex").toString());
    expect(words).toEqual([host.probe, "argv-raw", "ü", ""]);
  });

  test("can be found in the PATH that the plan sets", async () => {
    const [, at = "", name = ""] = /^(.*)\/(.*)$/.exec(host.probe) ?? [];
    const plan = JSON.stringify({ version: 1, env: { PATH: at }, program: [name, "exit", "42"] });
    expect(await run([host.fence, "bootstrap", "--plan", "-"], { input: plan })).toMatchObject({ status: 42 });
  });

  test("does not inherit the status and the plan descriptor, but others", async () => {
    const descriptors = ({ descriptors }: Json) => descriptors.map(({ fd }: Json) => fd).slice(0, 5);
    const options = { input3: '{"version":1}', collects4: true };
    const start = arranged(host, "open", "5", "/", "open", "6", "/");
    const without = await unfenced(start, ["facts"], options);
    expect(descriptors(without)).toEqual([0, 1, 2, 3, 4]);

    const both = await fenced(start, ["--plan-fd", "3", "--status-fd", "4"], ["facts"], options);
    expect(descriptors(both)).toEqual([0, 1, 2, 5, 6]);
    const status = await fenced(start, ["--status-fd", "4"], ["facts"], options);
    expect(descriptors(status)).toEqual([0, 1, 2, 3, 5]);
    const neither = await fenced(start, [], ["facts"], options);
    expect(descriptors(neither)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("a plan sets", () => {
  test("the working directory", async () => {
    expect(await planned(host, { chdir: "/proc" }, ["facts"])).toMatchObject({ cwd: "/proc" });
    expect(await fenced(host, ["--chdir", "/proc"], ["facts"])).toMatchObject({ cwd: "/proc" });
  });

  test("the umask", async () => {
    for (const [umask, facts] of [
      ["077", "0077"],
      ["0027", "0027"],
      ["0", "0000"],
    ])
      expect(await planned(host, { umask }, ["facts"])).toMatchObject({ umask: facts });
  });

  test("resource limits, and leaves the others", async () => {
    const { rlimits } = await unfenced(host, ["facts"]);
    const given = {
      nofile: { soft: 100, hard: 200 },
      core: { soft: 0, hard: 0 },
      stack: { soft: 1 << 20, hard: "unlimited" },
    };
    const { rlimits: limited } = await planned(host, { rlimits: given }, ["facts"]);
    expect(limited).toEqual({
      ...rlimits,
      NOFILE: ["100", "200"],
      CORE: ["0", "0"],
      STACK: [String(1 << 20), "unlimited"],
    });
  });

  test("limits under which fence itself could not run", async () => {
    const rlimits = { nofile: { soft: 3, hard: 3 }, fsize: { soft: 0, hard: 0 } };
    const { rlimits: limited, errno } = await planned(host, { rlimits }, ["facts"]);
    expect(errno).toBe(0);
    expect(limited).toMatchObject({ NOFILE: ["3", "3"], FSIZE: ["0", "0"] });
  });

  test("the environment, proxies, rules and the filter as the options do", async (context) => {
    requires("bwrap")(context);
    const target = "unix:/no/such/socket";
    const inherited = ["add-variable", "GONE=1", "add-variable", "TMPDIR=/no/such"];
    const place = arranged(emptyRoot(), ...inherited);
    const plan = {
      httpProxy: target,
      socksProxy: target,
      noProxy: ["a", "b"],
      allProxy: false,
      env: { A: "1" },
      unsetEnv: ["GONE"],
      rules: [{ access: "rox", path: "/probe" }],
      connectTcp: [443],
      scopes: ["signal"],
      seccomp: "off",
    };
    const proxies = ["--http-proxy", target, "--socks-proxy", target, "--no-proxy", "a,b", "--no-all-proxy"];
    const rest = ["--rox", "/probe", "--connect-tcp", "443", "--scope", "signal", "--seccomp=off"];
    const options = [...proxies, "--env", "A=1", "--unset-env", "GONE", ...rest];
    for (const action of [["environ-raw"], ["facts"], ["open-read", "/arrange"], ["connect-tcp", "127.0.0.1", "80"]])
      expect(await planned(place, plan, action)).toEqual(await fenced(place, options, action));
    expect(await planned(place, plan, ["open-read", "/arrange"])).toMatchObject({ errno: "EACCES" });
  });
});

test("a listener beyond loopback, by plan and by option, takes connections to every address", async (context) => {
  requires("bwrap")(context);
  const root = emptyRoot();
  const other = ["connect-tcp", "127.0.0.9", "4001"];
  const bridgeOn = (host: string) => ({ bridges: [{ listen: `tcp:${host}:4001`, connect: "unix:/no/such" }] });
  expect(await planned(root, bridgeOn("127.0.0.1"), other)).toMatchObject({ errno: "ECONNREFUSED" });
  for (const host of ["0.0.0.0", "[::]"]) {
    expect(await planned(root, { ...bridgeOn(host), nonLoopbackListeners: true }, other)).toMatchObject({ errno: 0 });
    const options = ["--allow-non-loopback", "--bridge", `tcp:${host}:4001=unix:/no/such`];
    expect(await fenced(root, options, other)).toMatchObject({ errno: 0 });
  }
});

describe("capabilities", () => {
  beforeEach(requires("bwrap"));
  const none = "0".repeat(16);
  const root = () => emptyRoot("--uid", "0", "--cap-add", "ALL", "--tmpfs", "/mnt");

  test("are kept by default", async () => {
    const { capabilitiesEffective, capabilitiesPermitted } = await unfenced(root(), ["facts"]);
    expect(capabilitiesEffective).not.toBe(none);
    expect(await planned(root(), {}, ["facts"])).toMatchObject({ capabilitiesEffective, capabilitiesPermitted });
  });

  test("are gone with drop, for root too, and no program gets them back", async () => {
    const drop = { capabilities: "drop", seccomp: "off" };
    const gone = {
      capabilitiesEffective: none,
      capabilitiesPermitted: none,
      capabilitiesInheritable: none,
      capabilitiesAmbient: none,
    };
    expect(await planned(root(), drop, ["facts"])).toMatchObject({ uid: 0, ...gone });
    expect(await planned(root(), drop, ["mount", "/mnt"])).toMatchObject({ errno: "EPERM" });
    expect(await unfenced(root(), ["mount", "/mnt"])).toMatchObject({ errno: 0 });
    const again = await bootstrap(root(), ["--plan-fd", "3"], ["/probe", "exec", "/probe", "facts"], {
      input3: JSON.stringify({ version: 1, ...drop }),
    });
    expect(json(again)).toMatchObject(gone);
  });
});

describe("a step that the kernel refuses ends fence with 125 and is explained:", () => {
  test.for([["--chdir"], ["plan"]])("a missing working directory, by %s", async ([way]) => {
    const options = way === "plan" ? ["--plan-fd", "3"] : ["--chdir", "/no/such"];
    const outcome = await bootstrap(host, options, [host.probe, "facts"], {
      input3: '{"version":1,"chdir":"/no/such"}',
    });
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toMatch(/^fence: cannot enter \/no\/such: chdir: ENOENT/);
    expect(outcome.stderr).toContain("code:  FENCE_EXEC_PLAN");
  });

  test("a hard limit above the present one", async (context) => {
    requires("setpriv")(context);
    const place = arranged(asNobody(host), "limit", "7", "100", "100");
    const outcome = await bootstrap(place, ["--plan-fd", "3"], [host.probe, "facts"], {
      input3: '{"version":1,"rlimits":{"nofile":{"soft":100,"hard":101}}}',
    });
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toMatch(/prlimit: EPERM .*\n(.*\n)* {2}hint: {2}.*CAP_SYS_RESOURCE/);
  });
});
