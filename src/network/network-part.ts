/**
 * The launcher's side of the network part: the process that talks to sandboxes, started when somebody connects.
 *
 * Runs:     host, in the launcher.
 * Promises: never reads from a connection; before the first one there is no process, only watches; a process that ends
 *           is reported and replaced, at most a few times, and then clients are refused.
 * Source:   docs/network-part.md
 */
import type { Address } from "../bridge/address.ts";
import { defaultBridgesOptions } from "../bridge/bridges.ts";
import { EPOLLIN } from "../bridge/epoll.ts";
import { PollSet, type Watched } from "../bridge/poll-set.ts";
import { makeBridgeRuleset } from "../inside/bridge-ruleset.ts";
import type { RulesetChoice } from "../landlock/ruleset.ts";
import type { Addon } from "../sys/addon.ts";
import { systemError } from "../sys/errno.ts";
import { noDescriptor } from "../sys/protocol.ts";
import type { Delivered } from "./delivered.ts";
import { type ChildOwner, NetworkChild } from "./network-child.ts";
import { type EndsOwner, SandboxEnds } from "./sandbox-ends.ts";

export interface NetworkPartOptions {
  /** All that it may ever connect to on the host's side: Landlock denies the rest. Unix sockets may be made later. */
  readonly targets: readonly Address[];
  /** Ports of sandboxes that are published, for the same reason. */
  readonly publishedPorts: readonly number[];
  /** How many connections one end has at a time; the others wait. */
  readonly connectionLimit?: number;
  /** Told why connections failed; null: nobody wants to know. */
  readonly debug: ((text: string) => void) | null;
  readonly crashed: (crash: NetworkCrash) => void;
  /** The packed fence. */
  readonly executable?: string;
}

/** The process has ended, and nobody had asked it to. */
export interface NetworkCrash {
  /** null: a signal ended it, or it was never started. */
  readonly exit: number | null;
  readonly signal: string | null;
  /** How often it will still be started anew; 0: from now on clients are refused. */
  readonly restartsLeft: number;
  /** The beginning of what it wrote to standard error, or why it was not started. */
  readonly said: string;
}

const maxCrashes = 5;
/** Times the number of crashes: how long nobody is served after one. */
const afterCrashMs = 200;

/**
 * "closed": nobody connects to anything any more. "paused": after a crash. "idle": listeners are watched. "running":
 * there is a process.
 */
type State = "idle" | "running" | "paused" | "closed";

export class NetworkPart implements Watched, EndsOwner, ChildOwner {
  readonly #addon: Addon;
  readonly #options: NetworkPartOptions;
  readonly #pollSet: PollSet;
  /** What the process is restricted by. */
  readonly ruleset: RulesetChoice;
  readonly #ruleset: number;
  readonly #sandboxes = new Map<number, SandboxEnds>();
  /** Ids in the poll set, by descriptor. */
  readonly #watched = new Map<number, number>();
  #state: State = "idle";
  #child: NetworkChild | null = null;
  #crashes = 0;
  #pause: NodeJS.Timeout | null = null;
  #lastSandbox = 0;

  /** Throws FENCE_LANDLOCK, FENCE_BRIDGE. */
  constructor(addon: Addon, options: NetworkPartOptions) {
    this.#addon = addon;
    this.#options = options;
    const inside = options.publishedPorts.map((port): Address => ({ kind: "tcp", host: "127.0.0.1", port }));
    const { choice, fd } = makeBridgeRuleset(addon, [...options.targets, ...inside]);
    this.ruleset = choice;
    this.#ruleset = fd;
    try {
      this.#pollSet = new PollSet(addon, { keepsLoopAlive: false });
    } catch (error) {
      if (fd !== noDescriptor) addon.closeDescriptor(fd);
      throw error;
    }
  }

  /** The process; null: there is none. */
  get child(): NetworkChild | null {
    return this.#child;
  }

  get isPaused(): boolean {
    return this.#state === "paused";
  }

