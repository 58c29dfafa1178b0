/**
 * A sandbox for many commands: one configuration, one service.
 *
 * Runs:     in the user's own Node, without native code and without dependencies.
 * Promises: created means that everything that is required can be had; closed means that nothing of it runs or is left.
 * Source:   docs/library.md
 */
import { randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import type { ServiceEvent } from "../base/service-protocol.ts";
import type { EffectiveIsolation } from "../plan/isolation.ts";
import { type Command, deferred, type PipedCommand, RunningCommand } from "./command.ts";
import { findExecutable } from "./executable.ts";
import { errorOf, FenceError } from "./fence-error.ts";
import {
  checkRunOptions,
  checkSpawnOptions,
  openRequest,
  type RunOptions,
  runRequest,
  type SandboxOptions,
  type SpawnOptions,
} from "./options.ts";
import { type RunResult, runToEnd } from "./run.ts";
import { type OpenEvent, Service } from "./service.ts";

/** What the user should know of the settings: they are valid and yet do not do what they seem to. */
export interface Note {
  /** The key, or where else it was said. */
  readonly where: string;
  readonly says: string;
}

/** Something that happened in a sandbox. */
export interface SandboxEvent {
  /** In words. */
  readonly text: string;
  /** null: it has ended. */
  readonly command: Command | null;
}

export interface SandboxEvents {
  /** Something was denied on the host's side: a connection, mostly. What is not read in time is left out. */
  denied: [SandboxEvent];
  /** What `fence run` would say on standard error about one command although nothing is wrong. */
  notice: [SandboxEvent];
  /** What serves the sandbox's network has ended before its time: connections are refused from now on. */
  crashed: [SandboxEvent];
  /** The service has ended by itself: commands that ran have ended, no other can start. */
  failed: [FenceError];
}

/** Commands in one configuration. Made by createSandbox(). */
export interface Sandbox extends EventEmitter<SandboxEvents>, AsyncDisposable {
  /** What holds for every command, layer by layer. */
  readonly effectiveIsolation: EffectiveIsolation;
  readonly notes: readonly Note[];
  /** What `fence run` would say on standard error about these settings although nothing is wrong. */
  readonly notices: readonly string[];
  /** Of the service. */
  readonly pid: number | undefined;
  /** Starts a program, as child_process.spawn() does. Throws a FenceError when the sandbox is closed or has failed. */
  spawn(program: string, args?: readonly string[], options?: SpawnOptions & { readonly stdio?: "pipe" }): PipedCommand;
  spawn(program: string, args: readonly string[] | undefined, options: SpawnOptions): Command;
  /** Runs a program to its end. Rejects with a FenceError when it was not started; any exit status is a result. */
  run(
    program: string,
    args?: readonly string[],
    options?: RunOptions & { readonly encoding?: "utf8" },
  ): Promise<RunResult>;
  run(
    program: string,
    args: readonly string[] | undefined,
    options: RunOptions & { readonly encoding: "buffer" },
  ): Promise<RunResult<Buffer>>;
  /** Ends all commands and the service. Settles when nothing is left; more calls change nothing. */
  close(): Promise<void>;
}

/** Throws a FenceError for whatever cannot be had, before any command runs. */
export async function createSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { executable, signal } = options;
  signal?.throwIfAborted();
  const request = openRequest(options);
  const opening = new OpenSandbox(findExecutable(executable));
  opening.closeOn(signal);
  try {
    return await opening.open(request);
  } catch (error) {
    await opening.close();
    throw signal?.aborted ? signal.reason : error;
  }
}

class OpenSandbox extends EventEmitter<SandboxEvents> implements Sandbox {
  readonly #executable: string;
  readonly #service: Service;
  readonly #opened = deferred<OpenEvent>();
  readonly #commands = new Map<string, RunningCommand>();
  #state: OpenEvent | null = null;
  /** Why no command can start any more; null: they can. */
  #closed: FenceError | null = null;
  #closing: Promise<void> | null = null;

  constructor(executable: string) {
    super();
    this.#executable = executable;
    this.#service = new Service(executable, (event) => this.#take(event));
    this.#opened.promise.catch(() => {}); // open() has it
    this.#service.ended.then((reason) => this.#serviceEnded(reason));
  }

