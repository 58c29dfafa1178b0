import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { triedCalls } from "../../../src/inside/verification.ts";
import { bridgeDenials } from "../../../src/seccomp/bridge-filter.ts";
import {
  type Architecture,
  describeProgramFilter,
  type FilterAddition,
  programFilter,
} from "../../../src/seccomp/program-filter.ts";
import { type Abi, type SyscallName, syscallNumbers } from "../../../src/seccomp/syscalls.ts";
import { checkFilter, runFilter, type SystemCall } from "../../kit/bpf-interpreter.ts";

const allow = 0x7fff_0000;
const eperm = 0x0005_0001;
const enosys = 0x0005_0026;
const eprotonosupport = 0x0005_005d;
const eopnotsupp = 0x0005_005f;
const eafnosupport = 0x0005_0061;
const killProcess = 0x8000_0000;

const machines: readonly { architecture: Architecture; abi: Abi; audit: number }[] = [
  { architecture: "x64", abi: "x86_64", audit: 0xc000_003e },
  { architecture: "x64", abi: "i386", audit: 0x4000_0003 },
  { architecture: "arm64", abi: "aarch64", audit: 0xc000_00b7 },
];

/** The specification, apart from the table that the filter is made from. */
const alwaysDenied: readonly SyscallName[] = [
  ...(["ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "keyctl", "add_key", "request_key"] as const),
  ...(["userfaultfd", "perf_event_open", "bpf", "kexec_load", "kexec_file_load", "reboot", "syslog", "acct"] as const),
  ...(["mount", "umount", "umount2", "pivot_root", "swapon", "swapoff", "sethostname", "setdomainname"] as const),
  ...(["init_module", "finit_module", "delete_module", "ioperm", "iopl", "open_tree", "open_tree_attr"] as const),
  ...(["move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr"] as const),
];
const deniedRequests = [0x5412, 0x541c, 0xaa00];
const allowedPersonalities = [0, 0xffff_ffff];

const fastOpen = 0x2000_0000;

function expectedAction(architecture: Architecture, call: SystemCall, additions: readonly FilterAddition[]): number {
  const machine = machines.find((one) => one.architecture === architecture && one.audit === call.architecture);
  if (machine === undefined) return killProcess;
  const number = call.number >>> 0;
  const isNumberOf = (name: SyscallName) => syscallNumbers[name][machine.abi] === number;
  const low = (index: number) => Number(BigInt.asUintN(32, call.arguments[index] ?? 0n));
  if (machine.abi === "x86_64" && number >= 0x4000_0000 && number !== 0xffff_ffff) return enosys;
  if (machine.abi === "x86_64" && number >= 512 && number <= 547) return enosys;
  if (alwaysDenied.some(isNumberOf)) return eperm;
  if (isNumberOf("ioctl") && deniedRequests.includes(low(1))) return eperm;
  if (isNumberOf("personality") && !allowedPersonalities.includes(low(0))) return eperm;
  if (additions.length > 0 && isNumberOf("io_uring_setup")) return enosys;
  if (!additions.includes("tcp-detours")) return allow;
  if (isNumberOf("socket") && [256, 262].includes(low(2))) return eprotonosupport;
  if (isNumberOf("socket") && low(0) === 43) return eafnosupport;
  if ((isNumberOf("sendto") || isNumberOf("sendmmsg")) && (low(3) & fastOpen) !== 0) return eopnotsupp;
  if (isNumberOf("sendmsg") && (low(2) & fastOpen) !== 0) return eopnotsupp;
  if (isNumberOf("socketcall") && [1, 11, 16, 20].includes(low(0))) return eperm;
  return allow;
}

const everyAddition: readonly (readonly FilterAddition[])[] = [[], ["io-uring"], ["tcp-detours"]];

function action(architecture: Architecture, call: SystemCall, additions: readonly FilterAddition[] = []): number {
  return runFilter(programFilter("default", architecture, additions), call).action;
}

describe.for(machines)("on $architecture the filter for $abi", ({ architecture, abi, audit }) => {
  test("answers every number up to 600 as specified", () => {
    for (const additions of everyAddition) {
      const filter = programFilter("default", architecture, additions);
      for (let number = 0; number <= 600; number++) {
        const call = { architecture: audit, number, arguments: [] };
        expect(runFilter(filter, call).action, `number ${number}`).toBe(expectedAction(architecture, call, additions));
      }
    }
  });

  test("denies every call of the specification", () => {
    const numbers = alwaysDenied.map((name) => syscallNumbers[name][abi]).filter((number) => number !== null);
    expect(numbers.length).toBeGreaterThan(30);
    for (const number of numbers)
      expect(action(architecture, { architecture: audit, number, arguments: [] })).toBe(eperm);
  });

  test.for([0n, 1n, 0xdead_beefn, 0xffff_ffffn])(
    "denies TIOCSTI and TIOCLINUX with %s above the request",
    (garbage) => {
      for (const request of deniedRequests) {
        const args = [0n, (garbage << 32n) | BigInt(request)];
        expect(action(architecture, { architecture: audit, number: syscallNumbers.ioctl[abi], arguments: args })).toBe(
          eperm,
        );
      }
    },
  );

  test("allows other requests, also when a denied one stands above them", () => {
    for (const request of [0n, 0x5401n, 0x5413n, 0x5412n << 32n, 0x15412n]) {
      const args = [0x5412n, request, 0x5412n];
      expect(action(architecture, { architecture: audit, number: syscallNumbers.ioctl[abi], arguments: args })).toBe(
        allow,
      );
    }
  });

  test("allows to ask for the personality and to set the default one, nothing else", () => {
    const set = (value: bigint) =>
      action(architecture, { architecture: audit, number: syscallNumbers.personality[abi], arguments: [value] });
    expect([0n, 0xffff_ffffn, 0xffff_ffff_ffff_ffffn].map(set)).toEqual([allow, allow, allow]);
    expect([0x004_0000n, 8n, 0x040_0000n, 0xffff_fffen].map(set)).toEqual([eperm, eperm, eperm, eperm]);
  });

  test("lets -1 through, with which a tracer skips a call", () => {
    expect(action(architecture, { architecture: audit, number: -1, arguments: [] })).toBe(allow);
  });

  test("answers any number and arguments as specified", () => {
    fc.assert(
      fc.property(callsOf(audit), fc.constantFrom(...everyAddition), (call, additions) => {
        expect(action(architecture, call, additions)).toBe(expectedAction(architecture, call, additions));
      }),
      { numRuns: 1000 },
    );
  });

  test.for([
    { additions: [] as readonly FilterAddition[], plain: 11, withArguments: 15 },
    { additions: ["tcp-detours"] as const, plain: 11, withArguments: 16 },
  ])(
    "with $additions runs at most $plain instructions, $withArguments where it looks at arguments",
    ({ additions, plain, withArguments }) => {
      const filter = programFilter("default", architecture, additions);
      const looksAtArguments = describeProgramFilter("default", additions)
        .denied.filter(({ when }) => when.kind !== "always")
        .flatMap(({ syscalls }) => syscalls.map((name): number | null => syscallNumbers[name][abi]));
      for (let number = 0; number <= 600; number++) {
        const { steps } = runFilter(filter, { architecture: audit, number, arguments: [1n, 1n] });
        const most = looksAtArguments.includes(number) ? withArguments : plain;
        expect(steps, `number ${number}`).toBeLessThanOrEqual(most);
      }
    },
  );

  test("denies the detours around Landlock's TCP rights, and nothing beside them", () => {
    const ask = (name: SyscallName, args: readonly bigint[]) => {
      const number = syscallNumbers[name][abi];
      if (number === null) throw new Error(`${abi} has no ${name}`);
      return action(architecture, { architecture: audit, number, arguments: args }, ["tcp-detours"]);
    };
    expect(ask("socket", [2n, 1n, 262n])).toBe(eprotonosupport);
    expect(ask("socket", [10n, 1n, 256n])).toBe(eprotonosupport);
    expect(ask("socket", [43n, 1n, 0n])).toBe(eafnosupport);
    for (const family of [1n, 2n, 10n, 16n]) expect(ask("socket", [family, 1n, 0n])).toBe(allow);
    expect(ask("socket", [2n, 1n, 6n])).toBe(allow);
    const flags = BigInt(fastOpen);
    for (const also of [0n, 0x4000n, 0xdead_0000_0000n]) {
      expect(ask("sendto", [3n, 0n, 1n, flags | also])).toBe(eopnotsupp);
      expect(ask("sendmmsg", [3n, 0n, 1n, flags | also])).toBe(eopnotsupp);
      expect(ask("sendmsg", [3n, 0n, flags | also])).toBe(eopnotsupp);
      expect(ask("sendto", [3n, flags, flags, also])).toBe(allow);
    }
    expect(ask("sendmsg", [3n, 0n, 0x4000n, flags])).toBe(allow);
  });
});

test("x32 calls do not exist: neither with bit 30 nor under their old numbers", () => {
  const numbers = [0, 1, 101, 165, 520, 0x3fff_ffff].map((number) => number + 0x4000_0000);
  for (const number of [...numbers, 512, 521, 547, 0x8000_0000, 0xc000_0065, 0xffff_fffe]) {
    expect(action("x64", { architecture: 0xc000_003e, number, arguments: [] }), String(number)).toBe(enosys);
  }
});

test.for<Architecture>(["x64", "arm64"])(
  "on %s a call from any other architecture kills the process",
  (architecture) => {
    const known = machines.filter((machine) => machine.architecture === architecture).map((machine) => machine.audit);
    const other = fc.nat(0xffff_ffff).filter((audit) => !known.includes(audit));
    fc.assert(
      fc.property(other.chain(callsOf), (call) => {
        expect(action(architecture, call)).toBe(killProcess);
      }),
    );
    const armOrArm64 = architecture === "x64" ? 0xc000_00b7 : 0x4000_0028;
    expect(action(architecture, { architecture: armOrArm64, number: 1, arguments: [] })).toBe(killProcess);
  },
);

test.for<Architecture>(["x64", "arm64"])("the kernel accepts the filter for %s", (architecture) => {
  expect(checkFilter(programFilter("default", architecture)).length).toBeLessThan(150);
  expect(checkFilter(programFilter("default", architecture, ["tcp-detours"])).length).toBeLessThan(200);
});

test("the description names every denied call, its errno, when and why, and survives JSON", () => {
  const description = describeProgramFilter("default");
  expect(JSON.parse(JSON.stringify(description))).toEqual(description);
  expect(description).toMatchObject({ x32: "ENOSYS", otherArchitectures: "kill-process" });
  const names = description.denied.flatMap((denial) => denial.syscalls);
  expect(names.toSorted()).toEqual([...alwaysDenied, "ioctl", "personality"].toSorted());
  for (const denial of description.denied)
    expect(denial).toMatchObject({ errno: "EPERM", because: expect.any(String) });
});

test("the additions are described with their errnos", () => {
  const added = (addition: FilterAddition) =>
    describeProgramFilter("default", [addition])
      .denied.slice(describeProgramFilter("default", []).denied.length)
      .flatMap(({ syscalls, errno }) => syscalls.map((name) => `${name} ${errno}`));
  expect(added("io-uring")).toEqual(["io_uring_setup ENOSYS"]);
  expect(new Set(added("tcp-detours"))).toEqual(
    new Set([
      ...["socket EPROTONOSUPPORT", "socket EAFNOSUPPORT", "sendto EOPNOTSUPP", "sendmmsg EOPNOTSUPP"],
      ...["sendmsg EOPNOTSUPP", "socketcall EPERM", "io_uring_setup ENOSYS"],
    ]),
  );
});

test("every number of the table is of some use", () => {
  const used = [...describeProgramFilter("strict", ["tcp-detours"]).denied, ...bridgeDenials];
  const names = new Set([...used.flatMap(({ syscalls }) => syscalls), ...triedCalls]);
  expect(Object.keys(syscallNumbers).toSorted()).toEqual([...names].toSorted());
});

/** Calls that hit a named number, an edge or a denied argument much more often than chance would. */
function callsOf(audit: number): fc.Arbitrary<SystemCall> {
  const named = Object.values(syscallNumbers).flatMap((numbers) =>
    Object.values(numbers).filter((one) => one !== null),
  );
  const telling = [
    ...deniedRequests,
    ...allowedPersonalities,
    fastOpen,
    fastOpen | 0x4000,
    256,
    262,
    43,
    1,
    11,
    16,
    20,
  ];
  const low = fc.oneof(fc.constantFrom(...telling), fc.nat(0xffff_ffff));
  const argument = fc.tuple(low, fc.nat(0xffff_ffff)).map(([word, high]) => (BigInt(high) << 32n) | BigInt(word));
  return fc.record({
    architecture: fc.constant(audit),
    number: fc.oneof(
      fc.constantFrom(...named),
      fc.constantFrom(...named).map((number) => number + 0x4000_0000),
      fc.constantFrom(511, 512, 547, 548, 0x3fff_ffff, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, -1),
      fc.nat(0xffff_ffff),
    ),
    arguments: fc.array(argument, { maxLength: 6 }),
  });
}
