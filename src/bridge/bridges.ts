/**
 * All bridges of a process: opens their listeners, relays, drains and closes.
 *
 * Runs:     host and sandbox. openBridges() before the program starts; the kernel queues until Bridges relays.
 * Promises: after drain() has answered "drained", nothing that a client or a target has sent was lost by ending here.
 * Source:   docs/bridges.md
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Addon } from "../sys/addon.ts";
import type { BridgeAddresses } from "./address.ts";
import { Bridge, type BridgeOptions, type BridgeStatistics, type OpenBridge } from "./bridge.ts";
import type { RelayContext } from "./direction.ts";
import { closeListener, type Listener, openListeners, type TakeDescriptor } from "./listener.ts";
import { PipePool } from "./pipes.ts";
import { PollSet } from "./poll-set.ts";

export interface BridgesOptions extends BridgeOptions {
  /** How long a client may go on sending after it was answered by a target that is gone. */
  readonly lingerMs: number;
  /** Whether open bridges keep Node's event loop running. */
  readonly keepsLoopAlive: boolean;
}

export const defaultBridgesOptions: BridgesOptions = {
  connectionLimit: 1024,
  lingerMs: 30_000,
  keepsLoopAlive: true,
  debug: () => {},
};

export interface DrainOptions {
  /** How long nothing may move before that is taken to be for ever. */
  readonly stallMs: number;
  /** How long it may take in all. */
  readonly totalMs: number;
}

/** When the program has ended nothing new comes in, and what is there moves or does not: that bounds the total. */
export const defaultDrainOptions: DrainOptions = { stallMs: 2000, totalMs: Number.POSITIVE_INFINITY };

const bufferBytes = 128 << 10;
/** Times 1000 blocked readers, less the 256 pipes that a user without capabilities may have: 6 MB. */
const smallBufferBytes = 8 << 10;
const drainCheckMs = 5;

/**
 * Opens every listener, or none. They are closed by Bridges.close(), or by closeListener(). `take` is for listeners that
 * are descriptors. Throws FENCE_LISTEN.
 */
export function openBridges(addon: Addon, bridges: readonly BridgeAddresses[], take?: TakeDescriptor): OpenBridge[] {
  const listeners = openListeners(
    addon,
    bridges.map(({ listen }) => listen),
    take,
  );
  return bridges.flatMap(({ connect, acknowledge }, index) => {
    const listener = listeners[index];
    return listener === undefined ? [] : [{ listener, target: connect, ...(acknowledge && { acknowledge }) }];
  });
}

export class Bridges {
  readonly #addon: Addon;
  readonly #listeners: readonly Listener[];
  readonly #pollSet: PollSet;
  readonly #pipes: PipePool;
  readonly #bridges: readonly Bridge[];
  #isClosed = false;

  /** Relays from here on, until close(). Takes the listeners over. */
  constructor(addon: Addon, bridges: readonly OpenBridge[], options: Partial<BridgesOptions> = {}) {
    const all = { ...defaultBridgesOptions, ...options };
    const buffer = new Uint8Array(bufferBytes);
    this.#addon = addon;
    this.#listeners = bridges.map(({ listener }) => listener);
    addon.ignoreSigpipe();
    this.#pollSet = new PollSet(addon, all);
    this.#pipes = new PipePool(addon);
    const context: RelayContext = {
      addon,
      pollSet: this.#pollSet,
      pipes: this.#pipes,
      buffer,
      smallBuffer: buffer.subarray(0, smallBufferBytes),
      lingerMs: all.lingerMs,
    };
    this.#bridges = bridges.map((bridge) => new Bridge(context, bridge, all));
  }

  statistics(): readonly BridgeStatistics[] {
    return this.#bridges.map((bridge) => bridge.statistics());
  }

  /**
   * Accepts those who wait in the backlogs already and nobody else, and waits until nothing is on its way: everything
   * received was passed on, and the peers' kernels have it. Connections may stay open for that. A slow reader gets all
   * as long as its kernel takes some of it every `stallMs`.
   */
  async drain(options: Partial<DrainOptions> = {}): Promise<"drained" | "stalled" | "timed-out"> {
    const { stallMs, totalMs } = { ...defaultDrainOptions, ...options };
    const startedAt = performance.now();
    let progress = this.#progress;
    let movedAt = startedAt;
    for (const bridge of this.#bridges) bridge.drain();
    while (!this.#bridges.every((bridge) => bridge.isDrained)) {
      // The kernel raises no event for "the peer has it".
      await delay(drainCheckMs);
      const now = performance.now();
      const before = progress;
      progress = Math.max(this.#progress, before);
      if (progress > before) movedAt = now;
      if (now - movedAt >= stallMs) return "stalled";
      if (now - startedAt >= totalMs) return "timed-out";
    }
    return "drained";
  }

  /** Resolves when nothing has happened on any connection for so long, counted from now on. */
  async whenQuiet(quietMs: number): Promise<void> {
    const calledAt = performance.now();
    for (;;) {
      const leftMs = Math.max(this.#pollSet.lastEventAt, calledAt) + quietMs - performance.now();
      if (leftMs <= 0) return;
      await delay(leftMs);
    }
  }

  get #progress(): number {
    return this.#bridges.reduce((sum, bridge) => sum + bridge.progress, 0);
  }

  /** Ends every connection, closes the listeners and removes the files of their Unix sockets. Throws FENCE_BRIDGE. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const bridge of this.#bridges) bridge.close();
    this.#pipes.closeIdle();
    this.#pollSet.close();
    const failures = this.#listeners.map((listener) => closeListener(this.#addon, listener));
    const failure = failures.find((error) => error !== null);
    if (failure !== undefined) throw failure;
  }
}
