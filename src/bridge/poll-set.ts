/**
 * One epoll set for all sockets of all bridges, driven by Node's event loop, so that timers and signals keep working.
 *
 * Runs:     host and sandbox.
 * Promises: no socket starves another: one turn serves every ready socket once, and after a few turns the event loop
 *           has its share; an event never reaches another socket than its own, even when the descriptor's number is reused.
 * Source:   epoll(7)
 */
import { bug } from "../base/errors.ts";
import type { Addon } from "../sys/addon.ts";
import { describeFailure, systemError } from "../sys/errno.ts";
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD } from "./epoll.ts";

export interface Watched {
  /** With the EPOLL* bits that are true now. */
  onEvents(events: number): void;
}

export interface Resumable {
  resume(): void;
}

const eventsPerTurn = 256;
const turnsInARow = 8;
const retryAfterMs = 50;

export class PollSet {
  readonly #addon: Addon;
  readonly #epoll: number;
  readonly #watch: number;
  readonly #pairs = new Int32Array(2 * eventsPerTurn);
  /** By id, never by descriptor: an event may come late, for a descriptor that is closed and its number reused. */
  readonly #watched = new Map<number, Watched>();
  #lastId = 0;
  #queue: Resumable[] = [];
  #late: Resumable[] = [];
  #lateTimer: NodeJS.Timeout | null = null;
  #continuation: NodeJS.Immediate | null = null;
  #isRunning = false;
  /** When something last happened, on the clock of performance.now(). */
  lastEventAt = performance.now();

  /** Throws FENCE_BRIDGE. */
  constructor(addon: Addon, options: { readonly keepsLoopAlive: boolean }) {
    this.#addon = addon;
    this.#epoll = made("epoll_create1", addon.epollCreate());
    const watch = addon.watch(this.#epoll, () => this.#run(), options.keepsLoopAlive);
    if (watch < 0) addon.closeDescriptor(this.#epoll);
    this.#watch = made("epoll_ctl", watch);
  }

  /** The id to change or remove it by, or -errno. */
  add(fd: number, events: number, watched: Watched): number {
    const id = this.#nextId();
    const result = this.#addon.epollControl(this.#epoll, EPOLL_CTL_ADD, fd, events, id);
    if (result < 0) return result;
    this.#watched.set(id, watched);
    return id;
  }

  /** Also reports anew what is true already. */
  change(fd: number, events: number, id: number): void {
    checked("epoll_ctl", this.#addon.epollControl(this.#epoll, EPOLL_CTL_MOD, fd, events, id));
  }

  /** For a descriptor that stays open. */
  remove(fd: number, id: number): void {
    checked("epoll_ctl", this.#addon.epollControl(this.#epoll, EPOLL_CTL_DEL, fd, 0, id));
    this.forget(id);
  }

  /** For a descriptor that is closed at once: the kernel then removes it by itself. */
  forget(id: number): void {
    this.#watched.delete(id);
  }

  /** Resumes in the next turn: for what has had its share and could go on. */
  requeue(resumable: Resumable): void {
    this.#queue.push(resumable);
    if (!this.#isRunning) this.#continueLater();
  }

  /** Resumes after a while: for what lacks memory. */
  retryLater(resumable: Resumable): void {
    this.#late.push(resumable);
    this.#lateTimer ??= setTimeout(() => this.#retry(), retryAfterMs).unref();
  }

  /** Looks at once, for who cannot wait for the event loop to; not from within an event. */
  poll(): void {
    if (!this.#isRunning) this.#run();
  }

  close(): void {
    if (this.#lateTimer !== null) clearTimeout(this.#lateTimer);
    if (this.#continuation !== null) clearImmediate(this.#continuation);
    this.#addon.unwatch(this.#watch);
    this.#addon.closeDescriptor(this.#epoll);
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId + 1) & 0x7fffffff;
    while (this.#watched.has(this.#lastId));
    return this.#lastId;
  }

  #retry(): void {
    this.#lateTimer = null;
    this.#queue.push(...this.#late.splice(0));
    this.#run();
  }

  #run(): void {
    this.#isRunning = true;
    for (let turn = 0; turn < turnsInARow && this.#turn(); turn++);
    this.#isRunning = false;
    if (this.#queue.length > 0) this.#continueLater();
  }

  #continueLater(): void {
    this.#continuation ??= setImmediate(() => {
      this.#continuation = null;
      this.#run();
    });
  }

  /** True when there may be more to do. */
  #turn(): boolean {
    const queue = this.#queue;
    if (queue.length > 0) this.#queue = [];
    const count = checked("epoll_wait", this.#addon.epollWait(this.#epoll, this.#pairs));
    for (let at = 0; at < 2 * count; at += 2) {
      this.#watched.get(this.#pairs[at] ?? 0)?.onEvents(this.#pairs[at + 1] ?? 0);
    }
    for (const resumable of queue) resumable.resume();
    if (count > 0) this.lastEventAt = performance.now();
    return count > 0 || this.#queue.length > 0;
  }
}

/** This process may have too many of them. */
function made(syscall: string, result: number): number {
  if (result >= 0) return result;
  throw systemError("FENCE_BRIDGE", "cannot watch connections", syscall, result, { step: "open-bridges" });
}

/** These calls fail only when a descriptor is not what we think it is. */
function checked(syscall: string, result: number): number {
  if (result < 0) throw bug(describeFailure(syscall, result));
  return result;
}
