/**
 * The door to the process (P0) that waits to become the program.
 *
 * Runs:     in the set-up Node.
 * Promises: P0 never starts the program unless it gets a whole exec plan.
 * Source:   docs/bootstrap.md; native/stub/protocol.h speaks the other end
 */
import { readFileSync } from "node:fs";
import { bug, FenceError } from "../base/errors.ts";
import type { Addon } from "./addon.ts";
import { errnoName, nodeError, systemError } from "./errno.ts";
import {
  type Contents,
  type Message,
  type MessageKind,
  noDescriptor,
  type Packet,
  protocol,
  reaperPlaces,
  receiveMessage,
  sendGiven,
  sendMessage,
} from "./protocol.ts";

const step = "hand-over";
const eagain = -11;
const ebadf = 9;
const emfile = -24;
const epipe = -32;
const econnreset = -104;
/** epoll(7) */
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;

/** A step of the exec plan that failed in P0. */
export interface StepFailure {
  /** As in stepTypes of the exec plan. */
  readonly type: number;
  /** Which step of the plan, from 0. */
  readonly index: number;
  /** Which of the step's calls, as in stepCalls of the exec plan; 0 when it makes one. */
  readonly call: number;
  /** Negative, as system calls return it. */
  readonly result: number;
}

/** As the message FAILED tells it. */
export function stepFailure({ step: type, index, value: call, error }: Message): StepFailure {
  return { type, index, call, result: -error };
}

/** By the number that native/stub/protocol.h gives them. */
const takenCalls = [
  ...["fcntl", "sendmsg", "clone", "pidfd_open", "socketpair", "close_range", "open"],
  ...["recvmsg", "rt_sigprocmask", "rt_sigaction"],
];

/** What the message TAKEN says has failed. */
export function takenCall({ value }: Pick<Message, "value">): string {
  return takenCalls[value] ?? "sendmsg";
}

/** What helps when a process cannot be started. */
export const processHint = "no more processes may be started: ulimit -u, pids limit of the container";

/** Which process stays behind as the program's reaper. */
export type Reaper =
  | { readonly place: "none" }
  /** P0 itself, as `--init` has it. */
  | { readonly place: "alone" }
  /** P0 itself, which tells the launcher through its descriptor `control`. */
  | { readonly place: "inside"; readonly control: number };

/** What the sandbox's maker is to inherit from the front. */
export interface FrontEnds {
  /** The number of the descriptor that leads to the front. */
  readonly control: number;
  /** The standard streams that the caller had closed; they are /dev/null now. */
  readonly closedStreams: readonly number[];
  /** A bit for each signal that the caller had blocked, the lowest for number 1: what becomes the sandbox still has. */
  readonly blockedSignals: bigint;
  /** Those that it ignored. */
  readonly ignoredSignals: bigint;
}

/** P0, which waits. */
export class WaitingProcess {
  readonly #addon: Addon;
  readonly #socket: number;
  #pidfd = noDescriptor;
  #isProgram = false;
  #hasEnded = false;
  #hasReaper = false;
  #front: FrontEnds | null = null;
  #hasAskedFront = false;
  /** What give() has not sent yet. */
  #given: number[] = [];
  /** The first of the numbers that are free in P0, but for those given. */
  #free = 0;
  #watch = 0;

  constructor(addon: Addon, socket: number) {
    this.#addon = addon;
    this.#socket = socket;
  }

  /** Readable when the program has ended; after refer(). */
  get pidfd(): number {
    return this.#pidfd;
  }

  /** P0 has stayed behind: what waits is a child of it. */
  get hasReaper(): boolean {
    return this.#hasReaper;
  }

  /** Its number in the PID namespace of /proc; -1 when it has ended, 0 before refer(). */
  get pid(): number {
    if (this.#pidfd === noDescriptor) return 0;
    const [, pid] = /^Pid:\s*(-?\d+)$/m.exec(this.#pidfdInformation()) ?? [];
    if (pid === undefined) throw bug("the kernel does not say which process a pidfd is for");
    return Number(pid);
  }

  #pidfdInformation(): string {
    const path = `/proc/self/fdinfo/${this.pidfd}`;
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      throw nodeError("FENCE_STUB", "cannot look at the waiting process", error, { step, path });
    }
  }

  /** A descriptor that the caller meant for fence: P0 gives it up, so that the program does not inherit it. */
  takeDescriptor(descriptor: number, where: string): number {
    if (this.#hasAskedFront) this.referToFront(); // whose answer comes first
    this.#send("take", { value: descriptor });
    return this.#taken(descriptor, where);
  }

  #taken(descriptor: number, where: string): number {
    const step = "take-descriptor";
    const tried = `cannot take descriptor ${descriptor} of ${where}`;
    const answer = this.#answer("take");
    const { error, descriptor: received } = answer;
    if (error === 0 && received >= 0) return received;
    const call = takenCall(answer);
    if (error === 0) throw systemError("FENCE_STUB", tried, "recvmsg", emfile, { step });
    if (call !== "fcntl" || error !== ebadf) {
      const hint =
        "the kernel passes no io_uring on, nor a socket that holds too many descriptors: use a pipe or a file";
      throw systemError("FENCE_STUB", tried, call, -error, { step, hint });
    }
    throw new FenceError("FENCE_USAGE", `${where} must be an open descriptor, got ${descriptor}`, {
      step,
      errno: errnoName(-error),
    });
  }

