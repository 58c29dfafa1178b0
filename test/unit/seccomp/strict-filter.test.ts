import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Architecture, describeProgramFilter, programFilter } from "../../../src/seccomp/program-filter.ts";
import { type Abi, type SyscallName, syscallNumbers } from "../../../src/seccomp/syscalls.ts";
import { checkFilter, runFilter, type SystemCall } from "../../kit/bpf-interpreter.ts";
import { docText } from "../../kit/docs.ts";

const allow = 0x7fff_0000;
const [eperm, enosys, eprotonosupport, eafnosupport] = [1, 38, 93, 97].map((errno) => 0x0005_0000 + errno);

const machines: readonly { architecture: Architecture; abi: Abi; audit: number }[] = [
  { architecture: "x64", abi: "x86_64", audit: 0xc000_003e },
  { architecture: "x64", abi: "i386", audit: 0x4000_0003 },
  { architecture: "arm64", abi: "aarch64", audit: 0xc000_00b7 },
];
type Machine = (typeof machines)[number];

/** The specification, apart from the table that the filter is made from. */
const eperms: readonly SyscallName[] = [
  ...(["io_uring_setup", "io_uring_enter", "io_uring_register", "setns", "open_by_handle_at", "kcmp"] as const),
  ...(["process_madvise", "move_pages", "migrate_pages", "fanotify_init", "chroot", "quotactl"] as const),
  ...(["quotactl_fd", "modify_ldt", "uselib", "ustat", "sysfs", "lookup_dcookie"] as const),
];
const enosyses: readonly SyscallName[] = ["clone3", "vmsplice"];
/** mnt, cgroup, uts, ipc, user, pid, net. */
const namespaces = [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];
const timeNamespace = 0x80;
const requests = [0x5423, 0x541d];
const setUserId = 0o4000;
const flags = [0, 0x800, 0x8_0000, 0x8_0800];

function socketAnswer(family: number, type: number, protocol: number): number | undefined {
  if (![1, 2, 10, 16].includes(family)) return eafnosupport;
  if (family === 1) return allow;
  if (family === 16) return protocol === 0 ? allow : eprotonosupport;
  if (!flags.some((flag) => type === (1 | flag) || type === (2 | flag))) return eperm;
  return [0, 1, 6, 17, 58].includes(protocol) ? allow : eprotonosupport;
}

function expectedAnswer({ architecture, abi }: Machine, call: SystemCall): number | undefined {
  const byDefault = runFilter(programFilter("default", architecture), call).action;
  if (byDefault !== allow) return byDefault;
  const isNumberOf = (name: SyscallName) => syscallNumbers[name][abi] === call.number >>> 0;
  const low = (index: number) => Number(BigInt.asUintN(32, call.arguments[index] ?? 0n));
  const has = (bits: readonly number[], index = 0) => bits.some((bit) => (low(index) & bit) !== 0);
  if (eperms.some(isNumberOf)) return eperm;
  if (enosyses.some(isNumberOf)) return enosys;
  if (isNumberOf("unshare") && has([...namespaces, timeNamespace])) return eperm;
  if (isNumberOf("clone") && has(namespaces)) return eperm;
  if ((isNumberOf("chmod") || isNumberOf("fchmod")) && has([setUserId], 1)) return eperm;
  if ((isNumberOf("fchmodat") || isNumberOf("fchmodat2")) && has([setUserId], 2)) return eperm;
  if (isNumberOf("ioctl") && requests.includes(low(1))) return eperm;
  if (isNumberOf("socketcall") && [1, 8].includes(low(0))) return eperm;
  if (isNumberOf("socket") || isNumberOf("socketpair")) return socketAnswer(low(0), low(1), low(2));
  return allow;
}

