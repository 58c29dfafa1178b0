import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { logWords } from "../../src/landlock/options.ts";
import { notRun, requires } from "../kit/requires.ts";
import { bootstrap, emptyRoot, fenced, folder, host, type Json, type Place, run, unfenced } from "../kit/sandbox.ts";

type Action = readonly (string | number)[];

/** The reports of a start, by their event. */
async function reports(place: Place, options: readonly string[]): Promise<Json> {
  const { output4 } = await bootstrap(place, ["--status-fd", "4", ...options], [place.probe, "exit", "0"], {
    collects4: true,
  });
  return Object.fromEntries(
    output4
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
      .map((report) => [report.event, report]),
  );
}

async function kernelAbi(): Promise<number> {
  return (await reports(host, [])).ready.isolation.landlock.abi;
}

describe("file rules in an empty root", () => {
  beforeEach(requires("bwrap"));

  /** A writable /data of the sandbox, new for each action: creating works once. */
  function rootWithData(): Place {
    const data = folder();
    writeFileSync(join(data, "file"), "content");
    copyFileSync(host.probe, join(data, "tool"));
    mkdirSync(join(data, "folder"));
    return emptyRoot("--bind", data, "/data");
  }

  const actions = {
    "read a file": ["open-read", "/data/file"],
    "list a folder": ["open-read", "/data/folder"],
    execute: ["exec", "/data/tool", "open-read", "/probe"],
    "write a file": ["open-write", "/data/file"],
    "truncate a file": ["truncate", "/data/file"],
    "create a file": ["create", "/data/folder/new"],
    "create a folder": ["mkdir", "/data/folder/new"],
  } as const satisfies Record<string, Action>;
  type What = keyof typeof actions;
  const all = Object.keys(actions) as What[];

  const read: readonly What[] = ["read a file", "list a folder"];
  const write: readonly What[] = ["write a file", "truncate a file", "create a file", "create a folder"];
  const granted: readonly { rule: readonly string[]; allows: readonly What[] }[] = [
    { rule: [], allows: [] },
    { rule: ["--ro", "/data"], allows: read },
    { rule: ["--rox", "/data"], allows: [...read, "execute"] },
    { rule: ["--rw", "/data"], allows: [...read, ...write] },
    { rule: ["--rwx", "/data"], allows: all },
    { rule: ["--ro", "/data", "--rw", "/data/folder"], allows: [...read, "create a file", "create a folder"] },
    { rule: ["--ro", "/data/file"], allows: ["read a file"] },
    { rule: ["--rw", "/data/file"], allows: ["read a file", "write a file", "truncate a file"] },
  ];

  test.for(granted.map((grant) => ({ ...grant, name: grant.rule.join(" ") || "no rule for /data" })))(
    "$name allows $allows and nothing else",
    async ({ rule, allows }) => {
      for (const what of all) {
        const outcome = await fenced(rootWithData(), ["--rox", "/probe", ...rule], actions[what]);
        expect(outcome.errno, what).toBe(allows.includes(what) ? 0 : "EACCES");
      }
    },
  );

  test.for(all)("without fence the same program can %s", async (what) => {
    expect(await unfenced(rootWithData(), actions[what])).toMatchObject({ errno: 0 });
  });

  test.for(all)("without any rule the program under fence can %s", async (what) => {
    expect(await fenced(rootWithData(), [], actions[what])).toMatchObject({ errno: 0 });
  });

  test("a rule for a symbolic link is for what it points to", async () => {
    const place = emptyRoot("--symlink", "probe", "/link");
    expect(await fenced(place, ["--rox", "/link"], ["open-read", "/probe"])).toMatchObject({ errno: 0 });
    expect(await fenced(place, ["--rox", "/link"], ["open-read", "/arrange"])).toMatchObject({ errno: "EACCES" });
  });

  test("a rule for /proc/self is for the program's own folder there", async () => {
    const own = ["open-read", "/proc/self/status"];
    expect(await unfenced(emptyRoot(), own)).toMatchObject({ errno: 0 });
    expect(await fenced(emptyRoot(), ["--rox", "/probe", "--ro", "/proc"], own)).toMatchObject({ errno: 0 });
    expect(await fenced(emptyRoot(), ["--rox", "/probe", "--ro", "/proc/self"], own)).toMatchObject({ errno: 0 });
  });

  test("fence within fence restricts further", async () => {
    const inner = ["--rox", "/probe"];
    const outer = ["--rox", "/", "--", "/tmp/fence/bin/fence", "bootstrap"];
    const open = ["open-read", "/arrange"];
    expect(await fenced(emptyRoot(), [...outer, "--rox", "/"], open)).toMatchObject({ errno: 0 });
    expect(await fenced(emptyRoot(), [...outer, ...inner], open)).toMatchObject({ errno: "EACCES" });
  });

  test("a 17th domain is an error that names the kernel's limit", async () => {
    const layer = ["--rox", "/", "--", "/tmp/fence/bin/fence", "bootstrap"];
    const sixteen = Array.from({ length: 15 }, () => layer).flat();
    expect(await fenced(emptyRoot(), [...sixteen, "--rox", "/"], ["facts"])).toMatchObject({ errno: 0 });
    const outcome = await bootstrap(emptyRoot(), [...sixteen, ...layer, "--rox", "/"], ["/probe", "facts"]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toMatch(
      /landlock_restrict_self: E2BIG .*\n(.*\n)* {2}hint: {2}.* at most 16 Landlock domains/,
    );
  });
});

test("a rule for the standard output may be given, whatever that is", async () => {
  // Landlock never denies a pipe or socket that is open, and takes no rule for one, landlock(7).
  const outcome = await fenced(host, ["--rox", host.probe, "--rw", "/dev/stdout"], ["open-read", "/etc/passwd"]);
  expect(outcome).toMatchObject({ errno: "EACCES" });
});

describe("a rule whose path is missing", () => {
  test("is an error that names the option", async () => {
    const outcome = await bootstrap(host, ["--rox", "/", "--rw", "/no/such"], [host.probe, "exit", "0"]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toMatch(
      /cannot open \/no\/such for a rule: open: ENOENT .*\n(.*\n)* {2}hint: {2}the rule \(--rw\) must name/,
    );
    expect(outcome.stderr).toContain("code:  FENCE_RULE_PATH");
  });

  test("is skipped and reported with --ignore-missing", async () => {
    const { ready } = await reports(host, ["--ignore-missing", "--rox", "/", "--rw", "/no/such", "--ro", "/nor/this"]);
    expect(ready.isolation.landlock).toMatchObject({ enforced: true, skippedPaths: ["/no/such", "/nor/this"] });
  });

  test("does not loosen the others with --ignore-missing", async () => {
    const options = ["--ignore-missing", "--rox", host.probe, "--rw", "/no/such"];
    expect(await fenced(host, options, ["open-read", "/etc/passwd"])).toMatchObject({ errno: "EACCES" });
  });
});

describe("a program that no rule allows to execute is exit status 126, and the hint names", () => {
  const says = (file: string) => new RegExp(`EACCES .*no Landlock rule allows to execute ${file}\n`);

  /** Adds what the hint says until the program runs. Returns the hints. */
  async function obeyHints(options: readonly string[], program: readonly string[]): Promise<readonly string[]> {
    const hints: string[] = [];
    for (;;) {
      const outcome = await bootstrap(host, [...options, ...hints], program);
      const told = /hint: {2}add a rule, (--rox) (\/\S*) \(in a plan/.exec(outcome.stderr)?.slice(1) ?? [];
      if (told.length === 0 || hints.includes(told[1] ?? "")) {
        expect(outcome).toMatchObject({ status: 0, stderr: "" });
        return hints;
      }
      expect(outcome).toMatchObject({ status: 126, stdout: "" });
      hints.push(...told);
    }
  }

  test("its folder", async () => {
    const at = folder();
    const program = [host.probe, "open-read", host.probe];
    expect((await bootstrap(host, ["--ro", at], program)).stderr).toMatch(says(host.probe));
    expect(await obeyHints(["--ro", at], program)).toEqual(["--rox", dirname(host.probe)]);
  });

  test("the folder of its loader", async () => {
    const options = ["--rox", "/bin/true"];
    expect((await bootstrap(host, options, ["/bin/true"])).stderr).toMatch(says("/lib\\S*/ld-\\S+"));
    await obeyHints(options, ["/bin/true"]);
  });

  test("the folder of its script interpreter, then that one's loader", async () => {
    const script = join(folder(), "script");
    writeFileSync(script, "#!/bin/sh\n", { mode: 0o755 });
    const options = ["--rox", script];
    expect((await bootstrap(host, options, [script])).stderr).toMatch(says("/bin/sh"));
    expect((await obeyHints(options, [script])).length).toBe(4);
  });
});

describe("TCP rules in an empty root", () => {
  beforeEach(requires("bwrap"));

  // In a network namespace of its own nobody else has the port.
  const [one, other] = [4001, 4002];
  const bind = (port: number): Action => ["bind-tcp", port];
  const connect = (port: number): Action => ["connect-tcp", "127.0.0.1", port];
  /** Nobody listens: what is allowed reaches the kernel and is refused there. */
  const reached = "ECONNREFUSED";

  test("without fence the program binds and connects", async () => {
    expect(await unfenced(emptyRoot(), bind(one))).toMatchObject({ errno: 0, result: one });
    expect(await unfenced(emptyRoot(), connect(one))).toMatchObject({ errno: reached });
  });

  test("--bind-tcp allows its port and no other, and no connection", async () => {
    const options = ["--bind-tcp", String(one)];
    expect(await fenced(emptyRoot(), options, bind(one))).toMatchObject({ errno: 0, result: one });
    expect(await fenced(emptyRoot(), options, bind(other))).toMatchObject({ errno: "EACCES" });
    expect(await fenced(emptyRoot(), options, bind(0))).toMatchObject({ errno: "EACCES" });
    expect(await fenced(emptyRoot(), options, connect(one))).toMatchObject({ errno: "EACCES" });
  });

  test("--bind-tcp 0 allows any free port and no named one", async () => {
    expect(await fenced(emptyRoot(), ["--bind-tcp", "0"], bind(0))).toMatchObject({ errno: 0 });
    expect(await fenced(emptyRoot(), ["--bind-tcp", "0"], bind(one))).toMatchObject({ errno: "EACCES" });
  });

  test("--connect-tcp allows its port and no other, and no binding", async () => {
    const options = ["--connect-tcp", String(one)];
    expect(await fenced(emptyRoot(), options, connect(one))).toMatchObject({ errno: reached });
    expect(await fenced(emptyRoot(), options, connect(other))).toMatchObject({ errno: "EACCES" });
    expect(await fenced(emptyRoot(), options, ["connect-tcp", "::1", other])).toMatchObject({ errno: "EACCES" });
    expect(await fenced(emptyRoot(), options, bind(one))).toMatchObject({ errno: "EACCES" });
  });

  test("a file rule says nothing about ports", async () => {
    expect(await fenced(emptyRoot(), ["--rox", "/probe"], bind(one))).toMatchObject({ errno: 0 });
  });
});

describe("on the host", () => {
  async function listening(address: { port: number; host: string } | { path: string }): Promise<AddressInfo> {
    const server = createServer((socket) => socket.end());
    onTestFinished(() => void server.close());
    await once(server.listen(address), "listening");
    return server.address() as AddressInfo;
  }

  test("--connect-tcp allows a server that it names and no other", async () => {
    const { port } = await listening({ port: 0, host: "127.0.0.1" });
    const { port: other } = await listening({ port: 0, host: "127.0.0.1" });
    const options = ["--connect-tcp", String(port)];
    expect(await fenced(host, options, ["connect-tcp", "127.0.0.1", port])).toMatchObject({ errno: 0 });
    expect(await fenced(host, options, ["connect-tcp", "127.0.0.1", other])).toMatchObject({ errno: "EACCES" });
    expect(await unfenced(host, ["connect-tcp", "127.0.0.1", other])).toMatchObject({ errno: 0 });
  });

  test("--scope abstract-unix denies the abstract sockets of others", async () => {
    const name = `fence-test-${randomUUID()}`;
    await listening({ path: `\0${name}` });
    const connect = ["connect-abstract", name];
    expect(await unfenced(host, connect)).toMatchObject({ errno: 0 });
    expect(await fenced(host, ["--scope", "signal"], connect)).toMatchObject({ errno: 0 });
    expect(await fenced(host, ["--scope", "abstract-unix"], connect)).toMatchObject({ errno: "EPERM" });
  });

  test("--scope signal denies signals to others", async () => {
    const signal = ["kill", process.pid, 0];
    expect(await unfenced(host, signal)).toMatchObject({ errno: 0 });
    expect(await fenced(host, ["--scope", "abstract-unix"], signal)).toMatchObject({ errno: 0 });
    expect(await fenced(host, ["--scope", "signal"], signal)).toMatchObject({ errno: "EPERM" });
  });

  test("--scope signal leaves the program its own signals", async () => {
    const outcome = await bootstrap(host, ["--scope", "signal"], [host.probe, "raise", "15"]);
    expect(outcome).toMatchObject({ signal: "SIGTERM" });
  });

  test("--unix allows the sockets beneath its path and no others", async (context) => {
    const abi = await kernelAbi();
    notRun(context, abi < 9 ? `needs Landlock ABI 9, this kernel has ${abi}` : null);
    const [path, other] = [join(folder(), "s"), join(folder(), "s")];
    await listening({ path });
    await listening({ path: other });
    expect(await fenced(host, ["--unix", path], ["connect-unix", path])).toMatchObject({ errno: 0 });
    expect(await fenced(host, ["--unix", path], ["connect-unix", other])).toMatchObject({ errno: "EACCES" });
    expect(await unfenced(host, ["connect-unix", other])).toMatchObject({ errno: 0 });
  });

  test("required Landlock is an error where the kernel lacks a named part, and names both", async (context) => {
    const abi = await kernelAbi();
    notRun(context, abi >= 9 ? "this kernel knows all that can be named" : null);
    const outcome = await bootstrap(host, ["--landlock=required", "--unix", "/run"], [host.probe, "exit", "0"]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toContain(`--unix needs Landlock ABI 9 (RESOLVE_UNIX), this kernel has ABI ${abi}`);
    expect(outcome.stderr).toMatch(/hint: {2}use Linux 7\.1 or newer, or accept less with --landlock=best-effort/);
    expect(await bootstrap(host, ["--unix", "/run"], [host.probe, "exit", "0"])).toMatchObject({ status: 125 });
  });

  test("best-effort Landlock reports each part that was dropped, and enforces the rest", async (context) => {
    const abi = await kernelAbi();
    notRun(context, abi >= 9 ? "this kernel knows all that can be named" : null);
    const options = ["--landlock=best-effort", "--unix", "/run", "--rox", host.probe];
    const { ready } = await reports(host, options);
    expect(ready.isolation.landlock).toMatchObject({
      mode: "best-effort",
      abi,
      enforced: true,
      dropped: [{ right: "RESOLVE_UNIX", neededBy: "--unix", firstAbi: 9 }],
    });
    expect(ready.isolation.landlock.notes.map(({ id }: Json) => id)).toContain("unix-sockets");
    expect(await fenced(host, options, ["open-read", "/etc/passwd"])).toMatchObject({ errno: "EACCES" });
  });

  test("UDP and quiet rules need ABI 10: required refuses, best-effort enforces the rest and says what is gone", async (context) => {
    const abi = await kernelAbi();
    notRun(context, abi >= 10 ? "this kernel knows all that can be named" : null);
    const options = ["--connect-tcp", "443", "--connect-udp", "53", "--quiet", "443"];
    const refused = await bootstrap(host, options, [host.probe, "exit", "0"]);
    expect(refused).toMatchObject({ status: 125, stdout: "" });
    expect(refused.stderr).toContain(`--connect-udp needs Landlock ABI 10 (BIND_UDP), this kernel has ABI ${abi}`);
    const { ready } = await reports(host, ["--landlock=best-effort", ...options]);
    expect(ready.isolation.landlock.handled).toEqual(["BIND_TCP", "CONNECT_TCP"]);
    expect(ready.isolation.landlock.dropped.map(({ right }: Json) => right)).toEqual([
      ...["BIND_UDP", "CONNECT_SEND_UDP", "QUIET"],
    ]);
  });

  test("--landlock-log is accepted from ABI 7 on, and the rules hold as without it", async (context) => {
    const abi = await kernelAbi();
    notRun(context, abi < 7 ? `needs Landlock ABI 7, this kernel has ${abi}` : null);
    for (const word of logWords) {
      const options = [`--landlock-log=${word}`, "--rox", host.probe];
      expect(await fenced(host, options, ["open-read", "/etc/passwd"])).toMatchObject({ errno: "EACCES" });
      expect(await fenced(host, options, ["open-read", host.probe])).toMatchObject({ errno: 0 });
    }
  });

  test("--landlock-log passes its flags to landlock_restrict_self", async (context) => {
    requires("strace")(context);
    const abi = await kernelAbi();
    notRun(context, abi < 7 ? `needs Landlock ABI 7, this kernel has ${abi}` : null);
    const flagsOf = async (...options: string[]) => {
      const trace = join(folder(), "trace");
      const strace = ["strace", "-f", "-qq", "-o", trace, "-e", "trace=landlock_restrict_self"];
      const fence = [host.fence, "bootstrap", ...options, "--scope=signal", host.probe, "exit", "0"];
      expect(await run([...strace, ...fence])).toMatchObject({ status: 0 });
      return [...readFileSync(trace, "utf8").matchAll(/landlock_restrict_self\(\d+, (\w+)/g)].map(([, flags]) =>
        Number(flags),
      );
    };
    expect(await flagsOf()).toEqual([0]);
    expect(await flagsOf("--landlock-log=new-exec-on")).toEqual([0b010]);
    expect(await flagsOf("--landlock-log=same-exec-off", "--landlock-log=subdomains-off")).toEqual([0b101]);
  });

  test("with a filter the report names no open detour around the TCP rights, with --seccomp=off it does", async (context) => {
    const abi = await kernelAbi();
    notRun(context, abi < 4 ? `needs Landlock ABI 4, this kernel has ${abi}` : null);
    const notes = async (...options: string[]) =>
      (await reports(host, ["--connect-tcp=1", ...options])).ready.isolation.landlock.notes.map(({ id }: Json) => id);
    expect(await notes()).not.toContain("tcp-detours");
    expect(await notes("--seccomp=off")).toContain("tcp-detours");
  });

  test("--landlock=off is reported as not enforced", async () => {
    const { ready } = await reports(host, ["--landlock=off"]);
    expect(ready.isolation.landlock).toMatchObject({ mode: "off", enforced: false, handled: [], dropped: [] });
  });
});
