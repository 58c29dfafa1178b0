import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Architecture,
  describeProgramFilter,
  type FilterProfile,
  programFilter,
} from "../../src/seccomp/program-filter.ts";
import { type Abi, type SyscallName, syscallNumbers } from "../../src/seccomp/syscalls.ts";
import { requires } from "../kit/requires.ts";

const probeSource = resolve(import.meta.dirname, "../e2e/probe/probe.c");
const folder = mkdtempSync(join(tmpdir(), "fence-"));
const probePath = join(folder, "probe");
const filterPaths = { default: join(folder, "default"), strict: join(folder, "strict") };
const profiles = ["default", "strict"] as const satisfies readonly FilterProfile[];

const architecture = process.arch as Architecture;
const native: Abi = architecture === "x64" ? "x86_64" : "aarch64";
const onX64 = test.runIf(architecture === "x64");

/** Which of SYS_MODULE, SYS_RAWIO, SYS_PACCT, SYS_ADMIN and SYS_BOOT the tests run without. */
let lackingCapabilities: readonly number[];

beforeAll(() => {
  run("cc", ["-static", "-O2", "-o", probePath, probeSource]);
  for (const profile of profiles) writeFileSync(filterPaths[profile], programFilter(profile, architecture));
  const effective = BigInt(`0x${probe(["facts"]).capabilitiesEffective}`);
  lackingCapabilities = [16, 17, 20, 21, 22].filter((bit) => ((effective >> BigInt(bit)) & 1n) === 0n);
});

afterAll(() => rmSync(folder, { recursive: true }));

