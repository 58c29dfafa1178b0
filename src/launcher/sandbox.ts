/**
 * Starts bubblewrap in the front's child, and knows how it went.
 *
 * Runs:     host, in the launcher.
 * Promises: nothing of the plan stands in anybody's arguments or environment; bubblewrap inherits what it is given here and
 *           nothing else; the program inherits nothing of it but its standard streams.
 * Source:   docs/launch.md
 */
import { buildId } from "../base/build.ts";
import { explainFailure } from "../inside/step-failure.ts";
import { emptyRequest } from "../landlock/request.ts";
import { chooseRuleset } from "../landlock/ruleset.ts";
import {
  type ArgumentStep,
  type ExecPlan,
  execPlan,
  type ProcessStep,
  signalMask,
  stepTypes,
} from "../plan/exec-plan.ts";
import { encodeExecPlan } from "../plan/exec-plan-bytes.ts";
import type { Addon } from "../sys/addon.ts";
import { systemError } from "../sys/errno.ts";
import type { Front, SandboxEnd } from "../sys/front.ts";
import type { FrontEnds, WaitingProcess } from "../sys/stub.ts";
import type { Inside } from "./inside.ts";
import type { InheritedDescriptors } from "./inside-plan.ts";
import { Reading } from "./reading.ts";

const step = "start-sandbox";
/** bwrap must outlive what is sent to the whole process group; the program finds its own mask again. */
const everySignal = (1n << 64n) - 1n;
/** bwrap waits for it, and for ever when it is ignored; the program finds it as it was. */
const sigchld = 17;
const standardError = 2;
const noLandlock = chooseRuleset(emptyRequest, 0, "off");
/** How long the pipes may stay open when the sandbox has ended. */
const patienceMs = 2000;

/** What the front's child becomes: bubblewrap, or fence itself where there are no namespaces. */
export interface SandboxMaker {
  readonly path: string;
  readonly argv: readonly [string, ...string[]];
}

/** The front's child before it becomes bubblewrap: all that it inherits is collected here, then it starts. */
export class Sandbox {
  readonly #addon: Addon;
  readonly #waiting: WaitingProcess;
  readonly #front: FrontEnds;
  readonly #standardError: number | null;
  readonly #messages: Reading;
  readonly #messagesFd: number;
  /** Nobody else's: closed when they are given. */
  #own: number[] = [];

  /** From here on the process that waits is a child of the front. `error.descriptor` is the program's standard error. */
  constructor(addon: Addon, waiting: WaitingProcess, error: { readonly descriptor: number }) {
    this.#addon = addon;
    this.#waiting = waiting;
    this.#front = waiting.referToFront();
    this.#standardError = this.#front.closedStreams.includes(standardError) ? null : this.#giveCopy(error.descriptor);
    try {
      [this.#messages, this.#messagesFd] = this.pipe();
    } catch (failure) {
      this.#closeOwn();
      throw failure;
    }
  }

  /** A descriptor that bubblewrap inherits; the caller keeps it open until start(). Answers its number there. */
  give(descriptor: number): number {
    return this.#waiting.give(descriptor);
  }

  /** The same for one that is closed here, when it is given or close() comes first. */
  giveAway(descriptor: number): number {
    this.#own.push(descriptor);
    return this.#waiting.give(descriptor);
  }

  /** The caller may close, or replace, its own. */
  #giveCopy(descriptor: number): number {
    const copy = this.#addon.duplicateAboveStdio(descriptor);
    if (copy < 0) throw systemError("FENCE_LAUNCH", "cannot pass standard error on", "fcntl", copy, { step });
    return this.giveAway(copy);
  }

  /** The same for bytes, as a sealed file. */
  giveBytes(bytes: Buffer, what: string): number {
    const file = this.#addon.sealedFile(bytes);
    if (file < 0)
      throw systemError("FENCE_LAUNCH", `cannot make the memory file of ${what}`, "memfd_create", file, { step });
    return this.giveAway(file);
  }

