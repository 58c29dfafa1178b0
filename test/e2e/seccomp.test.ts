import { spawnSync } from "node:child_process";
import { beforeEach, describe, expect, test } from "vitest";
import { type SyscallName, syscallNumbers } from "../../src/seccomp/syscalls.ts";
import { notRun, requires } from "../kit/requires.ts";
import { bootstrap, emptyRoot, fenced, host, type Json, unfenced } from "../kit/sandbox.ts";

const isX64 = process.arch === "x64";
/** With every capability of its own user namespace, so that it is not for the lack of one that a call is denied. */
const root = () => emptyRoot("--uid", "0", "--cap-add", "ALL", "--tmpfs", "/mnt");
/** Who has more capabilities than its parent may not be traced by it. */
const traceable = () => emptyRoot("--cap-drop", "ALL");

const invalid = [-1, -1, -1, -1, -1];
const calls: readonly { what: string; action: readonly (string | number)[] }[] = [
  { what: "ptrace", action: ["ptrace"] },
  { what: "keyctl", action: ["keyctl"] },
  { what: "mount", action: ["mount", "/mnt"] },
  ...onlyNative(["bpf", "userfaultfd", "pidfd_getfd", "open_tree"]),
  ...(isX64 ? through32Bits(["ptrace", "personality", "keyctl", "mount"]) : []),
];

function onlyNative(names: readonly SyscallName[]) {
  return names.map((name) => ({
    what: name,
    action: ["syscall", syscallNumbers[name][isX64 ? "x86_64" : "aarch64"] ?? -1, ...invalid],
  }));
}

function through32Bits(names: readonly SyscallName[]) {
  // PTRACE_TRACEME and PER_LINUX32 are harmless here; for the others 0 is.
  const argument = (name: SyscallName) => (name === "personality" ? 8 : 0);
  return names.map((name) => ({
    what: `${name} through int 0x80`,
    action: ["syscall32", syscallNumbers[name].i386 ?? -1, argument(name), 0, 0, 0, 0],
  }));
}

describe("the default filter denies", () => {
  beforeEach(requires("bwrap"));

  test.for(calls)("$what", async ({ what, action }) => {
    const place = what.startsWith("ptrace") ? traceable() : root();
    expect(await fenced(place, [], action)).toMatchObject({ result: -1, errno: "EPERM" });
    const off = await fenced(place, ["--seccomp=off"], action);
    const without = await unfenced(place, action);
    expect(off.errno).toBe(without.errno);
    expect(without.errno).not.toBe("EPERM");
  });

  test("nothing to a program that is denied nothing by name", async () => {
    expect(await fenced(root(), [], ["mkdir", "/mnt/x"])).toMatchObject({ errno: 0 });
    expect(await fenced(root(), [], ["bind-tcp", 0])).toMatchObject({ errno: 0 });
  });

  test("a filter is there with it, and none with --seccomp=off", async () => {
    expect(await fenced(root(), [], ["facts"])).toMatchObject({ seccompMode: 2, noNewPrivs: 1 });
    expect(await fenced(root(), ["--seccomp=default"], ["facts"])).toMatchObject({ seccompMode: 2 });
    expect(await fenced(root(), ["--seccomp=off"], ["facts"])).toMatchObject({ seccompMode: 0, noNewPrivs: 1 });
  });

  test.runIf(isX64)("x32 calls, which do not exist for the program", async () => {
    expect(await fenced(root(), [], ["x32", 39])).toMatchObject({ result: -1, errno: "ENOSYS" });
  });
});