describe.for(machines)("on $architecture the strict filter for $abi", (machine) => {
  const { architecture, abi, audit } = machine;
  const filter = programFilter("strict", architecture);
  const answer = (number: number, ...args: readonly (number | bigint)[]) =>
    runFilter(filter, { architecture: audit, number, arguments: args.map(BigInt) }).action;
  /** undefined: this machine has no such call. */
  const ask = (name: SyscallName, ...args: readonly (number | bigint)[]) => {
    const number = syscallNumbers[name][abi];
    return number === null ? undefined : answer(number, ...args);
  };

  test("answers every number up to 600 as specified", () => {
    for (let number = 0; number <= 600; number++) {
      const expected = expectedAnswer(machine, { architecture: audit, number, arguments: [] });
      expect(answer(number), `number ${number}`).toBe(expected);
    }
  });

  test("answers any number and arguments as specified", () => {
    fc.assert(
      fc.property(callsOf(audit), (call) => {
        expect(runFilter(filter, call).action).toBe(expectedAnswer(machine, call));
      }),
      { numRuns: 2000 },
    );
  });

  test.for(["socket", "socketpair"] as const)("%s: of all families, only four are left", (name) => {
    for (let family = 0; family <= 100; family++) {
      const expected = [1, 2, 10, 16].includes(family) ? allow : eafnosupport;
      for (const high of [0n, 1n << 32n, 0xffff_ffffn << 32n])
        expect(ask(name, BigInt(family) | high, 1, 0), `family ${family}`).toBe(expected);
    }
  });

  test("what getifaddrs, resolvers, servers and ping need is allowed", () => {
    const [raw, closeOnExec] = [3, 0x8_0000];
    expect(ask("socket", 16, raw | closeOnExec, 0)).toBe(allow);
    for (const family of [2, 10])
      for (const flag of flags) {
        for (const [type, protocol] of [[1, 0], [1, 6], [2, 0], [2, 17], [2, 1], [2, 58]] as const) // biome-ignore format: a table
          expect(ask("socket", family, type | flag, protocol)).toBe(allow);
      }
    for (const type of [1, 2, 3, 5]) for (const flag of flags) expect(ask("socketpair", 1, type | flag, 0)).toBe(allow);
  });

  test("raw and packet sockets are denied, with any flags", () => {
    for (const family of [2, 10])
      for (const type of [0, 3, 4, 5, 6, 10])
        for (const flag of flags)
          for (const protocol of [0, 1, 6, 255]) expect(ask("socket", family, type | flag, protocol)).toBe(eperm);
    expect(ask("socket", 17, 3, 0x0300)).toBe(eafnosupport);
  });

  test("of netlink only routes are left, of the Internet's protocols only the usual ones", () => {
    for (let protocol = 1; protocol <= 300; protocol++) {
      expect(ask("socket", 16, 3, protocol)).toBe(eprotonosupport);
      const isUsual = [1, 6, 17, 58].includes(protocol);
      expect(ask("socket", 10, 1, protocol)).toBe(isUsual ? allow : eprotonosupport);
    }
  });

  test("processes and threads are made, namespaces are not", () => {
    const [thread, vfork, fork] = [0x3d_0f00, 0x4111, 0x120_0011];
    for (const plain of [thread, vfork, fork, timeNamespace]) expect(ask("clone", plain)).toBe(allow);
    for (const bit of namespaces) {
      for (const also of [0, 17, thread]) expect(ask("clone", bit | also)).toBe(eperm);
      expect(ask("clone", (0xffff_ffffn << 32n) | BigInt(bit))).toBe(eperm);
    }
    for (const bit of [...namespaces, timeNamespace]) expect(ask("unshare", bit)).toBe(eperm);
    for (const plain of [0, 0x200, 0x400, 0x600]) expect(ask("unshare", plain)).toBe(allow);
    expect(ask("clone3", 0, 88)).toBe(enosys);
  });

  test("no file becomes set-user-ID, and all other permissions can be given", () => {
    for (const [name, ...before] of [
      ["chmod", 0],
      ["fchmod", 3],
      ["fchmodat", 3, 0],
      ["fchmodat2", 3, 0],
    ] as const) {
      if (syscallNumbers[name][abi] === null) continue;
      for (const mode of [0o4755, 0o4000, 0o6755, 0o10_4755]) expect(ask(name, ...before, mode)).toBe(eperm);
      for (const mode of [0o755, 0o2775, 0o1777, 0o3777, 0]) expect(ask(name, ...before, mode)).toBe(allow);
    }
  });

  test("the terminal's line discipline stays, whatever stands above the request", () => {
    for (const request of requests)
      for (const high of [0n, 1n, 0xffff_ffffn]) expect(ask("ioctl", 0, (high << 32n) | BigInt(request))).toBe(eperm);
    for (const request of [0x5401, 0x5413, 0x5422, 0x5424, 0x541b]) expect(ask("ioctl", 0, request)).toBe(allow);
  });

  test("sockets by socketcall, whose arguments are in memory, are not made", () => {
    if (abi !== "i386") return expect(ask("socketcall", 1)).toBe(undefined);
    expect([1, 8].map((call) => ask("socketcall", call))).toEqual([eperm, eperm]);
    for (const call of [2, 3, 4, 5, 9, 10, 11, 12, 14, 15, 16, 17]) expect(ask("socketcall", call)).toBe(allow);
  });

  test("denies all that the default filter does, with each addition", () => {
    for (const additions of [[], ["tcp-detours"], ["other-limits"], ["tcp-detours", "other-limits"]] as const) {
      const [strict, byDefault] = [
        programFilter("strict", architecture, additions),
        programFilter("default", architecture, additions),
      ];
      fc.assert(
        fc.property(callsOf(audit), (call) => {
          if (runFilter(byDefault, call).action === allow) return;
          expect(runFilter(strict, call).action).not.toBe(allow);
        }),
      );
    }
  });

  test("runs few instructions", () => {
    const looksAtArguments = describeProgramFilter("strict")
      .denied.filter(({ when }) => when.kind !== "always")
      .flatMap(({ syscalls }) => syscalls.map((name): number | null => syscallNumbers[name][abi]));
    for (let number = 0; number <= 600; number++) {
      const { steps } = runFilter(filter, { architecture: audit, number, arguments: [2n, 0x8_0002n, 58n] });
      expect(steps, `number ${number}`).toBeLessThanOrEqual(looksAtArguments.includes(number) ? 45 : 13);
    }
  });
});