  get inherited(): InheritedDescriptors {
    const { control, closedStreams } = this.#front;
    return { control, closedStreams, standardError: this.#standardError };
  }

  /** Those that the caller had blocked or ignored: the child still does. */
  signals(): { readonly blockedSignals: readonly number[]; readonly ignoredSignals: readonly number[] } {
    const { blockedSignals, ignoredSignals } = this.#front;
    return { blockedSignals: signalsIn(blockedSignals), ignoredSignals: signalsIn(ignoredSignals) };
  }

  /**
   * The child becomes bubblewrap, with all that it was given. Throws FENCE_EXEC_PLAN at once when that cannot be sent. Settles
   * when it has; rejects with FENCE_BWRAP when it cannot.
   */
  start({ path, argv: [name, ...words] }: SandboxMaker): Promise<void> {
    const argument = (value: string): ArgumentStep => ({ kind: "arg", value });
    const process: readonly ProcessStep[] = [
      { kind: "stream", from: this.#messagesFd, to: standardError },
      {
        kind: "signals",
        blocked: everySignal,
        ignored: this.#front.ignoredSignals & ~signalMask([sigchld]),
      },
    ];
    const steps = execPlan(buildId)
      .environment([{ kind: "clear-env" }])
      .arguments([argument(name), ...words.map(argument)])
      .process(process)
      .landlock({ restricts: false, flags: 0 })
      .seccomp(new Uint8Array())
      .program({ kind: "exec", path });
    this.#waiting.start(encodeExecPlan(steps), -1);
    this.#closeOwn();
    return this.#started(steps, path);
  }

  async #started(plan: ExecPlan, path: string): Promise<void> {
    const failure = await this.#waiting.started();
    if (failure === null) return;
    if (failure.type !== stepTypes.exec)
      throw explainFailure(failure, { plan, directory: ".", programPath: path }, noLandlock);
    throw systemError("FENCE_BWRAP", `cannot execute ${path}`, "execve", failure.result, {
      step,
      path,
      hint: "install bubblewrap, or repair it; fence check says what else is missing",
    });
  }

  /** Settles when nothing of it runs any more. Throws what keeps the launcher from following what happens inside. */
  ended(front: Front, inside: Pick<Inside, "whole">): Promise<SandboxEnd | "gone"> {
    return Promise.race([front.ended(), inside.whole().then(() => front.ended())]);
  }

  /** What bubblewrap and the stub have said, at most some KB; and everything has come that is told of the inside. */
  async allSaid(inside: Pick<Inside, "whole">): Promise<string> {
    // A child that bwrap left behind when it failed may hold the pipes: nobody waits for that.
    const patience = Promise.withResolvers<void>();
    const timer = setTimeout(patience.resolve, patienceMs);
    await Promise.race([Promise.all([this.#messages.whole(), inside.whole()]), patience.promise]);
    clearTimeout(timer);
    return this.#messages.text;
  }

  /** Nobody listens any more. */
  close(): void {
    this.#closeOwn();
    this.#messages.close();
  }

  #closeOwn(): void {
    for (const descriptor of this.#own.splice(0)) this.#addon.closeDescriptor(descriptor);
  }

  /** The reading end here, the number of the writing end there. */
  pipe(): [Reading, number] {
    const ends = new Int32Array(2);
    const result = this.#addon.pipe(ends);
    if (result < 0) throw systemError("FENCE_LAUNCH", "cannot make a pipe", "pipe2", result, { step });
    const [read = -1, write = -1] = ends;
    let reading: Reading | null = null;
    try {
      reading = new Reading(this.#addon, read);
      return [reading, this.giveAway(write)];
    } catch (error) {
      if (reading === null) this.#addon.closeDescriptor(write); // else it was given away
      reading?.close();
      throw error;
    }
  }
}

/** Their numbers; a bit for each, the lowest for number 1. */
function signalsIn(mask: bigint): readonly number[] {
  if (mask === 0n) return [];
  return Array.from({ length: 64 }, (_, i) => i + 1).filter((signal) => (mask >> BigInt(signal - 1)) & 1n);
}
