import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { type SyscallName, syscallNumbers } from "../../src/seccomp/syscalls.ts";
import { notRun, requires } from "../kit/requires.ts";
import { bootstrap, emptyRoot, fenced, folder, host, type Json, json, run, unfenced } from "../kit/sandbox.ts";

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

describe("the strict filter", () => {
  beforeEach(requires("bwrap"));

  const abi = isX64 ? "x86_64" : "aarch64";
  const [newUser, cloneFs, raw, closeOnExec] = [0x1000_0000, 0x200, 3, 0x8_0000];
  const denied: readonly { name: SyscallName; args: readonly number[]; errno: string }[] = [
    { name: "unshare", args: [newUser], errno: "EPERM" },
    // CLONE_FS beside it makes no child, whoever asks.
    { name: "clone", args: [newUser | cloneFs], errno: "EPERM" },
    { name: "clone3", args: invalid, errno: "ENOSYS" },
    { name: "setns", args: [-1, 0], errno: "EPERM" },
    { name: "io_uring_setup", args: [0, 0], errno: "EPERM" },
    { name: "socket", args: [17, raw, 0], errno: "EAFNOSUPPORT" },
    { name: "socket", args: [16, raw | closeOnExec, 16], errno: "EPROTONOSUPPORT" },
    { name: "socket", args: [2, raw, 1], errno: "EPERM" },
    { name: "socketpair", args: [10, raw | closeOnExec, 58, 0], errno: "EPERM" },
    { name: "ioctl", args: [0, 0x5423, 0], errno: "EPERM" },
    { name: "kcmp", args: invalid, errno: "EPERM" },
    { name: "vmsplice", args: [-1, 0, 0, 0], errno: "ENOSYS" },
    { name: "chroot", args: [0], errno: "EPERM" },
    { name: "modify_ldt", args: [0, 0, 0], errno: "EPERM" },
  ];
  const ways = denied.flatMap(({ name, args, errno }) => {
    const [native, i386] = [syscallNumbers[name][abi], syscallNumbers[name].i386];
    return [
      ...(native === null ? [] : [{ what: name, action: ["syscall", native, ...args], errno }]),
      ...(isX64 && i386 !== null ? [{ what: `${name} by int 0x80`, action: ["syscall32", i386, ...args], errno }] : []),
    ];
  });

  test.for(ways)("denies $what $action, the default one does not", async ({ action, errno }) => {
    expect(await fenced(root(), ["--seccomp=strict"], action)).toMatchObject({ result: -1, errno });
    const byDefault = await fenced(root(), ["--seccomp=default"], action);
    expect(byDefault.errno).not.toBe(errno);
    expect((await unfenced(root(), action)).errno).toBe(byDefault.errno);
  });

  test("denies what the default one does, and x32 calls", async () => {
    expect(await fenced(traceable(), ["--seccomp=strict"], ["ptrace"])).toMatchObject({ errno: "EPERM" });
    expect(await fenced(root(), ["--seccomp=strict"], ["mount", "/mnt"])).toMatchObject({ errno: "EPERM" });
    if (!isX64) return;
    expect(await fenced(root(), ["--seccomp=strict"], ["x32", 39])).toMatchObject({ errno: "ENOSYS" });
  });

  test("is on when a plan names it, and is reported and proved", async () => {
    const report = ["--status-fd", "4", "--verify"];
    const { output4, status } = await bootstrap(host, [...report, "--seccomp=strict"], [host.probe, "exit", "0"], {
      collects4: true,
    });
    expect(status).toBe(0);
    const events: readonly Json[] = output4
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.find(({ event }) => event === "ready").isolation.seccomp).toBe("strict");
    const checks: readonly Json[] = events.find(({ event }) => event === "verified").checks;
    const strict = checks.filter(({ by }) => by === "seccomp strict").map(({ verdict }) => verdict);
    expect(strict).toEqual(["proved", "proved"]);
    const plan = join(folder(), "plan.json");
    writeFileSync(plan, JSON.stringify({ version: 1, seccomp: "strict" }));
    const setns = [host.probe, "syscall", String(syscallNumbers.setns[abi]), "-1", "0"];
    expect(json(await bootstrap(host, ["--plan", plan], setns))).toMatchObject({ errno: "EPERM" });
  });
});

