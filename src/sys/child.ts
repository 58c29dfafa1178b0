/**
 * The door to child processes that are started for their answer: asked, waited for, gone.
 *
 * Runs:     host.
 * Promises: an empty environment unless one is given; no descriptor but those named; bounded time and output; when the
 *           answer is there the child has ended.
 * Source:   https://nodejs.org/api/child_process.html
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import type { Readable } from "node:stream";

export interface ChildRequest {
  /** Absolute: nothing is searched for. */
  readonly file: string;
  readonly args: readonly string[];
  /** Whether descriptor 3 is a pipe that is read as well. */
  readonly readsStatus?: boolean;
  readonly timeoutMs: number;
}

export type ChildOutcome =
  | {
      readonly kind: "ended";
      /** null: a signal ended it. */
      readonly status: number | null;
      readonly signal: string | null;
      readonly stdout: string;
      readonly stderr: string;
      /** Of descriptor 3. */
      readonly report: string;
    }
  /** It was killed because its time was over. */
  | { readonly kind: "timed-out"; readonly timeoutMs: number }
  /** The symbolic errno of execve(2) or fork(2). */
  | { readonly kind: "not-started"; readonly errno: string };

export type RunChild = (request: ChildRequest) => Promise<ChildOutcome>;

/** More output of one descriptor is read and dropped. */
const longestOutput = 64 * 1024;

export const runChild: RunChild = (request) =>
  new Promise((settle) => {
    const notStarted = ({ code = "unknown" }: NodeJS.ErrnoException) => settle({ kind: "not-started", errno: code });
    try {
      const child = start(request);
      child.once("error", notStarted);
      outcomeOf(child, request.timeoutMs).then(settle);
    } catch (thrown) {
      notStarted(thrown as NodeJS.ErrnoException); // Node throws some errnos, and emits others
    }
  });

function start({ file, args, readsStatus = false }: ChildRequest): ChildProcess {
  const stdio: StdioOptions = ["ignore", "pipe", "pipe", readsStatus ? "pipe" : "ignore"];
  return spawn(file, args, { env: {}, cwd: "/", stdio });
}

/** Settles when the child has ended; never when it was not started. */
function outcomeOf(child: ChildProcess, timeoutMs: number): Promise<ChildOutcome> {
  const streams = child.stdio.slice(1).filter((stream) => stream !== null) as Readable[];
  const [stdout, stderr, report] = streams.map(collected);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
    // Whoever inherited a pipe from it does not keep us waiting.
    for (const stream of streams) stream.destroy();
  }, timeoutMs);
  child.once("error", () => clearTimeout(timer));
  return new Promise((settle) => {
    child.once("close", (status, signal) => {
      clearTimeout(timer);
      if (timedOut) return settle({ kind: "timed-out", timeoutMs });
      const texts = { stdout: stdout?.() ?? "", stderr: stderr?.() ?? "", report: report?.() ?? "" };
      settle({ kind: "ended", status, signal, ...texts });
    });
  });
}

/** The beginning of what comes. */
function collected(stream: Readable): () => string {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on("data", (chunk: Buffer) => {
    if (length < longestOutput) chunks.push(chunk.subarray(0, longestOutput - length));
    length += chunk.length;
  });
  return () => Buffer.concat(chunks).toString("utf8");
}
