/**
 * Describes what Landlock really does to the program, for the status report.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: names every right that is gone, and what stays possible although it may look denied.
 */
import { newestAbi, type RightName, rightOf } from "./abi.ts";
import { type Erratum, openErrata } from "./errata.ts";
import type { OptionName } from "./options.ts";
import type { LandlockMode, MissingRight, RulesetChoice } from "./ruleset.ts";

/** They stay the same when the words change. */
export const noteIds = [
  ...(["renames", "mounts", "unix-sockets", "signals", "tcp-only", "tcp-detours", "listen", "newer-abi"] as const),
] as const;

export interface Note {
  readonly id: (typeof noteIds)[number];
  readonly says: string;
}

export interface LandlockReport {
  readonly mode: LandlockMode;
  /** The kernel's ABI, 0 when it has no Landlock. */
  readonly abi: number;
  readonly enforced: boolean;
  /** Denied unless a rule allows it. */
  readonly handled: readonly RightName[];
  /** Asked to be denied, but allowed; or asked of the audit log, which stays as it is. */
  readonly dropped: readonly MissingRight[];
  /** Asked to be allowed, but denied. */
  readonly unavailable: readonly MissingRight[];
  readonly notes: readonly Note[];
  /** Known faults that this kernel has not fixed. */
  readonly errata: readonly Erratum[];
}

/**
 * `errataBitmap` is landlockErrata()'s answer. `detours`: whether the program's seccomp filter denies what passes the TCP
 * rights by.
 */
export function describeLandlock(
  choice: RulesetChoice,
  errataBitmap: number,
  detours: "denied" | "open" = "open",
): LandlockReport {
  const { mode, abi, dropped, unavailable } = choice;
  const handled = choice.kind === "ruleset" ? choice.handled : [];
  const notes = mode === "off" ? [] : [...notesOn(choice, handled), ...portNotes(handled, detours), ...abiNotes(abi)];
  const errata = openErrata(errataBitmap, abi);
  return { mode, abi, enforced: choice.kind === "ruleset", handled, dropped, unavailable, notes, errata };
}

/** On files, Unix sockets and signals. */
function notesOn({ abi, unavailable }: RulesetChoice, handled: readonly RightName[]): readonly Note[] {
  const notes: Note[] = [];
  const add = (id: Note["id"], says: string) => notes.push({ id, says });
  const when = (right: RightName, option: OptionName) => {
    const { firstAbi } = rightOf(right);
    return abi < firstAbi ? `below ABI ${firstAbi}` : `without ${option}`;
  };

  if (unavailable.some(({ right }) => right === "REFER")) {
    add("renames", `${when("REFER", "--rw")} no file can be renamed or linked into another directory`);
  }
  if (handled.some((right) => rightOf(right).kind === "fs")) {
    add("mounts", "the program cannot mount: a sandbox inside the sandbox fails with EPERM");
  }
  if (!handled.includes("RESOLVE_UNIX")) {
    const what = "the program can connect to Unix sockets that it can see";
    add("unix-sockets", `${when("RESOLVE_UNIX", "--unix")} ${what}; what listens there acts with its own rights`);
  }
  if (!handled.includes("SIGNAL")) {
    const what = "the program can signal processes of its user that it can see";
    add("signals", `${when("SIGNAL", "--scope signal")} ${what}, those of fence too`);
  }
  return notes;
}

function portNotes(handled: readonly RightName[], detours: "denied" | "open"): readonly Note[] {
  if (!handled.includes("CONNECT_TCP")) return [];
  const others = handled.includes("CONNECT_SEND_UDP") ? "SCTP and other protocols" : "UDP, SCTP and other protocols";
  const detour = "Multipath TCP and SMC, and on kernels before 7.2 TCP Fast Open, pass the TCP rights by";
  return [
    { id: "tcp-only", says: `the TCP rights do not concern ${others}` },
    ...(detours === "denied" ? [] : [{ id: "tcp-detours", says: `${detour}: --seccomp=default denies them` } as const]),
    { id: "listen", says: "listen(2) without bind(2) takes a free port that the kernel chooses" },
  ];
}

function abiNotes(abi: number): readonly Note[] {
  if (abi <= newestAbi) return [];
  const says = `this kernel has ABI ${abi}, of which fence knows what came up to ABI ${newestAbi}`;
  return [{ id: "newer-abi", says }];
}
