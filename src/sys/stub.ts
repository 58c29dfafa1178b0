/**
 * The door to the stub: the descriptors it left for us, and the process (P0) that waits to become the program.
 *
 * Runs:     in the set-up Node and in the bridge process.
 * Promises: P0 never starts the program unless it gets a whole exec plan.
 * Source:   docs/bootstrap.md; native/stub/protocol.h speaks the other end
 */
import { readFileSync } from "node:fs";
import { bug, FenceError } from "../base/errors.ts";
import type { Addon } from "./addon.ts";
import { errnoName, systemError } from "./errno.ts";

export const protocol = {
  /** "FNCP", little-endian. */
  magic: 0x50434e46,
  messageBytes: 24,
  kinds: { execPlan: 1, exit: 2, take: 3, taken: 4, failed: 5 },
} as const;

const none = -1;
const step = "hand-over";
const ebadf = 9;
const emfile = -24;
const epipe = -32;
const econnreset = -104;

/** What the stub says in FENCE_STUB: descriptors, -1 where there is none. */
export interface StubDescriptors {
  readonly addon: number;
  readonly socket: number;
  readonly program: number;
}

/** Takes FENCE_STUB out of the environment; null when the stub did not start us. */
export function takeStubDescriptors(environment: NodeJS.ProcessEnv): StubDescriptors | null {
  const given = environment["FENCE_STUB"];
  delete environment["FENCE_STUB"];
  const numbers = /^(\d+),(-1|\d+),(-1|\d+)$/
    .exec(given ?? "")
    ?.slice(1)
    .map(Number);
  if (numbers === undefined) return null;
  const [addon = none, socket = none, program = none] = numbers;
  return { addon, socket, program };
}

/** A step of the exec plan that failed in P0. */
export interface StepFailure {
  /** As in stepTypes of the exec plan. */
  readonly type: number;
  /** Which step of the plan, from 0. */
  readonly index: number;
  /** Negative, as system calls return it. */
  readonly result: number;
}

/** P0, which waits. */
export class WaitingProcess {
  readonly #addon: Addon;
  readonly #socket: number;
  #isProgram = false;
  #hasEnded = false;
  /** Becomes readable when P0, and with it the program, has ended. */
  readonly pidfd: number;

  constructor(addon: Addon, { socket, program }: StubDescriptors) {
    this.#addon = addon;
    this.#socket = socket;
    this.pidfd = program;
  }

  /** Its number in the PID namespace of /proc; -1 when it has ended. */
  get pid(): number {
    const [, pid] = /^Pid:\s*(-?\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${this.pidfd}`, "utf8")) ?? [];
    if (pid === undefined) throw bug("the kernel does not say which process a pidfd is for");
    return Number(pid);
  }

  /** A descriptor that the caller meant for fence: P0 gives it up, so that the program does not inherit it. */
  takeDescriptor(descriptor: number, where: string): number {
    this.#send(protocol.kinds.take, descriptor, none, none);
    const { length, kind, error, received } = this.#receive();
    if (length === 0) throw this.#ended("recvmsg", econnreset);
    if (kind !== protocol.kinds.taken) throw bug(`the stub answered ${kind} to a request for a descriptor`);
    if (error === 0 && received >= 0) return received;
    const step = "take-descriptor";
    const tried = `cannot take descriptor ${descriptor} of ${where}`;
    if (error === 0) throw systemError("FENCE_STUB", tried, "recvmsg", emfile, { step });
    if (error !== ebadf) throw systemError("FENCE_STUB", tried, "sendmsg", -error, { step });
    throw new FenceError("FENCE_USAGE", `${where} must be an open descriptor, got ${descriptor}`, {
      step,
      errno: errnoName(-error),
    });
  }

  /** Hands over the plan, and the ruleset or -1; P0 carries it out at once. */
  start(plan: Buffer, ruleset: number): void {
    const file = this.#addon.sealedFile(plan);
    if (file < 0) {
      throw systemError("FENCE_EXEC_PLAN", "cannot make the exec plan's memory file", "memfd_create", file, {
        step,
      });
    }
    this.#send(protocol.kinds.execPlan, plan.length, file, ruleset);
    this.#addon.closeDescriptor(file);
  }

  /** Settles when P0 has become the program (null), or with the step that failed. P0 then waits for exit(). */
  started(): Promise<StepFailure | null> {
    return new Promise((resolve, reject) => {
      const watch = this.#addon.watch(
        this.#socket,
        () => {
          this.#addon.unwatch(watch);
          try {
            resolve(this.#outcome());
          } catch (error) {
            reject(error);
          }
        },
        true,
      );
      if (watch < 0) reject(systemError("FENCE_EXEC_PLAN", "cannot watch the waiting process", "epoll_ctl", watch, {}));
    });
  }

  /** Ends P0, unless it has ended or become the program. The error has been reported. */
  exit(status: number): void {
    if (this.#isProgram || this.#hasEnded) return;
    try {
      this.#send(protocol.kinds.exit, status, none, none);
    } catch (error) {
      if (!this.#hasEnded) throw error;
    }
  }

  /** P0 was killed before the program started, so there is nobody to report to. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** The socket closes on execve(2), so its end means that the program has started. */
  #outcome(): StepFailure | null {
    const message = this.#receive();
    this.#isProgram = message.length === 0;
    if (this.#isProgram) return null;
    if (message.kind !== protocol.kinds.failed) throw bug("the stub sent a bad message");
    return { type: message.type, index: message.index, result: -message.error };
  }

  #send(kind: number, value: number, first: number, second: number): void {
    const bytes = Buffer.from(Uint32Array.of(protocol.magic, kind, value, 0, 0, 0).buffer);
    const result = this.#addon.sendMessage(this.#socket, bytes, first, second);
    if (result === epipe || result === econnreset) throw this.#ended("sendmsg", result);
    if (result < 0) {
      throw systemError("FENCE_EXEC_PLAN", "cannot send to the waiting process", "sendmsg", result, { step });
    }
  }

  #ended(syscall: string, result: number): FenceError {
    this.#hasEnded = true;
    return systemError("FENCE_EXEC_PLAN", "the process that becomes the program has ended", syscall, result, {
      step,
      hint: "it was killed before the program started",
    });
  }

  #receive() {
    const bytes = Buffer.alloc(protocol.messageBytes);
    const descriptor = new Int32Array([none]);
    const length = this.#addon.receiveMessage(this.#socket, bytes, descriptor);
    if (length === econnreset) throw this.#ended("recvmsg", length);
    if (length < 0) {
      throw systemError("FENCE_EXEC_PLAN", "cannot hear the waiting process", "recvmsg", length, { step });
    }
    if (length !== 0 && (length !== bytes.length || bytes.readUInt32LE(0) !== protocol.magic)) {
      throw bug("the stub sent a bad message");
    }
    const [kind, , type, index, error] = [4, 8, 12, 16, 20].map((offset) => bytes.readUInt32LE(offset));
    return { length, kind, type: type ?? 0, index: index ?? 0, error: error ?? 0, received: descriptor[0] ?? none };
  }
}
