/**
 * The seccomp filter that the program gets by default.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: what denials.ts lists is denied by every way into the kernel that the machine has; all else is allowed.
 * Source:   https://docs.kernel.org/userspace-api/seccomp_filter.html, seccomp(2)
 */
import { unreachable } from "../base/errors.ts";
import { assemble, type Decision } from "./bpf.ts";
import { type Condition, denials } from "./denials.ts";
import { type NumberRange, searchNumber } from "./number-search.ts";
import { type Abi, syscallNumbers } from "./syscalls.ts";

export type Architecture = "x64" | "arm64";

/** struct seccomp_data. Of an argument only the low half is ever read; the machine is little-endian. */
const offsets = { number: 0, architecture: 4, argument: (index: number) => 16 + 8 * index };

const allow: Decision = { kind: "answer", action: 0x7fff_0000 }; // SECCOMP_RET_ALLOW
const killProcess: Decision = { kind: "answer", action: 0x8000_0000 }; // SECCOMP_RET_KILL_PROCESS
const denied: Decision = { kind: "answer", action: 0x0005_0001 }; // SECCOMP_RET_ERRNO with EPERM
const noSuchCall: Decision = { kind: "answer", action: 0x0005_0026 }; // SECCOMP_RET_ERRNO with ENOSYS

/** One way into the kernel, as the `arch` of struct seccomp_data tells it. */
interface Entrance {
  readonly auditArchitecture: number;
  readonly abi: Abi;
  /** Numbers that answer as if the kernel did not know them. */
  readonly absent: readonly NumberRange[];
}

/**
 * x32 has the architecture of x86_64 and bit 30 of the number set; before Linux 5.4 its own numbers, 512 to 547, also
 * worked without that bit. -1 is no call: a tracer sets it to answer in the kernel's place, and an errno would
 * overwrite its answer.
 */
const x32: readonly NumberRange[] = [
  { first: 512, last: 547, decision: noSuchCall },
  { first: 0x4000_0000, last: 0xffff_fffe, decision: noSuchCall },
];

const entrances: Readonly<Record<Architecture, readonly Entrance[]>> = {
  x64: [
    { auditArchitecture: 0xc000_003e, abi: "x86_64", absent: x32 }, // AUDIT_ARCH_X86_64
    { auditArchitecture: 0x4000_0003, abi: "i386", absent: [] }, // AUDIT_ARCH_I386
  ],
  arm64: [{ auditArchitecture: 0xc000_00b7, abi: "aarch64", absent: [] }], // AUDIT_ARCH_AARCH64
};

/** The bytes that struct sock_fprog points to. */
export function defaultFilter(architecture: Architecture): Uint8Array {
  const decision = entrances[architecture].reduceRight<Decision>(
    (others, { auditArchitecture, abi, absent }) => ({
      kind: "branch",
      test: "equal",
      value: auditArchitecture,
      yes: load(offsets.number, searchNumber([...deniedNumbers(abi), ...absent], allow)),
      no: others,
    }),
    killProcess,
  );
  return assemble(load(offsets.architecture, decision));
}

/** What the default filter does, for reports. */
export function describeDefaultFilter() {
  return {
    denied: denials.map((denial) => ({ ...denial, errno: "EPERM" as const })),
    x32: "ENOSYS",
    otherArchitectures: "kill-process",
  } as const;
}

function deniedNumbers(abi: Abi): readonly NumberRange[] {
  return denials.flatMap(({ syscalls, when }) => {
    const decision = decide(when);
    return syscalls.flatMap((name) => {
      const number = syscallNumbers[name][abi];
      return number === null ? [] : [{ first: number, last: number, decision }];
    });
  });
}

function decide(when: Condition): Decision {
  switch (when.kind) {
    case "always":
      return denied;
    case "argument-is":
      return load(offsets.argument(when.argument), oneOf(Object.values(when.values), denied, allow));
    case "argument-is-not":
      return load(offsets.argument(when.argument), oneOf(Object.values(when.values), allow, denied));
    default:
      return unreachable(when);
  }
}

function oneOf(values: readonly number[], yes: Decision, no: Decision): Decision {
  return values.reduceRight<Decision>(
    (others, value) => ({ kind: "branch", test: "equal", value, yes, no: others }),
    no,
  );
}

function load(offset: number, next: Decision): Decision {
  return { kind: "load", offset, next };
}