  /**
   * The ends of one sandbox. `factory` leads to whoever makes sockets there, MESSAGE_SOCKET of native/stub/protocol.h;
   * null: it publishes nothing. The descriptor is the part's from now on.
   */
  sandbox(factory: number | null): SandboxEnds {
    this.#lastSandbox++;
    const ends = new SandboxEnds(this.#addon, this.#lastSandbox, factory, this);
    if (this.#state === "closed") {
      ends.close();
      return ends;
    }
    this.#sandboxes.set(ends.number, ends);
    if (this.#child !== null) ends.announce(this.#child, this.#connectionLimit);
    return ends;
  }

  /** Nobody is served from now on, and the process is gone. */
  close(): void {
    if (this.#state === "closed") return;
    this.#enterClosed();
    this.#pollSet.close();
    if (this.#ruleset !== noDescriptor) this.#addon.closeDescriptor(this.#ruleset);
  }

  /** Somebody has connected. */
  onEvents(): void {
    if (this.#state !== "idle") return;
    for (const [fd, id] of this.#watched) this.#pollSet.remove(fd, id);
    this.#watched.clear();
    this.#state = "running";
    const { executable = "/proc/self/exe", debug, targets } = this.#options;
    const connectsTo = targets.some(({ kind }) => kind === "unix") ? "all families" : "TCP alone";
    const child = new NetworkChild(this.#addon, this.#pollSet, this);
    this.#child = child;
    child.start({ executable, ruleset: this.#ruleset, connectsTo, isDebugging: debug !== null });
    for (const ends of this.#sandboxes.values()) ends.announce(child, this.#connectionLimit);
  }

  added(ends: SandboxEnds, index: number, listener: number): void {
    if (this.#child !== null) ends.announceEnd(this.#child, index);
    else if (this.#state === "idle") this.#watch(listener);
  }

  drainer(): NetworkChild | null {
    // A client may have come of whom no event has told yet.
    if (this.#state === "idle") this.#pollSet.poll();
    return this.#child;
  }

  removed(ends: SandboxEnds): void {
    this.#sandboxes.delete(ends.number);
    this.#child?.forget(ends.number);
    for (const listener of ends.listeners) {
      const id = this.#watched.get(listener);
      if (id !== undefined) this.#pollSet.remove(listener, id);
      this.#watched.delete(listener);
    }
  }

  onDelivered(sandbox: number, delivered: Delivered): void {
    this.#sandboxes.get(sandbox)?.delivered(delivered);
  }

  onDebug(text: string): void {
    this.#options.debug?.(text);
  }

  onEnded(crash: Omit<NetworkCrash, "restartsLeft">): void {
    if (this.#state !== "running") return;
    this.#child = null;
    this.#crashes++;
    for (const ends of [...this.#sandboxes.values()]) ends.crashed();
    const restartsLeft = maxCrashes - this.#crashes;
    if (restartsLeft === 0) this.#enterClosed();
    else this.#enterPause();
    this.#options.crashed({ ...crash, restartsLeft }); // whoever reads it finds it true
  }

  get #connectionLimit(): number {
    return this.#options.connectionLimit ?? defaultBridgesOptions.connectionLimit;
  }

  #enterPause(): void {
    this.#state = "paused";
    this.#pause = setTimeout(() => {
      this.#state = "idle";
      for (const ends of this.#sandboxes.values()) for (const listener of ends.listeners) this.#watch(listener);
    }, this.#crashes * afterCrashMs).unref();
  }

  /** The listeners go, so that clients are refused. */
  #enterClosed(): void {
    this.#state = "closed";
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#child?.end();
    this.#child = null;
    for (const ends of [...this.#sandboxes.values()]) ends.close();
  }

  #watch(listener: number): void {
    const id = this.#pollSet.add(listener, EPOLLIN, this);
    if (id < 0) throw systemError("FENCE_BRIDGE", "cannot watch a listener", "epoll_ctl", id, {});
    this.#watched.set(listener, id);
  }
}
