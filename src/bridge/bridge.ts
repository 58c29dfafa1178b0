/**
 * One bridge: a listener, its target, and the relays between them.
 *
 * Runs:     host and sandbox.
 * Promises: a client whose target refuses is reset at once, counted and logged; never more relays than the limit.
 * Source:   docs/bridges.md
 */

import { describeFailure } from "../sys/errno.ts";
import { Acceptor, type AcceptorOwner } from "./acceptor.ts";
import { type Address, formatAddress, isLoopback } from "./address.ts";
import type { RelayContext } from "./direction.ts";
import { EAGAIN, EINPROGRESS, isShortage } from "./errno.ts";
import type { Listener } from "./listener.ts";
import { Relay, type RelayOwner } from "./relay.ts";
import { encodeAddress, familyOf } from "./sockaddr.ts";

/** A listener that is open, and where its connections go. */
export interface OpenBridge {
  readonly listener: Listener;
  readonly target: Address;
}

export interface BridgeOptions {
  /** How many connections one bridge has at a time; the others wait. */
  readonly connectionLimit: number;
  /** Told why a connection failed. */
  readonly debug: (message: string) => void;
}

export interface BridgeStatistics {
  readonly listen: string;
  readonly connect: string;
  /** Clients that were accepted, those included whose target then refused. */
  readonly accepted: number;
  /** Clients that were reset because the target refused. */
  readonly refused: number;
  readonly open: number;
  readonly bytesToTarget: number;
  readonly bytesToClient: number;
}

export class Bridge implements AcceptorOwner, RelayOwner {
  readonly targetFamily: number;
  readonly toTarget = { bytes: 0 };
  readonly toClient = { bytes: 0 };
  readonly #context: RelayContext;
  readonly #options: BridgeOptions;
  readonly #listener: Listener;
  readonly #target: Address;
  readonly #targetName: Uint8Array;
  /** Its congestion control is for the network that it goes through. */
  readonly #isTargetPaced: boolean;
  readonly #relays = new Set<Relay>();
  readonly #acceptor: Acceptor;
  #accepted = 0;
  #refused = 0;

  constructor(context: RelayContext, { listener, target }: OpenBridge, options: BridgeOptions) {
    this.#context = context;
    this.#options = options;
    this.#listener = listener;
    this.#target = target;
    this.#targetName = encodeAddress(target);
    this.#isTargetPaced = target.kind === "tcp" && !isLoopback(target.host);
    this.targetFamily = familyOf(target);
    this.#acceptor = new Acceptor(context, listener.fd, this);
  }

  get hasRoom(): boolean {
    return this.#relays.size < this.#options.connectionLimit;
  }

  /** Everybody in the backlog was accepted, and nothing of theirs is on its way. */
  get isDrained(): boolean {
    return this.#acceptor.hasEnded && [...this.#relays].every((relay) => relay.isDrained);
  }

  /** Grows with every client that is accepted or served and with every byte that a peer's kernel takes. */
  get progress(): number {
    const unacknowledged = [...this.#relays].reduce((sum, relay) => sum + relay.unacknowledged, 0);
    const served = this.#accepted - this.#relays.size;
    return this.#accepted + served + this.toTarget.bytes + this.toClient.bytes - unacknowledged;
  }

  statistics(): BridgeStatistics {
    return {
      listen: formatAddress(this.#listener.address),
      connect: formatAddress(this.#target),
      accepted: this.#accepted,
      refused: this.#refused,
      open: this.#relays.size,
      bytesToTarget: this.toTarget.bytes,
      bytesToClient: this.toClient.bytes,
    };
  }

  drain(): void {
    this.#acceptor.drain();
  }

  /** The listener stays its opener's. */
  close(): void {
    this.#acceptor.close();
    for (const relay of this.#relays) relay.close();
  }

  serve(client: number, target: number): boolean {
    const { addon } = this.#context;
    if (this.#target.kind === "tcp") {
      addon.noDelay(target);
      // Before connect(2): what has paced once goes on pacing.
      if (!this.#isTargetPaced) addon.doNotPace(target);
    }
    const result = addon.connect(target, this.#targetName);
    if (result === -EAGAIN || isShortage(result)) return false;
    this.#accepted++;
    const relay = new Relay(
      this.#context,
      {
        client: { fd: client, kind: this.#listener.address.kind, isPaced: false },
        target: { fd: target, kind: this.#target.kind, isPaced: this.#isTargetPaced, isConnected: result === 0 },
      },
      this,
    );
    this.#relays.add(relay);
    if (result < 0 && result !== -EINPROGRESS) relay.refuse("connect", result);
    else relay.start();
    return true;
  }

  onRefused(syscall: string, result: number): void {
    this.#refused++;
    this.debug(`cannot connect to ${formatAddress(this.#target)}: ${describeFailure(syscall, result)}`);
  }

  onClosed(relay: Relay): void {
    this.#relays.delete(relay);
    this.#acceptor.roomMade();
  }

  debug(message: string): void {
    this.#options.debug(`bridge ${formatAddress(this.#listener.address)}: ${message}`);
  }
}
