/**
 * The door to the process in a launched sandbox that becomes the program (P0): it finds its plan waiting.
 *
 * Runs:     host, in the launcher.
 * Promises: the program starts only when P0 has carried out every step of the plan before it; nothing that is sent before
 *           P0 runs waits for an answer; what P0 sends finds room here, or P0 is not started.
 * Source:   docs/launched.md; native/stub/protocol.h speaks the other end
 */
import { bug, type FenceError } from "../base/errors.ts";
import type { Addon } from "./addon.ts";
import { systemError } from "./errno.ts";
import {
  type Message,
  type MessageKind,
  messagePair,
  protocol,
  reaperPlaces,
  receiveMessage,
  sendMessage,
} from "./protocol.ts";
import { processHint, type StepFailure, stepFailure, takenCall } from "./stub.ts";

const step = "start-sandbox";
const eagain = -11;
const eclosed = [-32, -104];

/** How far P0 has come. */
export type LaunchedOutcome =
  /** It has become the program. */
  | { readonly kind: "started" }
  /** It waits for exit(). `root` is the sandbox's root directory, O_PATH, or -1; the caller closes it. */
  | { readonly kind: "failed"; readonly failure: StepFailure; readonly root: number }
  /** Its reaper could not stay behind; it waits for exit(). */
  | { readonly kind: "refused"; readonly error: FenceError }
  /** It has ended, or was never there. */
  | { readonly kind: "gone" };

/** What P0 inherits, by its numbers there. */
export interface LaunchedDescriptors {
  /** To the front. */
  readonly control: number;
  /** Where the sandbox's sockets are asked for; 0: nobody does. */
  readonly sockets: number;
}

/** Beside those with its listeners: TAKEN, READY and FAILED. */
const otherMessages = 3;

interface Told {
  /** A listening socket of the sandbox's; which step of the plan it is of. The callee closes it. */
  readonly listener: (step: number, descriptor: number) => void;
  /** Every step is carried out but the program itself, which starts next. */
  readonly ready: () => void;
}

export class LaunchedProcess {
  /** The sandbox's end: given to it, then closed here by sent(). */
  readonly far: number;
  readonly #addon: Addon;
  readonly #near: number;
  readonly #outcome = Promise.withResolvers<LaunchedOutcome>();
  readonly #told: Told;
  /** A descriptor for each message that may bring one: the kernel drops what finds no room, unix(7). */
  #room: number[] = [];
  #watch = 0;
  #isReady = false;
  #isFarOpen = true;
  #isNearOpen = true;