  /**
   * Which process is to become the program. With a reaper P0 stays behind, and a child goes on in its place.
   */
  refer(reaper: Reaper): void {
    this.#sendRefer(reaper);
    this.#referred(this.#answer("refer"));
  }

  /** The same for P0 on the host, the front, of which more is to be known. */
  referToFront(): FrontEnds {
    if (this.#front !== null) return this.#front;
    this.askFront();
    const answer = this.#answer("refer", protocol.signalsBytes);
    this.#referred(answer);
    const { index: control, step, value: free, payload } = answer;
    this.#free = free;
    this.#front = {
      control,
      closedStreams: [0, 1, 2].filter((stream) => (step & (1 << stream)) !== 0),
      blockedSignals: payload.readBigUInt64LE(0),
      ignoredSignals: payload.readBigUInt64LE(8),
    };
    return this.#front;
  }

  /** Lets the front fork while there is other work to do here: referToFront() hears of it. */
  askFront(): void {
    if (this.#hasAskedFront) return;
    this.#hasAskedFront = true;
    this.#sendRefer({ place: "front" });
  }

  /**
   * The same for a front that stays behind by itself, as `fence attach` does, before referToFront() answers it; and its child gives
   * this descriptor up: nobody waits in here for those processes, since their user may have stopped them. The one that goes on in
   * its place is known to nobody yet.
   */
  async awaitFront(descriptor: number, where: string): Promise<number> {
    this.#hasReaper = true;
    this.#hasAskedFront = true;
    this.#send("take", { value: descriptor });
    await this.#readable();
    this.referToFront();
    await this.#readable();
    return this.#taken(descriptor, where);
  }

  #sendRefer(reaper: Reaper | { readonly place: "front" }): void {
    this.#hasReaper = reaper.place !== "none";
    const index = reaper.place === "inside" ? reaper.control : 0;
    this.#send("refer", { value: reaperPlaces[reaper.place], index });
  }

