/**
 * What bwrap's messages mean, and what helps.
 *
 * Runs:     host, once bwrap has failed. Pure.
 * Promises: every failure has a message, which quotes what bwrap said, and a remedy; what is not known is said to be so.
 * Source:   docs/check.md lists the same failures, with where each was seen; tests bring most of them about
 */
import { FenceError } from "../base/errors.ts";
import { quotedUpTo } from "../base/quote.ts";
import type { IsolationLayer } from "../plan/policy.ts";
import { knownFailures } from "./bwrap-failures.ts";
import type { Ground } from "./capabilities-ground.ts";

export interface BwrapFailure {
  readonly stderr: string;
  /** null: a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
}

/** What of the ground decides between causes that share a message. */
export type FailureGround = Pick<
  Ground,
  | "uid"
  | "mayMapRoot"
  | "filtered"
  | "container"
  | "apparmorRestrictsUserns"
  | "unprivilegedUserns"
  | "maxUserNamespaces"
  | "mountMax"
> & {
  /** Of the bwrap that failed. */
  readonly setUserId: boolean;
};

export interface RecognisedFailure {
  /** Stays the same when the words change. */
  readonly id: string;
  /** Which layer would have to be left out; null: leaving layers out does not help. */
  readonly layer: IsolationLayer | null;
  /** The cause. */
  readonly says: string;
  /** In the order in which they are best tried. */
  readonly remedies: readonly string[];
  /** The line of bwrap's. */
  readonly quote: string;
}

export function recogniseFailure(failure: BwrapFailure, ground: FailureGround): RecognisedFailure {
  const quote = messageOf(failure);
  for (const { id, layer, pattern, when, says, remedies } of knownFailures()) {
    const match = pattern.exec(quote);
    if (match === null || when?.(ground) === false) continue;
    const details = match.groups ?? {};
    return { id, layer, says: says(details, ground), remedies: remedies(details, ground), quote };
  }
  return {
    id: "unknown",
    layer: "user",
    says: "bwrap failed for a reason that fence does not know",
    remedies: ["see what `fence check` says", "bwrap(1) and https://github.com/containers/bubblewrap/issues may know"],
    quote,
  };
}

/** Throw it. */
export function explainBwrapFailure(failure: BwrapFailure, ground: FailureGround): FenceError {
  return failureError(recogniseFailure(failure, ground));
}

export function failureError({ says, remedies, quote }: RecognisedFailure): FenceError {
  return new FenceError("FENCE_BWRAP", `bwrap cannot start the sandbox: ${says} (${quote})`, {
    step: "start-bwrap",
    hint: remedies.join("; or "),
  });
}

const longestQuote = 300;

/** The last line that is bwrap's own, or the dynamic loader's of it; what a signal did when there is none. */
function messageOf({ stderr, status, signal }: BwrapFailure): string {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const line = lines.findLast((each) => /^\S*bwrap: /.test(each)) ?? lines.at(-1);
  if (line !== undefined) return quotedUpTo(longestQuote, line.trim()).slice(1, -1).replaceAll('\\"', '"');
  if (signal !== null) return `ended by ${signal}`;
  // Of the process that becomes the program bwrap says it as a shell does.
  const number = (status ?? 0) - 128;
  return number > 0 ? `ended by ${signalNames[number] ?? `signal ${number}`}` : "it said nothing";
}

const signalNames: Readonly<Record<number, string>> = { 9: "SIGKILL", 31: "SIGSYS" };