  /** Throws FENCE_LAUNCH. */
  constructor(addon: Addon, told: Told) {
    const pair = messagePair(addon);
    if (typeof pair === "number")
      throw systemError("FENCE_LAUNCH", "cannot make a socket pair", "socketpair", pair, { step });
    this.#addon = addon;
    this.#told = told;
    [this.#near, this.far] = pair;
    this.#outcome.promise.catch(() => {}); // whoever awaits it is told
  }

  /** All that P0 needs, before it runs. Throws FENCE_LAUNCH. */
  send({ control, sockets }: LaunchedDescriptors, plan: Buffer, listeners: number): void {
    for (let left = listeners + otherMessages; left > 0; left--) this.#keepRoom();
    this.#send("refer", { value: reaperPlaces.inside, index: control, step: sockets });
    const file = this.#addon.sealedFile(plan);
    if (file < 0)
      throw systemError("FENCE_LAUNCH", "cannot make the exec plan's memory file", "memfd_create", file, { step });
    try {
      this.#send("execPlan", { value: plan.length, descriptors: [file] });
    } finally {
      this.#addon.closeDescriptor(file);
    }
    this.#hear("in the background");
  }

  /** The sandbox has its end. Only then does its end show here. */
  sent(): void {
    if (!this.#isFarOpen) return;
    this.#isFarOpen = false;
    this.#addon.closeDescriptor(this.far);
  }

  /** Settles when P0 has become the program, has failed or is gone. Throws FENCE_LAUNCH, and what `told` does. */
  outcome(): Promise<LaunchedOutcome> {
    this.#hear("so that Node waits for it");
    return this.#outcome.promise;
  }

  /** Ends P0 when it has failed. The error has been reported. */
  exit(status: number): void {
    if (!this.#isNearOpen) return;
    sendMessage(this.#addon, this.#near, "exit", { value: status }); // if it is gone, so is whoever would be told
  }

  close(): void {
    this.sent();
    this.#end({ kind: "gone" });
  }

  #send(kind: MessageKind, contents: Parameters<typeof sendMessage>[3]): void {
    const result = sendMessage(this.#addon, this.#near, kind, contents);
    if (result < 0) throw systemError("FENCE_LAUNCH", "cannot send the sandbox its plan", "sendmsg", result, { step });
  }

  #keepRoom(): void {
    const copy = this.#addon.duplicateAboveStdio(this.#near);
    if (copy < 0)
      throw systemError("FENCE_LAUNCH", "cannot keep room for the sandbox's listeners", "fcntl", copy, { step });
    this.#room.push(copy);
  }

  #makeRoom(count: number): void {
    for (const copy of this.#room.splice(0, count)) this.#addon.closeDescriptor(copy);
  }

  #hear(how: "in the background" | "so that Node waits for it"): void {
    if (!this.#isNearOpen) return;
    this.#unwatch();
    const watch = this.#addon.watch(this.#near, () => this.#onReadable(), how === "so that Node waits for it");
    if (watch < 0) throw systemError("FENCE_LAUNCH", "cannot watch the sandbox", "epoll_ctl", watch, { step });
    this.#watch = watch;
  }

  #unwatch(): void {
    if (this.#watch > 0) this.#addon.unwatch(this.#watch);
    this.#watch = 0;
  }

  /** Whoever cannot be heard, or whose words cannot be acted upon, is not to go on: that is for who awaits the outcome. */
  #onReadable(): void {
    try {
      this.#take();
    } catch (error) {
      this.#outcome.reject(error);
      this.#close();
    }
  }

  #take(): void {
    this.#makeRoom(1);
    const message = receiveMessage(this.#addon, this.#near);
    if (message === eagain) return;
    if (message === "closed" || (typeof message === "number" && eclosed.includes(message))) {
      this.#end(this.#isReady ? { kind: "started" } : { kind: "gone" });
    } else if (typeof message === "number") {
      throw systemError("FENCE_LAUNCH", "cannot hear the sandbox", "recvmsg", message, { step });
    } else {
      this.#takeMessage(message);
    }
  }

  #takeMessage(message: Message): void {
    switch (message.kind) {
      case protocol.kinds.taken:
        this.#outcome.resolve({ kind: "refused", error: refused(message) });
        break;
      case protocol.kinds.listener:
        this.#told.listener(message.index, message.descriptor);
        break;
      case protocol.kinds.ready:
        this.#isReady = true;
        this.#told.ready();
        break;
      case protocol.kinds.failed:
        this.#outcome.resolve({ kind: "failed", failure: stepFailure(message), root: message.descriptor });
        break;
      default:
        throw bug(`the stub in the sandbox said ${message.kind}`);
    }
  }

  #end(outcome: LaunchedOutcome): void {
    this.#outcome.resolve(outcome); // unless it is known already
    this.#close();
  }

  #close(): void {
    this.#unwatch();
    if (this.#isNearOpen) this.#addon.closeDescriptor(this.#near);
    this.#isNearOpen = false;
    this.#makeRoom(this.#room.length);
  }
}

function refused(message: Message): FenceError {
  const result = -message.error;
  return systemError("FENCE_STUB", "cannot start the program's reaper in the sandbox", takenCall(message), result, {
    step: "init",
    ...(result === eagain && { hint: processHint }),
  });
}