describe("with a TCP port named the filter also denies", () => {
  beforeEach(requires("bwrap"));

  const [fastOpen, multipath] = [0x2000_0000, 262];
  const native = (name: SyscallName) => syscallNumbers[name][isX64 ? "x86_64" : "aarch64"] ?? -1;

  test.for<{ what: string; action: readonly (string | number)[]; errno: string }>([
    { what: "Multipath TCP", action: ["syscall", native("socket"), 2, 1, multipath], errno: "EPROTONOSUPPORT" },
    { what: "sendto", action: ["syscall", native("sendto"), 1, 0, 0, fastOpen, 0, 0], errno: "EOPNOTSUPP" },
    { what: "sendmsg", action: ["syscall", native("sendmsg"), 1, 0, fastOpen], errno: "EOPNOTSUPP" },
    { what: "sendmmsg", action: ["syscall", native("sendmmsg"), 1, 0, 0, fastOpen], errno: "EOPNOTSUPP" },
    { what: "io_uring", action: ["syscall", native("io_uring_setup"), 0, 0], errno: "ENOSYS" },
  ])("$what", async ({ action, errno }) => {
    for (const port of ["--bind-tcp=0", "--connect-tcp=1"]) {
      expect(await fenced(root(), [port], action)).toMatchObject({ result: -1, errno });
    }
    const without = await unfenced(root(), action);
    expect(without.errno).not.toBe(errno);
    for (const options of [[], ["--rox=/"], ["--connect-tcp=1", "--seccomp=off"]]) {
      expect((await fenced(root(), options, action)).errno).toBe(without.errno);
    }
  });
});

describe("with a signal scope the filter also denies", () => {
  beforeEach(requires("bwrap"));

  test("the resource limits of other processes, which can end them, and not the program's own", async () => {
    const prlimit = (pid: number) => ["syscall", syscallNumbers.prlimit64[isX64 ? "x86_64" : "aarch64"], pid, 0, 0, 0];
    const [self, other] = [prlimit(0), prlimit(1)];
    expect(await fenced(root(), ["--scope=signal"], other)).toMatchObject({ result: -1, errno: "EPERM" });
    expect(await fenced(root(), ["--scope=signal"], self)).toMatchObject({ result: 0 });
    expect(await unfenced(root(), other)).toMatchObject({ result: 0 });
    for (const options of [[], ["--rox=/"], ["--scope=signal", "--seccomp=off"]]) {
      expect(await fenced(root(), options, other)).toMatchObject({ result: 0 });
    }
  });
});

describe("on a terminal", () => {
  beforeEach(requires("script"));

  /** script(1) gives its command a terminal of its own, as the controlling one. */
  function onTerminal(command: readonly string[]): Json {
    const done = spawnSync("script", ["-qec", command.join(" "), "/dev/null"], { encoding: "utf8", input: "" });
    const line = /\{.*\}/.exec(done.stdout)?.[0];
    if (line === undefined) throw new Error(`no JSON but ${JSON.stringify(done.stdout)}: ${done.stderr}`);
    return JSON.parse(line);
  }

  const requests = ["ioctl-tiocsti", "ioctl-tioclinux"];
  const start = (...options: string[]) => [host.fence, "bootstrap", ...options, host.probe];

  test.for(requests)("the program cannot use %s, whatever stands above the request's low bits", (request) => {
    for (const high of ["0", "1", "0xffffffff"])
      expect(onTerminal([...start(), request, high])).toMatchObject({ result: -1, errno: "EPERM" });
  });

  test("without fence, and with --seccomp=off, TIOCSTI types into the terminal", (context) => {
    const { errno } = onTerminal([host.probe, "ioctl-tiocsti"]);
    notRun(context, errno === "EIO" ? "this kernel denies TIOCSTI to everybody (dev.tty.legacy_tiocsti)" : null);
    expect(errno).toBe(0);
    expect(onTerminal([...start("--seccomp=off"), "ioctl-tiocsti"])).toMatchObject({ errno: 0 });
  });
});

test("the filter holds for the programs that the program starts", async () => {
  const program = [host.probe, "exec", host.probe, "keyctl"];
  const outcome = await bootstrap(host, [], program);
  expect(JSON.parse(outcome.stdout)).toMatchObject({ errno: "EPERM" });
  const off = await bootstrap(host, ["--seccomp=off"], program);
  expect(JSON.parse(off.stdout)).toMatchObject({ errno: 0 });
});
