/**
 * The ends of one sandbox's connections on the host, as the launcher holds them.
 *
 * Runs:     host, in the launcher.
 * Promises: the descriptors are closed once, by close() or when everything is delivered; then clients are refused.
 * Source:   docs/network-part.md
 */
import { formatAddress } from "../bridge/address.ts";
import type { BridgeStatistics } from "../bridge/bridge.ts";
import { defaultDrainOptions } from "../bridge/bridges.ts";
import type { Addon } from "../sys/addon.ts";
import { noDescriptor } from "../sys/protocol.ts";
import type { Delivered, TransferCounts } from "./delivered.ts";
import type { NetworkChild } from "./network-child.ts";
import { endPayload, type NetworkEnd, targetOf } from "./network-end.ts";

/** "lost": the process ended before it had delivered everything, or was not there to. */
export type DrainOutcome = "drained" | "stalled" | "timed-out" | "lost";

/** What the part does for its sandboxes. */
export interface EndsOwner {
  readonly child: NetworkChild | null;
  /** The process has crashed, and its clients have not been served since. */
  readonly isPaused: boolean;
  added(ends: SandboxEnds, index: number, listener: number): void;
  /** The process that may hold something; null: there is none, and nobody waits for one. */
  drainer(): NetworkChild | null;
  /** Before their descriptors are closed. */
  removed(ends: SandboxEnds): void;
}

/** A process that has not answered by then is not waited for: the sandbox is gone. */
const drainMs = 60_000;
const noCounts: TransferCounts = { accepted: 0, refused: 0, open: 0, bytesToTarget: 0, bytesToClient: 0 };

export class SandboxEnds {
  readonly #addon: Addon;
  readonly number: number;
  readonly #factory: number | null;
  readonly #owner: EndsOwner;
  readonly #ends: NetworkEnd[] = [];
  #counts: readonly TransferCounts[] = [];
  #drained: PromiseWithResolvers<DrainOutcome> | null = null;
  #isClosed = false;

  constructor(addon: Addon, number: number, factory: number | null, owner: EndsOwner) {
    this.#addon = addon;
    this.number = number;
    this.#factory = factory;
    this.#owner = owner;
  }

  get listeners(): readonly number[] {
    return this.#ends.map(({ listener }) => listener);
  }

  /** From now on clients of this listener are served, or refused after close(). Its descriptor is the part's. */
  add(end: NetworkEnd): void {
    if (this.#isClosed) {
      this.#addon.closeDescriptor(end.listener);
      return;
    }
    this.#addon.setNonblocking(end.listener);
    this.#ends.push(end);
    this.#owner.added(this, this.#ends.length - 1, end.listener);
  }

  /** In the order of add(). What each has done is known when it was drained, and not of a process that crashed. */
  statistics(): readonly BridgeStatistics[] {
    return this.#ends.map((end, i) => ({
      listen: formatAddress(end.listen),
      connect: targetOf(end),
      ...(this.#counts[i] ?? noCounts),
    }));
  }

  /**
   * When the sandbox has ended: those who wait are accepted and everything that was sent is delivered, as Bridges.drain()
   * has it; then all is closed.
   */
  async drain({ stallMs }: { readonly stallMs: number } = defaultDrainOptions): Promise<DrainOutcome> {
    if (this.#isClosed) return "lost";
    if (this.#drained !== null) return this.#drained.promise;
    const child = this.#owner.drainer();
    if (child === null) {
      const outcome = this.#owner.isPaused ? "lost" : "drained";
      this.close();
      return outcome;
    }
    this.#drained = Promise.withResolvers<DrainOutcome>();
    const timer = setTimeout(() => this.#drained?.resolve("timed-out"), drainMs);
    child.send("drain", { index: this.number, value: stallMs });
    const outcome = await this.#drained.promise;
    clearTimeout(timer);
    this.close();
    return outcome;
  }

  announce(child: NetworkChild, connectionLimit: number): void {
    const descriptors = [this.#factory ?? noDescriptor] as const;
    child.send("sandbox", { index: this.number, value: connectionLimit, descriptors });
    for (const index of this.#ends.keys()) this.announceEnd(child, index);
  }

  announceEnd(child: NetworkChild, index: number): void {
    const end = this.#ends[index];
    if (end === undefined) return;
    child.send("endpoint", { index: this.number, descriptors: [end.listener], payload: endPayload(end) });
  }

  delivered({ outcome, counts }: Delivered): void {
    this.#counts = counts;
    this.#drained?.resolve(outcome);
  }

  /** There is no process any more that could deliver. */
  crashed(): void {
    this.#drained?.resolve("lost");
  }

  /** Ends every connection at once. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#owner.removed(this);
    this.#owner.child?.send("close", { index: this.number });
    for (const listener of this.listeners) this.#addon.closeDescriptor(listener);
    if (this.#factory !== null) this.#addon.closeDescriptor(this.#factory);
    this.#drained?.resolve("lost");
  }
}