test("x32 calls do not exist, and any other architecture ends the process", () => {
  const filter = programFilter("strict", "x64");
  for (const number of [0x4000_0000, 0x4000_0029, 0x4000_01a9, 512, 547])
    expect(runFilter(filter, { architecture: 0xc000_003e, number, arguments: [] }).action).toBe(enosys);
  expect(runFilter(filter, { architecture: 0xc000_00b7, number: 1, arguments: [] }).action).toBe(0x8000_0000);
});

test.for<Architecture>(["x64", "arm64"])("the kernel accepts the filter for %s", (architecture) => {
  expect(checkFilter(programFilter("strict", architecture)).length).toBeLessThan(300);
});

describe("docs/seccomp.md", () => {
  const { denied } = describeProgramFilter("strict");
  const byDefault = describeProgramFilter("default").denied;
  const page = docText("seccomp.md");

  test("has a row for each denial, and no others", () => {
    const expected = denied.map((denial) => {
      const names = denial.syscalls.map((name) => `\`${name}\``).join(", ");
      const both = [byDefault.includes(denial) ? denial.errno : "", denial.errno];
      return `| ${[names, ...both, denial.because].join(" | ")} |`.replaceAll("|  |", "| |");
    });
    const start = page.indexOf("| call | default | strict | why |");
    const rows = page.slice(start, page.indexOf("\n\n", start)).split("\n").slice(2);
    const withoutConditions = rows.map((row) => row.replace(/^\| (`\w+`(?:, `\w+`)*)(?: [^|`][^|]*)? \|/, "| $1 |"));
    expect(withoutConditions).toEqual(expected);
  });

  test("names every value that a condition does", () => {
    const names = denied.flatMap(({ when }) => {
      const conditions = when.kind === "all-of" ? when.conditions : [when];
      return conditions.flatMap((condition) =>
        condition.kind === "always" || condition.kind === "all-of" ? [] : Object.keys(condition.values),
      );
    });
    const documented = names.filter((name) => /^[A-Z]/.test(name) && !name.includes("|"));
    expect(documented.length).toBeGreaterThan(25);
    for (const name of documented) expect(page, name).toContain(name);
  });
});

/** Calls that hit a named number, or an argument that matters, much more often than chance would. */
function callsOf(audit: number): fc.Arbitrary<SystemCall> {
  const named = Object.values(syscallNumbers).flatMap((numbers) =>
    Object.values(numbers).filter((one) => one !== null),
  );
  const telling = [
    ...[
      ...namespaces,
      ...requests,
      timeNamespace,
      setUserId,
      0x5412,
      0,
      1,
      2,
      3,
      5,
      6,
      8,
      10,
      16,
      17,
      38,
      40,
      58,
      132,
      262,
    ],
    ...flags.flatMap((flag) => [1 | flag, 2 | flag, 3 | flag]),
  ];
  const low = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...telling) }, fc.nat(0xffff_ffff));
  const argument = fc
    .tuple(low, fc.constantFrom(0, 0, 1, 0xffff_ffff))
    .map(([word, high]) => (BigInt(high) << 32n) | BigInt(word));
  return fc.record({
    architecture: fc.constant(audit),
    number: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...named) }, fc.nat(600), fc.nat(0xffff_ffff)),
    arguments: fc.array(argument, { maxLength: 6 }),
  });
}