function run(command: string, args: readonly string[]): string {
  const done = spawnSync(command, args, { encoding: "utf8" });
  if (done.error !== undefined) throw done.error;
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.status ?? done.signal}: ${done.stderr}`);
  return done.stdout;
}

/** One action of the probe. */
type Action = readonly [name: string, ...args: (string | number)[]];

interface Outcome {
  readonly result: number;
  readonly errno: string | 0;
  readonly capabilitiesEffective?: string;
}

function probe(action: Action): Outcome {
  return JSON.parse(run(probePath, action.map(String)));
}

function filteredProbe(action: Action, profile: FilterProfile = "default"): Outcome {
  return probe(["with-filter", filterPaths[profile], ...action]);
}

describe("the numbers are those of the kernel's headers:", () => {
  const include = "/usr/include";
  const headers: Readonly<Record<Abi, string>> = {
    x86_64: `${include}/x86_64-linux-gnu/asm/unistd_64.h`,
    i386: `${include}/x86_64-linux-gnu/asm/unistd_32.h`,
    aarch64: `${include}/asm-generic/unistd.h`,
  };

  test.for(Object.entries(headers))("%s in %s", ([abi, header], { skip }) => {
    if (!existsSync(header)) skip(`not run: no ${header}`);
    const defines = readFileSync(header, "utf8").matchAll(/^#define __NR(?:3264)?_(\w+)\s+(\d+)$/gm);
    const inHeader = new Map([...defines].map(([, name, number]) => [name, Number(number)]));
    inHeader.delete("syscalls"); // how many there are
    const newest = Math.max(...inHeader.values());
    for (const [name, numbers] of Object.entries(syscallNumbers)) {
      const ours = numbers[abi as Abi];
      const isNewer = ours !== null && ours > newest;
      expect(isNewer ? undefined : (ours ?? undefined), name).toBe(inHeader.get(name));
    }
  });
});

/** What no call accepts, so that its twin without the filter harms nobody. A module of -1 bytes would be allocated. */
function invalidArguments(name: SyscallName): readonly number[] {
  return name === "init_module" ? [0, 0, 0] : [-1, -1, -1, -1, -1];
}

const alwaysDenied = (profile: FilterProfile) =>
  describeProgramFilter(profile)
    .denied.filter((denial) => denial.when.kind === "always")
    .flatMap(({ syscalls, errno }) => syscalls.map((name) => ({ name, errno })));
const byDefault = new Set(alwaysDenied("default").map(({ name }) => name));

describe.for([
  { way: "natively", action: "syscall", abi: native },
  ...(architecture === "x64" ? [{ way: "through int 0x80", action: "syscall32", abi: "i386" as const }] : []),
])("$way", ({ action, abi }) => {
  const calls = alwaysDenied("strict").flatMap(
    ({ name, errno }): { name: SyscallName; call: Action; errno: string }[] => {
      const number = syscallNumbers[name][abi];
      return number === null ? [] : [{ name, errno, call: [action, number, ...invalidArguments(name)] }];
    },
  );

  test.for(calls)("$name is denied", ({ name, call, errno }) => {
    if (byDefault.has(name)) expect(filteredProbe(call)).toMatchObject({ result: -1, errno });
    expect(filteredProbe(call, "strict")).toMatchObject({ result: -1, errno });
  });

  test.for(calls)("$name is not denied without the filter", ({ name, call, errno }, { skip }) => {
    if (lackingCapabilities.length > 0) skip(`not run: needs capabilities ${lackingCapabilities.join(", ")}`);
    expect(probe(call).errno).not.toBe(errno);
    if (!byDefault.has(name)) expect(filteredProbe(call).errno).not.toBe(errno);
  });

  const [unix, inet, inet6, netlink, packet, alg, vsock] = [1, 2, 10, 16, 17, 38, 40];
  const [stream, datagram, raw, closeOnExec] = [1, 2, 3, 0x8_0000];
  const [icmp, sctp, generic] = [1, 132, 16];
  const socket = (...args: readonly number[]): Action => [action, syscallNumbers.socket[abi], ...args];
  const pair = (...args: readonly number[]): Action => [action, syscallNumbers.socketpair[abi], ...args, 0];
  const clone = (...args: readonly number[]): Action => [action, syscallNumbers.clone[abi], ...args];
  const unshare = (flags: number): Action => [action, syscallNumbers.unshare[abi], flags];
  const [newUser, newNet, newTime, cloneFs] = [0x1000_0000, 0x4000_0000, 0x80, 0x200];

  test.for<{ what: string; call: Action; errno: string; mayLack?: true }>([
    { what: "AF_VSOCK", call: socket(vsock, stream, 0), errno: "EAFNOSUPPORT", mayLack: true },
    { what: "AF_PACKET", call: socket(packet, raw, 0), errno: "EAFNOSUPPORT" },
    { what: "AF_ALG", call: socket(alg, 5, 0), errno: "EAFNOSUPPORT", mayLack: true },
    { what: "generic netlink", call: socket(netlink, raw | closeOnExec, generic), errno: "EPROTONOSUPPORT" },
    { what: "a raw socket", call: socket(inet, raw, icmp), errno: "EPERM" },
    { what: "a raw IPv6 socket", call: socket(inet6, raw | closeOnExec, 58), errno: "EPERM" },
    { what: "the old packet socket", call: socket(inet, 10, 0x300), errno: "EPERM" },
    { what: "a pair of raw sockets", call: pair(inet, raw, icmp), errno: "EPERM" },
    { what: "SCTP", call: socket(inet, stream, sctp), errno: "EPROTONOSUPPORT", mayLack: true },
    { what: "a pair of AF_VSOCK", call: pair(vsock, stream, 0), errno: "EAFNOSUPPORT", mayLack: true },
    // CLONE_FS beside it makes no child, whoever asks.
    { what: "clone with CLONE_NEWUSER", call: clone(newUser | cloneFs), errno: "EPERM" },
    { what: "unshare with CLONE_NEWUSER", call: unshare(newUser), errno: "EPERM" },
    { what: "unshare with CLONE_NEWNET", call: unshare(newNet), errno: "EPERM" },
    { what: "unshare with CLONE_NEWTIME", call: unshare(newTime), errno: "EPERM" },
    { what: "TIOCSETD", call: [action, syscallNumbers.ioctl[abi], 0, 0x5423, 0], errno: "EPERM" },
    { what: "TIOCCONS", call: [action, syscallNumbers.ioctl[abi], 0, 0x541d, 0], errno: "EPERM" },
  ])("the strict filter denies $what, the default one does not", ({ call, errno, mayLack }) => {
    expect(filteredProbe(call, "strict")).toMatchObject({ result: -1, errno });
    // A kernel that was built without it answers the same.
    if (!mayLack) expect(filteredProbe(call).errno).not.toBe(errno);
    expect(filteredProbe(call).errno).toBe(probe(call).errno);
  });

  test.for<{ what: string; call: Action }>([
    { what: "Unix sockets", call: socket(unix, stream, 0) },
    { what: "TCP", call: socket(inet, stream | closeOnExec, 6) },
    { what: "UDP over IPv6", call: socket(inet6, datagram | 0x800, 0) },
    { what: "netlink's routes", call: socket(netlink, raw | closeOnExec, 0) },
    { what: "unshare without a namespace", call: unshare(cloneFs) },
    { what: "inotify", call: [action, syscallNumbers.inotify_init1[abi], 0] },
  ])("the strict filter allows $what", ({ call }) => {
    expect(filteredProbe(call, "strict").errno).toBe(0);
  });

  test("ptrace(PTRACE_TRACEME) works without the filter only", () => {
    const call: Action = [action, syscallNumbers.ptrace[abi], 0];
    expect(probe(call)).toMatchObject({ result: 0, errno: 0 });
    expect(filteredProbe(call)).toMatchObject({ result: -1, errno: "EPERM" });
  });

  test("the personality can be read but ASLR cannot be switched off", () => {
    const noRandomization: Action = [action, syscallNumbers.personality[abi], 0x0004_0000];
    const query: Action = [action, syscallNumbers.personality[abi], 0xffff_ffff];
    expect(probe(noRandomization).errno).toBe(0);
    expect(filteredProbe(noRandomization).errno).toBe("EPERM");
    expect(filteredProbe(query)).toMatchObject({ result: probe(query).result, errno: 0 });
  });

  test("the ioctl requests are denied, others reach the kernel", () => {
    const call = (request: number): Action => [action, syscallNumbers.ioctl[abi], 0, request, 0];
    for (const request of [0x5412, 0x541c, 0xaa00]) {
      expect(probe(call(request)).errno).toBe("ENOTTY");
      expect(filteredProbe(call(request)).errno).toBe("EPERM");
      expect(filteredProbe(call(request + 0x10_0000)).errno).toBe("ENOTTY");
    }
  });

  test("a call that does not exist is not reported as denied", () => {
    expect(filteredProbe([action, 5000]).errno).toBe("ENOSYS");
  });
});

test.for(["ioctl-tiocsti", "ioctl-tioclinux"])(
  "%s is denied whatever stands above the request's low bits",
  (action) => {
    for (const high of [0, 1, 0xdead_beef, 0xffff_ffff]) {
      expect(probe([action, high]).errno).toBe("ENOTTY");
      expect(filteredProbe([action, high]).errno).toBe("EPERM");
    }
  },
);

test.for(["ptrace", "keyctl"])("the probe's own %s is denied and works without the filter", (action) => {
  expect(probe([action]).errno).toBe(0);
  expect(filteredProbe([action]).errno).toBe("EPERM");
});

onX64("x32 calls do not exist", () => {
  const { ptrace, socket, unshare, io_uring_setup } = syscallNumbers;
  for (const profile of profiles) {
    for (const number of [39, 521, ...[ptrace, socket, unshare, io_uring_setup].map((call) => call.x86_64)])
      expect(filteredProbe(["x32", number], profile).errno).toBe("ENOSYS");
    expect(filteredProbe(["syscall", 521], profile).errno).toBe("ENOSYS");
  }
});

onX64("32-bit programs make no socket where the strict filter cannot see which", () => {
  // Its arguments at address 0, which no program has: EFAULT.
  const socketcall = (call: number): Action => ["syscall32", syscallNumbers.socketcall.i386, call, 0];
  for (const call of [1, 8]) {
    expect(filteredProbe(socketcall(call), "strict").errno).toBe("EPERM");
    expect(filteredProbe(socketcall(call)).errno).toBe("EFAULT");
  }
  expect(filteredProbe(socketcall(3), "strict").errno).toBe("EFAULT");
});

onX64("a tracer outside can answer a call in the kernel's place", (context) => {
  requires("strace")(context);
  const injection = ["-qq", "-o", "/dev/null", "-e", "inject=getppid:retval=4242"];
  const outcome = run("strace", [...injection, probePath, "with-filter", filterPaths.default, "syscall", "110"]);
  expect(JSON.parse(outcome)).toMatchObject({ result: 4242 });
});

test("the probe installs the filter that it is given, with no_new_privs", () => {
  expect(probe(["facts"])).toMatchObject({ seccompMode: 0, noNewPrivs: 0 });
  expect(filteredProbe(["facts"])).toMatchObject({ seccompMode: 2, noNewPrivs: 1, errno: 0 });
});

test("Node with its threads, children and sockets runs under the filter", () => {
  const script = `
    const { spawnSync } = require("node:child_process");
    const { Worker } = require("node:worker_threads");
    require("node:fs").readdirSync("/");
    console.log(spawnSync("/bin/sh", ["-c", "echo child | cat"]).stdout.toString().trim());
    require("node:net").createServer().listen(0, "127.0.0.1", function () { this.close(); });
    new Worker("require('node:worker_threads').parentPort.postMessage('thread')", { eval: true }).on("message", console.log);
  `;
  for (const profile of profiles) {
    const printed = run(probePath, ["with-filter", filterPaths[profile], "exec", process.execPath, "-e", script]);
    expect(printed.trim().split("\n"), profile).toEqual(["child", "thread"]);
  }
});
