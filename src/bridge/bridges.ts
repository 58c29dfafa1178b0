/**
 * All bridges of a process: opens their listeners, relays, drains and closes.
 *
 * Runs:     host and sandbox. openBridges() before the program starts; the kernel queues until Bridges relays.
 * Promises: after drain() has answered "drained", nothing that a client or a target has sent was lost by ending here.
 * Source:   docs/bridges.md
 */
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

/** What relays share: for those who have several Bridges. Closed by closeContext(). */
export function openContext(addon: Addon, { lingerMs, keepsLoopAlive }: BridgesOptions): RelayContext {
  const buffer = new Uint8Array(bufferBytes);
  addon.ignoreSigpipe();
  return {
    addon,
    pollSet: new PollSet(addon, { keepsLoopAlive }),
    pipes: new PipePool(addon),
    buffer,
    smallBuffer: buffer.subarray(0, smallBufferBytes),
    lingerMs,
  };
}

export function closeContext({ pipes, pollSet }: RelayContext): void {
  pipes.closeIdle();
  pollSet.close();
}

export class Bridges {
  readonly #addon: Addon;
  readonly #options: BridgesOptions;
  readonly #context: RelayContext;
  /** The context is this object's alone. */
  readonly #ownsContext: boolean;
  readonly #listeners: Listener[] = [];
  readonly #bridges: Bridge[] = [];
  #isClosed = false;

  /** Relays from here on, until close(). Takes the listeners over. A context that is given is the caller's, and closed after this. */
  constructor(
    addon: Addon,
    bridges: readonly OpenBridge[],
    options: Partial<BridgesOptions> = {},
    context: RelayContext | null = null,
  ) {
    this.#addon = addon;
    this.#options = { ...defaultBridgesOptions, ...options };
    this.#context = context ?? openContext(addon, this.#options);
    this.#ownsContext = context === null;
    for (const bridge of bridges) this.add(bridge);
  }

  /** One more. Its listener is taken over. */
  add(bridge: OpenBridge): void {
    this.#listeners.push(bridge.listener);
    this.#bridges.push(new Bridge(this.#context, bridge, this.#options));
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
      const leftMs = Math.max(this.#context.pollSet.lastEventAt, calledAt) + quietMs - performance.now();
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
    if (this.#ownsContext) closeContext(this.#context);
    const failures = this.#listeners.map((listener) => closeListener(this.#addon, listener));
    const failure = failures.find((error) => error !== null);
    if (failure !== undefined) throw failure;
  }
}

/** As node:timers/promises has it, which takes 0.2 ms to load. */
function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
