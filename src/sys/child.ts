/**
 * The door to child processes that are started for their answer: asked, waited for, gone.
 *
 * Runs:     host.
 * Promises: an empty environment; no descriptor but those named; bounded time and output; when the answer is there the
 *           child has ended, and so has what it left in its process group with hold of its output.
 * Source:   https://nodejs.org/api/child_process.html
 */
import type { ChildProcess, StdioOptions } from "node:child_process";
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
/** How long others may hold the output of a child that has ended. */
const lingerMs = 1000;

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
  // Loaded here: most launches ask no child, and it takes 4 ms with what it needs.
  const { spawn } = process.getBuiltinModule("node:child_process");
  // In a process group of its own, which can be ended as a whole.
  return spawn(file, args, { env: {}, cwd: "/", stdio, detached: true });
}

/** Settles when the child has ended; never when it was not started. */
function outcomeOf(child: ChildProcess, timeoutMs: number): Promise<ChildOutcome> {
  const streams = child.stdio.slice(1).filter((stream) => stream !== null) as Readable[];
  const [stdout, stderr, report] = streams.map(collected);
  const end = () => {
    endGroup(child);
    // Whoever else has the other end of a pipe does not keep us waiting.
    for (const stream of streams) stream.destroy();
  };
  let timedOut = false;
  let timer = setTimeout(() => {
    timedOut = true;
    end();
  }, timeoutMs);
  child.once("error", () => clearTimeout(timer));
  child.once("exit", () => {
    clearTimeout(timer);
    // As bwrap does it: when it may not drop its capabilities it ends, and its child waits for it for ever.
    timer = setTimeout(end, lingerMs);
  });
  return new Promise((settle) => {
    child.once("close", (status, signal) => {
      clearTimeout(timer);
      if (timedOut) return settle({ kind: "timed-out", timeoutMs });
      const texts = { stdout: stdout?.() ?? "", stderr: stderr?.() ?? "", report: report?.() ?? "" };
      settle({ kind: "ended", status, signal, ...texts });
    });
  });
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left in it, or it is another user's: a set-user-ID bwrap ends with its parent.
  }
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
