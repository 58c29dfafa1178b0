/**
 * Starts bubblewrap in the front's child, and knows how it went.
 *
 * Runs:     host, in the launcher.
 * Promises: nothing of the plan stands in anybody's arguments or environment; bubblewrap inherits what it is given here and
 *           nothing else; the program inherits nothing of it but its standard streams.
 * Source:   docs/launch.md
 */
import { readFileSync } from "node:fs";
import { buildId } from "../base/build.ts";
import { bug } from "../base/errors.ts";
import { explainFailure } from "../inside/step-failure.ts";
import { emptyRequest } from "../landlock/request.ts";
import { chooseRuleset } from "../landlock/ruleset.ts";
import { type ArgumentStep, execPlan, type ProcessStep, signalMask, stepTypes } from "../plan/exec-plan.ts";
import { encodeExecPlan } from "../plan/exec-plan-bytes.ts";
import type { Addon } from "../sys/addon.ts";
import { nodeError, systemError } from "../sys/errno.ts";
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

/** The front's child before it becomes bubblewrap: descriptors are given to it, then it starts. */
export class Sandbox {
  readonly #addon: Addon;
  readonly #waiting: WaitingProcess;
  readonly #front: FrontEnds;
  readonly #standardError: number | null;
  readonly #messages: Reading;
  readonly #messagesFd: number;

  /** From here on the process that waits is a child of the front. `error.descriptor` is the program's standard error. */
  constructor(addon: Addon, waiting: WaitingProcess, error: { readonly descriptor: number }) {
    this.#addon = addon;
    this.#waiting = waiting;
    this.#front = waiting.refer({ place: "front" });
    this.#standardError = this.#front.closedStreams.includes(standardError) ? null : waiting.give(error.descriptor);
    [this.#messages, this.#messagesFd] = this.pipe();
  }

  /** A descriptor that bubblewrap inherits. Answers its number there. Throws FENCE_STUB. */
  give(descriptor: number): number {
    return this.#waiting.give(descriptor);
  }

  /** The same for bytes, as a sealed file. */
  giveBytes(bytes: Buffer, what: string): number {
    const file = this.#addon.sealedFile(bytes);
    if (file < 0)
      throw systemError("FENCE_LAUNCH", `cannot make the memory file of ${what}`, "memfd_create", file, { step });
    try {
      return this.#waiting.give(file);
    } finally {
      this.#addon.closeDescriptor(file);
    }
  }

  get inherited(): InheritedDescriptors {
    const { control, closedStreams } = this.#front;
    return { control, closedStreams, standardError: this.#standardError };
  }

  /** Those that the caller had blocked or ignored: the child still does. */
  signals(): { readonly blockedSignals: readonly number[]; readonly ignoredSignals: readonly number[] } {
    const status = statusOf(this.#waiting.pid);
    return { blockedSignals: signalsIn(status, "SigBlk"), ignoredSignals: signalsIn(status, "SigIgn") };
  }

  /** Settles when the child has become bubblewrap. Throws FENCE_BWRAP when it cannot. */
  async start({ path, argv: [name, ...words] }: SandboxMaker): Promise<void> {
    const { ignoredSignals } = this.signals();
    const argument = (value: string): ArgumentStep => ({ kind: "arg", value });
    const process: readonly ProcessStep[] = [
      { kind: "stream", from: this.#messagesFd, to: standardError },
      {
        kind: "signals",
        blocked: everySignal,
        ignored: signalMask(ignoredSignals.filter((signal) => signal !== sigchld)),
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
    const failure = await this.#waiting.started();
    if (failure === null) return;
    if (failure.type !== stepTypes.exec)
      throw explainFailure(failure, { plan: steps, directory: ".", programPath: path }, noLandlock);
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
    this.#messages.close();
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
      return [reading, this.#waiting.give(write)];
    } catch (error) {
      reading?.close();
      throw error;
    } finally {
      this.#addon.closeDescriptor(write);
    }
  }
}

/** A mask of proc_pid_status(5). */
function signalsIn(status: string, field: "SigBlk" | "SigIgn"): readonly number[] {
  const [, digits] = new RegExp(`^${field}:\\s*([0-9a-f]+)$`, "m").exec(status) ?? [];
  if (digits === undefined) throw bug(`the kernel does not say ${field}`);
  const mask = BigInt(`0x${digits}`);
  return Array.from({ length: 64 }, (_, i) => i + 1).filter((signal) => (mask >> BigInt(signal - 1)) & 1n);
}

function statusOf(pid: number): string {
  const path = `/proc/${pid}/status`;
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    throw nodeError("FENCE_LAUNCH", "cannot look at the signals of what becomes bubblewrap", error, { step, path });
  }
}