  #referred(answer: Message): void {
    const { error, descriptor: received } = answer;
    if (error === 0 && received >= 0) {
      this.#pidfd = received;
      return;
    }
    const result = error === 0 ? emfile : -error;
    const step = this.#hasReaper ? "init" : "hand-over";
    const tried = "cannot refer to the program's own process";
    throw systemError("FENCE_STUB", tried, error === 0 ? "recvmsg" : takenCall(answer), result, {
      step,
      ...(result === eagain && { hint: processHint }),
    });
  }

  /**
   * A throw-away child carries the plan out but for the program, and makes the attempts (encodeAttempts()). Answers the
   * attempts' results, or the step that failed. Fewer results than attempts: the child was ended.
   */
  rehearse(plan: Buffer, ruleset: number, attempts: Buffer): readonly number[] | StepFailure {
    const file = this.#sealed(plan);
    try {
      this.#send("verify", { value: plan.length, descriptors: [file, ruleset], payload: attempts });
    } finally {
      this.#addon.closeDescriptor(file);
    }
    const results: number[] = [];
    for (;;) {
      const message = this.#receive();
      if (message === "closed") throw this.#ended("recvmsg", econnreset);
      switch (message.kind) {
        case protocol.kinds.tried:
          results.push(message.error === 0 ? message.value : -message.error);
          break;
        case protocol.kinds.failed:
          return stepFailure(message);
        case protocol.kinds.verified:
          if (message.error === 0) return results;
          throw systemError(
            "FENCE_VERIFY",
            message.index === 0 ? "cannot start the throw-away child" : "cannot wait for the throw-away child",
            message.index === 0 ? "clone" : "wait4",
            -message.error,
            { step: "verify" },
          );
        default:
          throw bug(`the stub answered ${message.kind} to verify`);
      }
    }
  }

  /**
   * The program is to inherit this descriptor, which stays the caller's too, who closes it after start() at the earliest.
   * Answers its number there; after referToFront(). Throws FENCE_EXEC_PLAN.
   */
  give(descriptor: number): number {
    if (this.#free === 0) throw bug("a descriptor was given before the front has answered");
    if (this.#given.length === protocol.givenDescriptors) this.#sendGiven();
    return this.#free + this.#given.push(descriptor) - 1;
  }

  #sendGiven(): void {
    if (this.#given.length === 0) return;
    this.#checkSent(sendGiven(this.#addon, this.#socket, this.#free, this.#given));
    this.#free += this.#given.length;
    this.#given = [];
  }

  /** Hands over what was given, the plan, and the ruleset or -1; P0 carries it out at once. */
  start(plan: Buffer, ruleset: number): void {
    this.#sendGiven();
    const file = this.#sealed(plan);
    try {
      this.#send("execPlan", { value: plan.length, descriptors: [file, ruleset] });
    } finally {
      this.#addon.closeDescriptor(file);
    }
  }

  /** Settles when P0 has become the program (null), or with the step that failed. P0 then waits for exit(). */
  started(): Promise<StepFailure | null> {
    return new Promise((resolve, reject) => {
      const watch = this.#addon.watch(
        this.#socket,
        () => {
          this.#unwatch();
          try {
            resolve(this.#outcome());
          } catch (error) {
            reject(error);
          }
        },
        true,
      );
      if (watch < 0) reject(cannotWatch(watch));
      else this.#watch = watch;
    });
  }

  #unwatch(): void {
    if (this.#watch !== 0) this.#addon.unwatch(this.#watch);
    this.#watch = 0;
  }

  /** There is a message, or its end. By way of an epoll set: what libuv watches itself it makes non-blocking, for good. */
  #readable(): Promise<void> {
    const epoll = this.#addon.epollCreate();
    const added = epoll < 0 ? epoll : this.#addon.epollControl(epoll, EPOLL_CTL_ADD, this.#socket, EPOLLIN, 0);
    const { promise, resolve } = Promise.withResolvers<void>();
    const isNow = added === 0 && this.#addon.epollWait(epoll, new Int32Array(2)) > 0;
    if (isNow) resolve();
    const watch = added < 0 || isNow ? added : this.#addon.watch(epoll, resolve, true);
    const heard = watch < 0 ? Promise.reject(cannotWatch(watch)) : promise;
    return heard.finally(() => {
      if (watch > 0) this.#addon.unwatch(watch);
      if (epoll >= 0) this.#addon.closeDescriptor(epoll);
    });
  }

  /** Whether P0 has become the program, or was killed when it had its plan. */
  get isProgram(): boolean {
    return this.#isProgram;
  }

  /** Ends P0, unless it has ended or become the program. The error has been reported. */
  exit(status: number): void {
    if (this.#isProgram || this.#hasEnded) return;
    try {
      this.#send("exit", { value: status });
    } catch (error) {
      if (!this.#hasEnded) throw error;
    }
  }

  /** P0 was killed before the program started, so there is nobody to report to. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Who serves many of them ends with none: nothing is left open here. */
  close(): void {
    this.#unwatch(); // a descriptor of the same number is another one
    this.#addon.closeDescriptor(this.#socket);
    if (this.#pidfd !== noDescriptor) this.#addon.closeDescriptor(this.#pidfd);
    this.#pidfd = noDescriptor;
    this.#hasEnded = true;
  }

  #sealed(plan: Buffer): number {
    const file = this.#addon.sealedFile(plan);
    if (file >= 0) return file;
    throw systemError("FENCE_EXEC_PLAN", "cannot make the exec plan's memory file", "memfd_create", file, { step });
  }

  /** The socket closes on execve(2), so its end means that the program has started. */
  #outcome(): StepFailure | null {
    const message = this.#receive();
    this.#isProgram = message === "closed";
    if (message === "closed") return null;
    if (message.kind === protocol.kinds.taken && message.error !== 0) {
      throw systemError("FENCE_STUB", "cannot pass a descriptor on", takenCall(message), -message.error, { step });
    }
    if (message.kind !== protocol.kinds.failed) throw bug("the stub sent a bad message");
    return stepFailure(message);
  }

  /** P0 answers with a descriptor or an error, which is positive; behind it may be as many bytes. */
  #answer(kind: "take" | "refer", payloadBytes = 0): Packet {
    const answer = this.#receive(payloadBytes);
    if (answer === "closed") throw this.#ended("recvmsg", econnreset);
    if (answer.kind !== protocol.kinds.taken) throw bug(`the stub answered ${answer.kind} to ${kind}`);
    return answer;
  }

  #send(kind: MessageKind, contents: Contents): void {
    this.#checkSent(sendMessage(this.#addon, this.#socket, kind, contents));
  }

  #checkSent(result: number): void {
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

  #receive(payloadBytes = 0): Packet | "closed" {
    const message = receiveMessage(this.#addon, this.#socket, payloadBytes);
    if (message === econnreset) throw this.#ended("recvmsg", message);
    if (typeof message !== "number") return message;
    throw systemError("FENCE_EXEC_PLAN", "cannot hear the waiting process", "recvmsg", message, { step });
  }
}

function cannotWatch(result: number): FenceError {
  return systemError("FENCE_EXEC_PLAN", "cannot watch the waiting process", "epoll_ctl", result, { step });
}