  closeOn(signal: AbortSignal | undefined): void {
    const abort = () => void this.close();
    signal?.addEventListener("abort", abort, { once: true });
    this.#service.ended.then(() => signal?.removeEventListener("abort", abort));
  }

  async open(request: Parameters<Service["open"]>[0]): Promise<Sandbox> {
    this.#state = await this.#service.open(request, this.#opened.promise);
    return this;
  }

  get effectiveIsolation(): EffectiveIsolation {
    return this.#open.isolation as unknown as EffectiveIsolation;
  }

  get notes(): readonly Note[] {
    return this.#open.notes;
  }

  get notices(): readonly string[] {
    return this.#open.notices;
  }

  get pid(): number | undefined {
    return this.#service.pid;
  }

  spawn(program: string, args?: readonly string[], options?: SpawnOptions & { readonly stdio?: "pipe" }): PipedCommand;
  spawn(program: string, args: readonly string[] | undefined, options: SpawnOptions): Command;
  spawn(program: string, args: readonly string[] = [], options: SpawnOptions = {}): Command {
    checkSpawnOptions(options);
    return this.#start([program, ...args], options);
  }

  run(program: string, args?: readonly string[], options?: RunOptions & { encoding?: "utf8" }): Promise<RunResult>;
  run(
    program: string,
    args: readonly string[] | undefined,
    options: RunOptions & { encoding: "buffer" },
  ): Promise<RunResult<Buffer>>;
  async run(program: string, args: readonly string[] = [], options: RunOptions = {}): Promise<RunResult<never>> {
    checkRunOptions(options);
    return (await runToEnd(options, (spawned) => this.#start([program, ...args], spawned))) as RunResult<never>;
  }

  close(): Promise<void> {
    this.#closed ??= new FenceError("FENCE_SERVICE", "the sandbox is closed", { step: "start-command" });
    this.#closing ??= this.#end();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #open(): OpenEvent {
    if (this.#state === null) throw new FenceError("FENCE_BUG", "a sandbox was given out before it was open");
    return this.#state;
  }

  #start(argv: readonly string[], options: SpawnOptions): RunningCommand {
    if (this.#closed !== null) throw this.#closed;
    options.signal?.throwIfAborted();
    const id = randomBytes(8).toString("hex").replace(/^.{8}/, "$&-");
    // Announced first: the process must not be there before the word of it.
    this.#service.tell(runRequest(id, argv, options));
    const command = this.#spawned(id, options);
    this.#commands.set(id, command);
    const over = () => void this.#commands.delete(id);
    this.#service.awaiting(command.exit).then(over, over);
    return command;
  }

  #spawned(id: string, options: SpawnOptions): RunningCommand {
    const endedUnknown = () => this.#service.tell({ request: "ended", id });
    try {
      return new RunningCommand({
        executable: this.#executable,
        service: this.#open,
        id,
        options,
        endedUnknown,
      });
    } catch (error) {
      endedUnknown(); // what child_process refuses: a bad stdio
      throw error;
    }
  }

  async #end(): Promise<void> {
    const running = [...this.#commands.values()];
    for (const command of running) command.kill("SIGKILL");
    await Promise.allSettled(running.map((command) => command.exit));
    await this.#service.close();
  }

  #take(event: ServiceEvent): void {
    switch (event.event) {
      case "open":
        this.#opened.resolve(event);
        break;
      case "refused":
        this.#opened.reject(errorOf(event.error));
        break;
      case "started":
        this.#commands.get(event.id)?.hasStarted({ published: event.published });
        break;
      case "ended":
      case "failed":
        this.#commands.get(event.id)?.hearLastWord(event);
        break;
      case "asked":
        if (!this.#commands.has(event.id)) this.#service.tell({ request: "refuse", id: event.id });
        break;
      default:
        this.emit(event.event, { text: event.text, command: this.#commands.get(event.id ?? "") ?? null });
    }
  }

  #serviceEnded(reason: FenceError): void {
    const isExpected = this.#closing !== null;
    this.#closed ??= reason;
    for (const command of this.#commands.values()) {
      command.hearLastWord(reason);
      command.kill("SIGKILL"); // without its launcher it ends anyway
    }
    if (!isExpected && this.#state !== null) this.emit("failed", reason);
  }
}
