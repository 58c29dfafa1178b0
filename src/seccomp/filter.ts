/**
 * Makes a seccomp filter from tables of denials.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: what the tables list is denied by every entrance that is given; all else is allowed; a call through any
 *           other entrance kills the process.
 * Source:   https://docs.kernel.org/userspace-api/seccomp_filter.html, seccomp(2)
 */
import { bug, unreachable } from "../base/errors.ts";
import { assemble, type Decision } from "./bpf.ts";
import { type Condition, type Denial, errnos, type NamedValues } from "./denials.ts";
import { type NumberRange, searchNumber } from "./number-search.ts";
import { type Abi, type SyscallName, syscallNumbers } from "./syscalls.ts";

export type Architecture = "x64" | "arm64";

/** struct seccomp_data. Of an argument only the low half is ever read; the machine is little-endian. */
const offsets = { number: 0, architecture: 4, argument: (index: number) => 16 + 8 * index };

const allow: Decision = { kind: "answer", action: 0x7fff_0000 }; // SECCOMP_RET_ALLOW
const killProcess: Decision = { kind: "answer", action: 0x8000_0000 }; // SECCOMP_RET_KILL_PROCESS
/** One for each errno, so that the filter holds it once. */
const answers: ReadonlyMap<string, Decision> = new Map(
  Object.entries(errnos).map(([name, errno]) => [name, { kind: "answer", action: 0x0005_0000 + errno }]), // SECCOMP_RET_ERRNO
);

/** One way into the kernel, as the `arch` of struct seccomp_data tells it. */
export interface Entrance {
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
  { first: 512, last: 547, decision: answer("ENOSYS") },
  { first: 0x4000_0000, last: 0xffff_fffe, decision: answer("ENOSYS") },
];

/** What the machine's own programs use. */
export const nativeEntrance: Readonly<Record<Architecture, Entrance>> = {
  x64: { auditArchitecture: 0xc000_003e, abi: "x86_64", absent: x32 }, // AUDIT_ARCH_X86_64
  arm64: { auditArchitecture: 0xc000_00b7, abi: "aarch64", absent: [] }, // AUDIT_ARCH_AARCH64
};

export const i386Entrance: Entrance = { auditArchitecture: 0x4000_0003, abi: "i386", absent: [] }; // AUDIT_ARCH_I386

/** The bytes that struct sock_fprog points to. Of two denials that match a call the first one answers. */
export function makeFilter(entrances: readonly Entrance[], denials: readonly Denial[]): Uint8Array {
  const decisions = decisionsOf(denials);
  const decision = entrances.reduceRight<Decision>(
    (others, { auditArchitecture, abi, absent }) => ({
      kind: "branch",
      test: "equal",
      value: auditArchitecture,
      yes: load(offsets.number, searchNumber([...deniedNumbers(decisions, abi), ...absent], allow)),
      no: others,
    }),
    killProcess,
  );
  return assemble(load(offsets.architecture, decision));
}

/** What to do about each call; calls with the same denials share their decision. */
function decisionsOf(denials: readonly Denial[]): ReadonlyMap<SyscallName, Decision> {
  const shared = new Map<string, Decision>();
  const names = new Set(denials.flatMap(({ syscalls }) => syscalls));
  return new Map(
    [...names].map((name) => {
      const matching = denials.flatMap((denial, index) => (denial.syscalls.includes(name) ? [{ denial, index }] : []));
      const key = matching.map(({ index }) => index).join();
      const decision =
        shared.get(key) ?? matching.reduceRight((others, { denial }) => decide(denial, others), allow as Decision);
      shared.set(key, decision);
      return [name, decision];
    }),
  );
}

function deniedNumbers(decisions: ReadonlyMap<SyscallName, Decision>, abi: Abi): readonly NumberRange[] {
  return [...decisions].flatMap(([name, decision]) => {
    const number = syscallNumbers[name][abi];
    return number === null ? [] : [{ first: number, last: number, decision }];
  });
}

function decide({ when, errno }: Denial, otherwise: Decision): Decision {
  return decideBy(when, answer(errno), otherwise);
}

function decideBy(when: Condition, yes: Decision, no: Decision): Decision {
  switch (when.kind) {
    case "always":
      return yes;
    case "argument-is":
      return loadArgument(when, oneOf("equal", when.values, yes, no));
    case "argument-is-not":
      return loadArgument(when, oneOf("equal", when.values, no, yes));
    case "argument-has":
      return loadArgument(when, oneOf("any-bit", when.values, yes, no));
    case "argument-lacks":
      return loadArgument(when, oneOf("any-bit", when.values, no, yes));
    case "all-of":
      return when.conditions.reduceRight((others, condition) => decideBy(condition, others, no), yes);
    default:
      return unreachable(when);
  }
}

function loadArgument({ argument }: { readonly argument: number }, next: Decision): Decision {
  return load(offsets.argument(argument), next);
}

function oneOf(test: "equal" | "any-bit", values: NamedValues, yes: Decision, no: Decision): Decision {
  return Object.values(values).reduceRight<Decision>(
    (others, value) => ({ kind: "branch", test, value, yes, no: others }),
    no,
  );
}

function load(offset: number, next: Decision): Decision {
  return { kind: "load", offset, next };
}

function answer(errno: keyof typeof errnos): Decision {
  const found = answers.get(errno);
  if (found === undefined) throw bug(`there is no answer for ${errno}`);
  return found;
}
