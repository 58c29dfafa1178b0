/**
 * Finds out by trying which namespaces bwrap can make here.
 *
 * Runs:     host.
 * Promises: one start when everything works; otherwise layer after layer, each added to what has worked, so that what is
 *           kept has worked together. Nothing is left behind: a try shows bwrap its own version and ends.
 * Source:   docs/check.md
 */
import { unreachable } from "../base/errors.ts";
import { type NamespaceLayer, type Namespaces, namespaceArgs, namespaceLayers, procArgs } from "../plan/namespaces.ts";
import type { RunChild } from "../sys/child.ts";
import type { BwrapFile } from "./bwrap.ts";
import { type BwrapFailure, type FailureGround, type RecognisedFailure, recogniseFailure } from "./bwrap-failure.ts";

/** What went wrong with one try; null: nothing. */
export type TryStart = (namespaces: Namespaces) => Promise<RecognisedFailure | null>;

export interface NamespaceFindings {
  /** What works together. null: bwrap does not start at all, not even without namespaces. */
  readonly works: Namespaces | null;
  /** Why the others do not. */
  readonly failures: ReadonlyMap<NamespaceLayer, RecognisedFailure>;
  /** Why there is no new /proc; null: there is one, or nobody asked. */
  readonly procFailure: RecognisedFailure | null;
  /** Why nothing works; null: something does. */
  readonly startFailure: RecognisedFailure | null;
}

const timeoutMs = 10_000;

/** One start of bwrap with the whole host inside, read-only. `ground` is asked only after a failure. */
export function tryStarts(bwrap: BwrapFile, run: RunChild, ground: () => FailureGround): TryStart {
  let hung: RecognisedFailure | null = null;
  return async (namespaces) => {
    if (hung !== null) return hung; // the next would take as long
    const root = ["--ro-bind", "/", "/", "--dev", "/dev", ...procArgs(namespaces)];
    // bwrap is the one program that is there for sure, whatever the distribution.
    const args = [...namespaceArgs(namespaces, false), ...root, "--", bwrap.path, "--version"];
    const outcome = await run({ file: bwrap.path, args, timeoutMs });
    const recognise = (failure: BwrapFailure) => recogniseFailure(failure, ground());
    const failed = (stderr: string) => recognise({ stderr, status: null, signal: null });
    switch (outcome.kind) {
      case "ended":
        if (outcome.status === 0 && outcome.stdout.startsWith("bubblewrap ")) return null;
        return recognise(outcome);
      case "timed-out":
        hung = failed(`bwrap: no answer within ${outcome.timeoutMs} ms`);
        return hung;
      case "not-started":
        return failed(`bwrap: execve: ${outcome.errno}`);
      default:
        return unreachable(outcome);
    }
  };
}

/** Everything that `wanted` names at once, and one by one only when that fails. */
export async function findNamespaces(wanted: Namespaces, start: TryStart): Promise<NamespaceFindings> {
  const atOnce = await start(wanted);
  if (atOnce === null) return { works: wanted, failures: new Map(), procFailure: null, startFailure: null };
  return oneByOne(wanted, start, atOnce);
}

async function oneByOne(wanted: Namespaces, start: TryStart, atOnce: RecognisedFailure): Promise<NamespaceFindings> {
  const failures = new Map<NamespaceLayer, RecognisedFailure>();
  let works: Namespaces | null = null;
  let procFailure: RecognisedFailure | null = null;
  for (const layer of namespaceLayers.filter((each) => wanted.layers.has(each))) {
    const userFailure = failures.get("user");
    if (layer === "nested-user" && userFailure !== undefined) {
      failures.set(layer, userFailure); // bwrap: --disable-userns requires --unshare-user
      continue;
    }
    const { found, failure }: Tried = await firstThatStarts(candidates(layer, works), start);
    if (found === null) failures.set(layer, failure ?? atOnce);
    else if (layer === "pid") procFailure = failure;
    works = found ?? works;
  }
  if (works !== null) return { works, failures, procFailure, startFailure: null };
  const none: Namespaces = { layers: new Set(), proc: "host" };
  const startFailure = await start(none);
  if (startFailure === null) return { works: none, failures, procFailure, startFailure };
  // What the first layer failed with says more than what is left when all are gone.
  return { works, failures, procFailure, startFailure: failures.values().next().value ?? startFailure };
}

interface Tried {
  readonly found: Namespaces | null;
  /** Of the first candidate that did not start. */
  readonly failure: RecognisedFailure | null;
}

/** The layer added to what works, at its best first. */
function candidates(layer: NamespaceLayer, works: Namespaces | null): readonly Namespaces[] {
  const layers = new Set<NamespaceLayer>([...(works?.layers ?? []), layer]);
  const procs = layer === "pid" ? (["own", "host"] as const) : [works?.proc ?? "host"];
  return procs.map((proc) => ({ layers, proc }));
}

async function firstThatStarts(tries: readonly Namespaces[], start: TryStart): Promise<Tried> {
  let first: RecognisedFailure | null = null;
  for (const namespaces of tries) {
    const failure = await start(namespaces);
    if (failure === null) return { found: namespaces, failure: first };
    first ??= failure;
  }
  return { found: null, failure: first };
}
