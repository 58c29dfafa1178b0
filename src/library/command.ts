/**
 * A command in a sandbox: a child process, and what the service says about it.
 *
 * Runs:     in the user's own Node.
 * Promises: how it ended is known only when both its process and the service have said so; a program that was not started
 *           is an error, never an exit status.
 * Source:   docs/library.md
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { PublishedPort, ServiceEvent } from "../base/service-protocol.ts";
import { errorOf, FenceError } from "./fence-error.ts";
import type { SpawnOptions } from "./options.ts";
import type { OpenEvent } from "./service.ts";

/** The step of a FenceError when the process of a command has ended before its launch. */
export const neverLaunched = "attach";

/** How a program has ended; one of the two is null. */
export interface ExitStatus {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What is known when a program starts. */
export interface Started {
  /** The ports of `publish`, with those that the kernel chose. */
  readonly published: readonly PublishedPort[];
}

/** What `spawn()` gives: the streams and the end of one program. */
export interface Command extends AsyncDisposable {
  /** A pipe to the program; null: `stdio` says otherwise. The same of the others. */
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Of the process on the host that stands for the program: signals to it reach the program. undefined: it could not start. */
  readonly pid: number | undefined;
  /** Settles when everything that the settings say holds and the program starts next. Rejects as `exit`. */
  readonly started: Promise<Started>;
  /**
   * Settles when the program has ended; streams may still hold what it wrote. Rejects with a FenceError when it was not
   * started, and with the reason of `signal` when that has ended it. Nobody has to look at it.
   */
  readonly exit: Promise<ExitStatus>;
  /** Sends a signal to the program. Default: SIGTERM. False: it has ended. */
  readonly kill: (signal?: NodeJS.Signals | number) => boolean;
}

/** A command whose three streams are pipes. */
export interface PipedCommand extends Command {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
}

/** The last word of the service. */
type LastWord = Extract<ServiceEvent, { event: "ended" | "failed" }> | FenceError;

export interface CommandParts {
  readonly executable: string;
  /** Where the service listens, and which process that is. */
  readonly service: Pick<OpenEvent, "socket" | "pid">;
  readonly id: string;
  readonly options: SpawnOptions;
  /** The process has ended, or was never there, and the service has not said yet that it knows of it. */
  readonly endedUnknown: () => void;
}

/** The process, which the service launches. */
export class RunningCommand implements Command {
  readonly id: string;
  readonly started: Promise<Started>;
  readonly exit: Promise<ExitStatus>;
  /** Settles when the process has ended and nobody has hold of its pipes. Never rejects. */
  readonly closed: Promise<void>;
  readonly #child: ChildProcess;
  readonly #lastWord = deferred<LastWord>();
  readonly #started = deferred<Started>();
  #hasEnded = false;
  #isKnown = false;

  constructor({ executable, service, id, options, endedUnknown }: CommandParts) {
    const { stdio = "pipe", signal, killSignal = "SIGKILL" } = options;
    this.id = id;
    this.#child = spawn(executable, ["attach", service.socket, String(service.pid), id], {
      stdio: stdio as StdioOptions,
      env: {},
      cwd: "/",
    });
    const ended = this.#processEnd(endedUnknown);
    const abort = () => this.kill(killSignal);
    signal?.addEventListener("abort", abort, { once: true });
    this.closed = closeOf(this.#child);
    this.exit = this.#end(ended, signal).finally(() => signal?.removeEventListener("abort", abort));
    this.started = this.#started.promise;
    this.exit.then(
      () => this.#started.reject(new FenceError("FENCE_LAUNCH", "the command was ended before its program started")),
      (error) => this.#started.reject(error),
    );
    this.started.catch(() => {}); // whoever looks gets it; nobody has to
    this.exit.catch(() => {});
  }

  get stdin(): Writable | null {
    return this.#child.stdin;
  }

  get stdout(): Readable | null {
    return this.#child.stdout;
  }

  get stderr(): Readable | null {
    return this.#child.stderr;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  kill(signal: NodeJS.Signals | number = "SIGTERM"): boolean {
    return !this.#hasEnded && this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.exit.catch(() => {}); // whoever cares has looked at it
  }

  /** The program starts. */
  hasStarted(started: Started): void {
    this.#isKnown = true;
    this.#started.resolve(started);
  }

  /** What the service says last; or why it says nothing any more. */
  hearLastWord(word: LastWord): void {
    this.#isKnown = true;
    this.#lastWord.resolve(word);
  }

  #processEnd(tell: () => void): Promise<ExitStatus | FenceError> {
    return new Promise((settle) => {
      const end = (how: ExitStatus | FenceError) => {
        this.#hasEnded = true;
        if (!this.#isKnown) tell();
        settle(how);
      };
      this.#child.once("exit", (status, signal) => end({ status, signal }));
      this.#child.on("error", (cause) => {
        if (this.#child.pid === undefined) end(cannotStart(cause));
      });
    });
  }

  async #end(process: Promise<ExitStatus | FenceError>, signal: AbortSignal | undefined): Promise<ExitStatus> {
    const how = await process;
    const word = await this.#lastWord.promise;
    if (signal?.aborted) throw signal.reason;
    if (how instanceof FenceError) throw how;
    if (word instanceof FenceError) throw word;
    if (word.event === "failed") throw errorOf(word.error);
    if (word.launched || how.signal !== null) return how;
    throw new FenceError("FENCE_LAUNCH", `the command's process ended before its launch: exit status ${how.status}`, {
      step: neverLaunched,
      hint: "its own message is on the command's standard error",
    });
  }
}

function closeOf(child: ChildProcess): Promise<void> {
  return new Promise((settle) => {
    child.once("close", () => settle());
    child.once("error", () => {
      if (child.pid === undefined) settle();
    });
  });
}

function cannotStart(cause: Error): FenceError {
  const { code: errno = "unknown", syscall } = cause as NodeJS.ErrnoException;
  return new FenceError("FENCE_SERVICE", `the process of a command cannot be started: ${errno}`, {
    step: "start-command",
    errno,
    ...(syscall !== undefined && { syscall }),
    hint: "raise the limit on processes or open files: ulimit -u, ulimit -n; or start fewer at a time",
    cause,
  });
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

/** As Promise.withResolvers(), which Node 20 lacks. */
export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((settle, refuse) => {
    resolve = settle;
    reject = refuse;
  });
  return { promise, resolve, reject };
}
