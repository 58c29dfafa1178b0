/**
 * The door to the front, the process that `fence run` started: it waits for bubblewrap, and for this process.
 *
 * Runs:     host, in the launcher.
 * Promises: the front ends when this process has answered, or has ended.
 * Source:   docs/launch.md; native/stub/reaper-front.c speaks the other end
 */
import { bug } from "../base/errors.ts";
import type { Addon } from "./addon.ts";
import { systemError } from "./errno.ts";
import { protocol, receiveMessage, sendMessage } from "./protocol.ts";

/** How the sandbox ended. */
export interface SandboxEnd {
  /** Whether the sandbox told it of its program; else it is bubblewrap's own end, or that of what was to become it. */
  readonly ofProgram: boolean;
  /** As wait(2) tells it; one of the two is null. */
  readonly exit: number | null;
  readonly signal: number | null;
}

export class Front {
  readonly #addon: Addon;
  readonly #life: number;
  #end: Promise<SandboxEnd | "gone"> | null = null;
  #watch = 0;

  constructor(addon: Addon, life: number) {
    this.#addon = addon;
    this.#life = life;
  }

  /** Settles when nothing of the sandbox runs any more; "gone": the front was killed, and the sandbox with it. */
  ended(): Promise<SandboxEnd | "gone"> {
    this.#end ??= this.#hearEnd();
    return this.#end;
  }

  #hearEnd(): Promise<SandboxEnd | "gone"> {
    return new Promise((resolve, reject) => {
      const watch = this.#addon.watch(
        this.#life,
        () => {
          this.#unwatch();
          const message = receiveMessage(this.#addon, this.#life);
          if (typeof message !== "object") resolve("gone");
          else if (message.kind === protocol.kinds.drain) resolve(sandboxEnd(message.value, message.index === 1));
          else reject(bug(`the front said ${message.kind}`));
        },
        true,
      );
      if (watch < 0) reject(systemError("FENCE_LAUNCH", "cannot watch the front", "epoll_ctl", watch, {}));
      else this.#watch = watch;
    });
  }

  #unwatch(): void {
    if (this.#watch !== 0) this.#addon.unwatch(this.#watch);
    this.#watch = 0;
  }

  /** Everything is done: the front ends as the sandbox did, without waiting for Node's own end. Nobody hears of its end then. */
  leave(): void {
    this.#unwatch(); // a descriptor of the same number is another one
    sendMessage(this.#addon, this.#life, "drain"); // its end alone would be that of one who was killed
    this.#addon.closeDescriptor(this.#life);
  }

  /** The front ends with this status instead of the sandbox's. */
  exit(status: number): void {
    sendMessage(this.#addon, this.#life, "exit", { value: status }); // if it is gone, so is whoever waited for it
  }
}

function sandboxEnd(status: number, ofProgram: boolean): SandboxEnd {
  const signal = status & 0x7f;
  return signal === 0 ? { ofProgram, exit: (status >> 8) & 0xff, signal: null } : { ofProgram, exit: null, signal };
}

/** `SIGTERM` for 15. */
export function signalName(number: number): string {
  // Most programs end by themselves: loading node:os costs 0.2 ms.
  const { constants } = process.getBuiltinModule("node:os");
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? `signal ${number}`;
}
