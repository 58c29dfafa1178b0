/**
 * Runs a command to its end and keeps what it writes.
 *
 * Runs:     in the user's own Node.
 * Promises: bounded: a program that writes too much is ended; settles when nothing of the command is left.
 * Source:   docs/library.md
 */
import type { Readable } from "node:stream";
import { type ExitStatus, neverLaunched, type RunningCommand } from "./command.ts";
import { FenceError } from "./fence-error.ts";
import type { RunOptions, SpawnOptions } from "./options.ts";

/** What `run()` gives. */
export interface RunResult<Output extends string | Buffer = string> extends ExitStatus {
  readonly stdout: Output;
  readonly stderr: Output;
}

const defaultMaxOutputBytes = 16 << 20;

/** `spawn` starts the command with the options for it. */
export async function runToEnd(
  options: RunOptions,
  spawn: (options: SpawnOptions) => RunningCommand,
): Promise<RunResult<string | Buffer>> {
  const { input, encoding = "utf8", maxOutputBytes = defaultMaxOutputBytes, timeoutMs, signal, ...others } = options;
  const limit = timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)];
  const ends = [...(signal === undefined ? [] : [signal]), ...limit];
  for (const each of ends) each.throwIfAborted();
  const command = spawn({
    ...others,
    ...(ends.length > 0 && { signal: AbortSignal.any(ends) }),
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  command.stdin?.on("error", () => {}).end(input); // a program need not read all that it is given
  const output = [command.stdout, command.stderr].map(
    (stream) => new Output(stream, maxOutputBytes, () => command.kill("SIGKILL")),
  );
  await command.closed;
  const how = await command.exit.catch((error: unknown) => {
    throw withMessage(error, output[1]);
  });
  const [stdout, stderr] = output.map((each) => each.whole());
  const given = (bytes: Buffer = Buffer.alloc(0)) => (encoding === "buffer" ? bytes : bytes.toString("utf8"));
  return { ...how, stdout: given(stdout), stderr: given(stderr) };
}

/** A process that was never launched has said why on its standard error, which nobody else reads here. */
function withMessage(error: unknown, stderr: Output | undefined): unknown {
  if (!(error instanceof FenceError) || error.step !== neverLaunched || stderr === undefined) return error;
  const said = stderr.beginning().trim();
  return new FenceError(error.code, error.message, { step: neverLaunched, hint: `it said: ${said}` });
}

class Output {
  readonly #chunks: Buffer[] = [];
  readonly #maxBytes: number;
  #length = 0;

  constructor(stream: Readable | null, maxBytes: number, tooMuch: () => void) {
    this.#maxBytes = maxBytes;
    stream?.on("data", (bytes: Buffer) => {
      this.#length += bytes.length;
      if (this.#length <= maxBytes) this.#chunks.push(bytes);
      else tooMuch();
    });
  }

  beginning(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }

  /** Throws FENCE_OUTPUT. */
  whole(): Buffer {
    if (this.#length <= this.#maxBytes) return Buffer.concat(this.#chunks);
    throw new FenceError("FENCE_OUTPUT", `the command wrote more than ${this.#maxBytes} bytes`, {
      step: "read-output",
      hint: "raise maxOutputBytes, or read the streams of spawn()",
    });
  }
}
