/**
 * Launches one command of a sandbox whose configuration is decided: as `fence run` does, but for many.
 *
 * Runs:     host, in the service.
 * Promises: whatever happens the library gets one last word about the command, and nothing of it stays open here.
 * Source:   docs/library.md
 */
import { asFenceError, bug, type FenceError } from "../base/errors.ts";
import { errorRecord, type ServiceEvent } from "../base/service-protocol.ts";
import { type DecidedLaunch, runDecided, told } from "../launcher/launch.ts";
import type { LaunchContext, LaunchMessages } from "../launcher/start.ts";
import type { Addon } from "../sys/addon.ts";
import { Front } from "../sys/front.ts";
import { WaitingProcess } from "../sys/stub.ts";
import type { Announced } from "./announced.ts";
import type { Attachment } from "./attachments.ts";
import type { Configuration } from "./configuration.ts";

const standardError = 2;

/** A command that is launched or runs. */
export class Command {
  /** Settles when all is over and the library has been told. Never rejects. */
  readonly ended: Promise<void>;
  readonly #front: Front;

  constructor(addon: Addon, configuration: Configuration, announced: Announced, attachment: Attachment, tell: Tell) {
    const { id } = announced.request;
    const waiting = new WaitingProcess(addon, attachment.setup);
    this.#front = new Front(addon, attachment.life);
    const messages = new CommandMessages(addon, waiting, (text) => tell({ event: "notice", id, text }));
    const context = {
      addon,
      waiting,
      front: this.#front,
      messages,
      environment: () => announced.request.environment ?? configuration.environment,
    };
    this.ended = launched(context, async () => {
      await messages.awaitFront();
      await runOne(context, configuration, announced, tell);
    }).then((failure) => {
      if (failure !== null) waiting.exit(failure.exitStatus);
      messages.close();
      waiting.close();
      this.#leave(id, failure, tell);
    });
  }

  /** The library hears of it last: nothing is open here then. */
  #leave(id: string, failure: FenceError | null, tell: Tell): void {
    if (failure !== null) this.#front.exit(failure.exitStatus);
    this.#front.leave();
    tell(
      failure === null ? { event: "ended", id, launched: true } : { event: "failed", id, error: errorRecord(failure) },
    );
  }

  /** The library is gone: the sandbox ends, and the process of the command with this status. */
  end(status: number): void {
    this.#front.exit(status);
  }
}

type Tell = (event: ServiceEvent) => void;

/** Settles when all is over, with what kept the program from starting. Never rejects. */
async function launched(context: LaunchContext, run: () => Promise<void>): Promise<FenceError | null> {
  let failure: FenceError | null = null;
  const failed = (error: FenceError) => {
    failure = error;
  };
  try {
    await told(context, { failed, ended: () => {} }, run);
  } catch (error) {
    failure ??= asFenceError(error);
  }
  return failure;
}

async function runOne(context: LaunchContext, configuration: Configuration, announced: Announced, tell: Tell) {
  const { id } = announced.request;
  const launch: DecidedLaunch = {
    ...announced.decided(),
    around: configuration.around,
    log: {
      isDebugging: false,
      debug: () => {},
      denied: (text) => tell({ event: "denied", id, text }),
    },
    report: {
      ready: ({ published }) => tell({ event: "started", id, published: published as never }),
      verified: () => {},
      ended: () => {},
    },
    started: () => {},
    notices: "", // of the configuration: the library has them
    crashed: (text) => tell({ event: "crashed", id, text }),
    part: configuration.part,
  };
  await runDecided(context, launch);
}

/** What is said to the user of one command goes to the library; the program's standard error is its process's own. */
class CommandMessages implements LaunchMessages {
  readonly #addon: Addon;
  readonly #waiting: WaitingProcess;
  readonly #notice: (text: string) => void;
  #error: number | null = null;

  constructor(addon: Addon, waiting: WaitingProcess, notice: (text: string) => void) {
    this.#addon = addon;
    this.#waiting = waiting;
    this.#notice = notice;
  }

  /** The front's child gives its own standard error up. */
  async awaitFront(): Promise<void> {
    this.#error = await this.#waiting.awaitFront(standardError, "standard error");
  }

  get descriptor(): number {
    if (this.#error === null) throw bug("standard error is asked for before the front has answered");
    return this.#error;
  }

  write(text: string): void {
    for (const line of text.split("\n")) if (line !== "") this.#notice(line.replace(/^fence: /, ""));
  }

  /** They are the service's, and the program has none of them. */
  leaveStdio(): void {}

  close(): void {
    if (this.#error !== null) this.#addon.closeDescriptor(this.#error);
    this.#error = null;
  }
}
