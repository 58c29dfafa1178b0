/**
 * Tries Landlock and the seccomp filter: fence restricts a child of its own as it restricts programs, with --verify.
 *
 * Runs:     host.
 * Promises: no kernel version is asked: what is reported was enforced and has proved itself in that child.
 * Source:   docs/verify.md, docs/status.md
 */
import type { HostPath } from "../base/paths.ts";
import { newestAbi, rights } from "../landlock/abi.ts";
import { areaRights, optionNeeds } from "../landlock/options.ts";
import type { Capability } from "../plan/check-report.ts";
import { layerPurposes, missingUnderBwrap, weakerUnderBwrap } from "../plan/isolation.ts";
import type { ChildOutcome, RunChild } from "../sys/child.ts";

const timeoutMs = 20_000;
const statusFd = 3;
const filesNeed = optionNeeds["--ro"];

/** `executable`: fence itself. Both are tried at once, each alone, so that one cannot hide the other. */
export function tryRestrictions(doors: {
  readonly run: RunChild;
  readonly executable: HostPath;
}): Promise<readonly Capability[]> {
  const { run, executable } = doors;
  const restricted = async (...options: readonly string[]) =>
    outcomeOf(
      await run({
        file: executable,
        args: ["bootstrap", "--verify", "--status-fd", `${statusFd}`, ...options, "--", executable, "--version"],
        readsStatus: true,
        timeoutMs,
      }),
    );
  // To run it needs itself and the memory files that /proc names. It may write to itself, so that nobody tries to.
  const files = ["--rwx", executable, "--ro", "/proc"];
  const others = ["--connect-tcp", "9", "--scope", "signal", "--scope", "abstract-unix"];
  return Promise.all([
    restricted("--seccomp=off", "--landlock=best-effort", ...files, ...others).then(landlock),
    restricted("--seccomp=default").then(seccomp),
  ]);
}

type Restricted =
  /** It was restricted, and that proved itself. `landlock` is of the report. */
  | { readonly kind: "proved"; readonly abi: number; readonly errata: readonly string[] }
  | { readonly kind: "failed"; readonly says: string; readonly hint: string | null };

function landlock(tried: Restricted): Capability {
  const what = { id: "landlock", purpose: layerPurposes.landlock } as const;
  if (tried.kind === "failed") return failed(what, tried);
  const { abi, errata } = tried;
  const remedies = [`use Linux ${filesNeed.linux} or newer with landlock in its lsm= list`];
  if (abi <= 0) {
    const says = `this kernel has no Landlock, or it is not in its lsm= list: ${missingUnderBwrap.landlock}`;
    return { ...what, state: "missing", says, remedies };
  }
  const known = abi > newestAbi ? `, of which fence knows ${newestAbi}` : "";
  const faults = errata.length === 0 ? "" : `; not fixed in this kernel: ${errata.join("; ")}`;
  const says = `ABI ${abi}${known}: ${areasOf(abi)}${faults}`;
  if (abi >= filesNeed.abi) return { ...what, state: "ok", says, remedies: [] };
  const without = areaRights.files.filter((name) =>
    rights.some((right) => right.name === name && right.firstAbi > abi),
  );
  return { ...what, state: "weaker", says: `${says}; ${weakerUnderBwrap.landlock}: ${without.join(", ")}`, remedies };
}

function seccomp(tried: Restricted): Capability {
  const what = { id: "seccomp", purpose: layerPurposes.seccomp } as const;
  return tried.kind === "failed" ? failed(what, tried) : { ...what, state: "ok", says: null, remedies: [] };
}

function failed(
  what: Pick<Capability, "id" | "purpose">,
  { says, hint }: Extract<Restricted, { readonly kind: "failed" }>,
): Capability {
  return { ...what, state: "missing", says, remedies: hint === null ? [] : [hint] };
}

/** What the ABI can deny, in words. */
function areasOf(abi: number): string {
  const areas = [
    ["files", "files"],
    ["tcp", "TCP ports"],
    ["signal", "signals"],
    ["abstract-unix", "abstract Unix sockets"],
    ["unix-sockets", "Unix sockets"],
    ["udp", "UDP ports"],
  ] as const;
  const has = (area: (typeof areas)[number][0]) =>
    areaRights[area].some((name) => rights.some((right) => right.name === name && right.firstAbi <= abi));
  return areas.flatMap(([area, words]) => (has(area) ? [words] : [])).join(", ");
}

/** The status report is our own, of the same build: what does not look like one is a failure. */
function outcomeOf(outcome: ChildOutcome): Restricted {
  switch (outcome.kind) {
    case "not-started":
      return { kind: "failed", says: `fence cannot start itself: execve: ${outcome.errno}`, hint: null };
    case "timed-out":
      return { kind: "failed", says: `no answer within ${outcome.timeoutMs} ms`, hint: null };
    default:
      return readReport(outcome.report) ?? { kind: "failed", says: withoutReport(outcome), hint: null };
  }
}

function withoutReport({ stderr, signal, status }: Extract<ChildOutcome, { readonly kind: "ended" }>): string {
  const [line = ""] = stderr.split("\n");
  return line === "" ? `it ended without a report, ${signal ?? `with status ${status}`}` : line;
}

function readReport(report: string): Restricted | null {
  // Without what follows the last line end: a line that a killed child could not finish.
  for (const line of report.split("\n").slice(0, -1)) {
    const event = JSON.parse(line) as ReportLine;
    if (event.event === "failed") return { kind: "failed", says: event.message ?? "", hint: event.hint ?? null };
    if (event.event !== "ready") continue;
    const { abi = 0, errata = [] } = event.isolation?.landlock ?? {};
    return { kind: "proved", abi, errata: errata.map(({ says }) => says) };
  }
  return null;
}

/** What is read of StatusEvent. */
interface ReportLine {
  readonly event?: string;
  readonly message?: string;
  readonly hint?: string | null;
  readonly isolation?: {
    readonly landlock?: { readonly abi?: number; readonly errata?: readonly { readonly says: string }[] };
  };
}
