import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Architecture, defaultFilter, describeDefaultFilter } from "../../src/seccomp/default-filter.ts";
import { type Abi, type SyscallName, syscallNumbers } from "../../src/seccomp/syscalls.ts";
import { requires } from "../kit/requires.ts";

const probeSource = resolve(import.meta.dirname, "../e2e/probe/probe.c");
const folder = mkdtempSync(join(tmpdir(), "fence-"));
const probePath = join(folder, "probe");
const filterPath = join(folder, "filter");

const architecture = process.arch as Architecture;
const native: Abi = architecture === "x64" ? "x86_64" : "aarch64";
const onX64 = test.runIf(architecture === "x64");

/** Which of SYS_MODULE, SYS_RAWIO, SYS_PACCT, SYS_ADMIN and SYS_BOOT the tests run without. */
let lackingCapabilities: readonly number[];

beforeAll(() => {
  run("cc", ["-static", "-O2", "-o", probePath, probeSource]);
  writeFileSync(filterPath, defaultFilter(architecture));
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

function filteredProbe(action: Action): Outcome {
  return probe(["with-filter", filterPath, ...action]);
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

const alwaysDenied = describeDefaultFilter()
  .denied.filter((denial) => denial.when.kind === "always")
  .flatMap((denial) => denial.syscalls);

describe.for([
  { way: "natively", action: "syscall", abi: native },
  ...(architecture === "x64" ? [{ way: "through int 0x80", action: "syscall32", abi: "i386" as const }] : []),
])("$way", ({ action, abi }) => {
  const calls = alwaysDenied.flatMap((name): { name: string; call: Action }[] => {
    const number = syscallNumbers[name][abi];
    return number === null ? [] : [{ name, call: [action, number, ...invalidArguments(name)] }];
  });

  test.for(calls)("$name is denied", ({ call }) => {
    expect(filteredProbe(call)).toMatchObject({ result: -1, errno: "EPERM" });
  });

  test.for(calls)("$name is not denied without the filter", ({ call }, { skip }) => {
    if (lackingCapabilities.length > 0) skip(`not run: needs capabilities ${lackingCapabilities.join(", ")}`);
    expect(probe(call).errno).not.toBe("EPERM");
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
  for (const number of [39, syscallNumbers.ptrace.x86_64, 521])
    expect(filteredProbe(["x32", number]).errno).toBe("ENOSYS");
  expect(filteredProbe(["syscall", 521]).errno).toBe("ENOSYS");
});

onX64("a tracer outside can answer a call in the kernel's place", (context) => {
  requires("strace")(context);
  const injection = ["-qq", "-o", "/dev/null", "-e", "inject=getppid:retval=4242"];
  const outcome = run("strace", [...injection, probePath, "with-filter", filterPath, "syscall", "110"]);
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
  const printed = run(probePath, ["with-filter", filterPath, "exec", process.execPath, "-e", script]);
  expect(printed.trim().split("\n")).toEqual(["child", "thread"]);
});
