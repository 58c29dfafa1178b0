import { describe, expect, test } from "vitest";
import { bridgeFilter, networkFilter } from "../../../src/seccomp/bridge-filter.ts";
import { programFilter } from "../../../src/seccomp/program-filter.ts";
import { type SyscallName, syscallNumbers } from "../../../src/seccomp/syscalls.ts";
import { checkFilter, runFilter } from "../../kit/bpf-interpreter.ts";

const [allow, eperm, enosys, killProcess] = [0x7fff_0000, 0x0005_0001, 0x0005_0026, 0x8000_0000];
const [eprotonosupport, eopnotsupp] = [0x0005_005d, 0x0005_005f];

const machines = [
  { architecture: "x64", abi: "x86_64", audit: 0xc000_003e },
  { architecture: "arm64", abi: "aarch64", audit: 0xc000_00b7 },
] as const;

describe.for(machines)("the filter for $abi", ({ architecture, abi, audit }) => {
  const filter = bridgeFilter(architecture);
  const ask = (name: SyscallName, ...args: readonly number[]): number | null => {
    const number = syscallNumbers[name][abi];
    if (number === null) return null;
    return runFilter(filter, { architecture: audit, number, arguments: args.map(BigInt) }).action;
  };

  test("starts no program and no process, and takes no part in other namespaces", () => {
    for (const name of ["execve", "execveat", "unshare", "setns", "chroot", "ptrace", "mount"] as const) {
      expect(ask(name), name).toBe(eperm);
    }
    for (const name of ["fork", "vfork"] as const) expect(ask(name) ?? eperm).toBe(eperm);
    expect(ask("clone", 17)).toBe(eperm); // SIGCHLD: fork
    expect(ask("clone", 0x4111)).toBe(eperm); // CLONE_VFORK | CLONE_VM | SIGCHLD
    expect(ask("clone3", 0, 88)).toBe(enosys);
  });

  test("makes threads", () => {
    expect(ask("clone", 0x3d_0f00)).toBe(allow); // as pthread_create does
  });

  test("makes stream sockets for Unix and TCP only, and listens nowhere", () => {
    for (const family of [1, 2, 10]) {
      for (const flags of [0, 0x800, 0x8_0000, 0x8_0800]) expect(ask("socket", family, 1 | flags, 0)).toBe(allow);
      for (const type of [2, 3, 5, 0x8_0802, 0]) expect(ask("socket", family, type, 0)).toBe(eperm);
    }
    for (const family of [0, 16, 17, 38, 40, 43]) expect(ask("socket", family, 1, 0)).toBe(eperm);
    expect(ask("socket", 2, 1, 262)).toBe(eprotonosupport);
    expect(ask("sendto", 3, 0, 1, 0x2000_0000)).toBe(eopnotsupp);
    for (const name of ["bind", "listen"] as const) expect(ask(name)).toBe(eperm);
    expect(ask("io_uring_setup")).toBe(enosys);
  });

  test("makes no Unix sockets that could be connected when it is told so, and all else as before", () => {
    const network = networkFilter(architecture);
    const answers = (filter: Uint8Array, name: SyscallName, ...args: readonly number[]) => {
      const number = syscallNumbers[name][abi] ?? -1;
      return runFilter(filter, { architecture: audit, number, arguments: args.map(BigInt) }).action;
    };
    for (const flags of [0, 0x800, 0x8_0000, 0x8_0800]) {
      expect(answers(network, "socket", 1, 1 | flags, 0)).toBe(eperm);
      expect(answers(network, "socketpair", 1, 2 | flags, 0)).toBe(eperm);
      for (const family of [2, 10]) expect(answers(network, "socket", family, 1 | flags, 0)).toBe(allow);
    }
    for (const name of Object.keys(syscallNumbers) as SyscallName[]) {
      if (["socket", "socketpair"].includes(name) || syscallNumbers[name][abi] === null) continue;
      expect(answers(network, name), name).toBe(answers(filter, name));
    }
  });

  test("changes no file's mode, owner or attributes", () => {
    for (const name of ["fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat", "setxattr", "fsetxattr"] as const) {
      expect(ask(name), name).toBe(eperm);
    }
  });

  test("denies all that the default filter denies", () => {
    const program = programFilter("default", architecture, ["tcp-detours"]);
    for (let number = 0; number <= 600; number++) {
      const call = { architecture: audit, number, arguments: [] };
      if (runFilter(program, call).action === allow) continue;
      expect(runFilter(filter, call).action, `number ${number}`).not.toBe(allow);
    }
  });

  test("kills the process at a call of another kind, and is accepted by the kernel", () => {
    for (const other of [0x4000_0003, 0x4000_0028, 0xc000_003e, 0xc000_00b7].filter((one) => one !== audit)) {
      expect(runFilter(filter, { architecture: other, number: 1, arguments: [] }).action).toBe(killProcess);
    }
    expect(checkFilter(filter).length).toBeLessThan(200);
  });
});