describe("under the strict filter work", () => {
  const strict = (...program: string[]) => [host.fence, "bootstrap", "--seccomp=strict", "--", ...program];
  const works = async (program: readonly string[]) => {
    const outcome = await run(strict(...program));
    expect(outcome, outcome.stderr).toMatchObject({ status: 0 });
    return outcome.stdout.trim().split("\n");
  };

  test("node with threads, children, sockets, addresses and names", async () => {
    const script = `
      const { spawnSync } = require("node:child_process");
      const { Worker } = require("node:worker_threads");
      const net = require("node:net");
      console.log(spawnSync("/bin/sh", ["-c", "echo child | cat"]).stdout.toString().trim());
      console.log(typeof require("node:os").networkInterfaces());
      require("node:dns").lookup("localhost", (error) => console.log(error?.code ?? "resolved"));
      require("node:dgram").createSocket("udp4").bind(0, function () { this.close(() => console.log("udp")); });
      net.createServer((socket) => socket.end("tcp")).listen(0, "127.0.0.1", function () {
        net.connect(this.address().port).on("data", (data) => { console.log(String(data)); this.close(); });
      });
      new Worker("require('node:worker_threads').parentPort.postMessage('thread')", { eval: true }).on("message", console.log);
    `;
    const said = await works([process.execPath, "-e", script]);
    expect(said.toSorted()).toEqual(["child", "object", "resolved", "tcp", "thread", "udp"]);
  });

  test("npm, which runs a script of a package that it installed from a folder", async () => {
    const at = folder();
    const text = (value: unknown) => JSON.stringify(value);
    mkdirSync(join(at, "tool"));
    writeFileSync(join(at, "tool/package.json"), text({ name: "tool", version: "1.0.0", bin: "tool.js" }));
    writeFileSync(join(at, "tool/tool.js"), "#!/usr/bin/env node\nconsole.log('ran');\n");
    chmodSync(join(at, "tool/tool.js"), 0o755);
    writeFileSync(join(at, "package.json"), text({ name: "a", version: "1.0.0", scripts: { it: "tool" } }));
    const npm = `cd ${at} && npm --offline --silent install ./tool && npm --silent run it`;
    expect(await works(["/bin/sh", "-c", npm])).toContain("ran");
  });

  test("python3 with threads, children, processes of its pool and sockets", async (context) => {
    requires("python3")(context);
    const script = `
import multiprocessing, socket, subprocess, threading
threads = [threading.Thread(target=print, args=("thread",))]
[t.start() for t in threads]; [t.join() for t in threads]
print(subprocess.check_output(["echo", "child"], text=True).strip(), flush=True)
with multiprocessing.Pool(2) as pool: print(pool.map(abs, [-1, -2]))
a, b = socket.socketpair(); a.send(b"pair"); print(b.recv(9).decode())
socket.getaddrinfo("localhost", 80); socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
print(len(socket.if_nameindex()) > 0)
`;
    expect(await works(["python3", "-c", script])).toEqual(["thread", "child", "[1, 2]", "pair", "True"]);
  });

  test("git, which makes a repository, commits, and clones it", async (context) => {
    requires("git")(context);
    const at = folder();
    const identity = "-c user.name=a -c user.email=a@example.com";
    const git = `set -e; cd ${at}; export HOME=${at}; git init -q one; cd one; echo x > f; git add f
      git ${identity} commit -qm first; cd ..; git clone -q file://${at}/one two; cat two/f; git -C two log --oneline | wc -l; git -C two fsck`;
    expect((await works(["/bin/sh", "-c", git])).slice(0, 2)).toEqual(["x", "1"]);
  });

  test("make and a compiler", async (context) => {
    requires("make", "cc")(context);
    const at = folder();
    writeFileSync(join(at, "a.c"), 'int puts(const char *); int main(void) { return puts("built") < 0; }\n');
    writeFileSync(join(at, "Makefile"), "all: a b\na b: a.c\n\tcc -pipe -O2 -pthread -o $@ $<\n");
    expect(await works(["/bin/sh", "-c", `cd ${at} && make -s -j2 && ./a && ./b`])).toEqual(["built", "built"]);
  });

  test("a shell of busybox with pipes, jobs and archives", async (context) => {
    requires("busybox")(context);
    const at = folder();
    const script = `cd ${at}; seq 5 | sort -r | head -1; (sleep 0 & wait; echo waited); echo x > f; tar cf - f | tar xOf - f`;
    expect(await works(["busybox", "sh", "-c", script])).toEqual(["5", "waited", "x"]);
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
    for (const filter of ["--seccomp=default", "--seccomp=strict"])
      for (const high of ["0", "1", "0xffffffff"])
        expect(onTerminal([...start(filter), request, high])).toMatchObject({ result: -1, errno: "EPERM" });
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
