/**
 * One bridge: a listener, its target, and the relays between them.
 *
 * Runs:     host and sandbox.
 * Promises: a client whose target refuses is reset at once, counted and logged; never more relays than the limit.
 * Source:   docs/bridges.md
 */

import { bug } from "../base/errors.ts";
import { describeFailure } from "../sys/errno.ts";
import { Acceptor, type AcceptorOwner } from "./acceptor.ts";
import { type Address, formatAddress, isLoopback } from "./address.ts";
import type { ConnectionLimit } from "./connection-limit.ts";
import type { RelayContext } from "./direction.ts";
import { EAGAIN, ECONNREFUSED, EINPROGRESS, isShortage } from "./errno.ts";
import type { Listener } from "./listener.ts";
import { Relay, type RelayOwner } from "./relay.ts";
import { encodeAddress, familyOf } from "./sockaddr.ts";

/** A listener that is open, and where its connections go. */
export interface OpenBridge {
  readonly listener: Listener;
  readonly target: Address;
  /** What messages and statistics call the target; without it, its address. */
  readonly targetName?: string;
  /** Tried in turn for a client whose target refuses. */
  readonly alternatives?: readonly Address[];
  /** Makes the sockets that connect to the target, in place of this process. */
  readonly sockets?: TargetSockets;
  /** The target is a bridge that says when it has reached its own target: until then a client may still be refused. */
  readonly awaitsAcknowledgement?: true;
  /** The client is such a bridge. */
  readonly acknowledge?: true;
  /** Whether this client, just accepted, may be served; everybody may when there is no such word. */
  readonly admits?: (client: number) => boolean;
}

/** Sockets that come from elsewhere, such as another network namespace. */
export interface TargetSockets {
  /** One that is not connected, non-blocking and the caller's; -EAGAIN: none is there, and `arrived` will be called; or -errno. */
  take(arrived: () => void): number;
  /** No more will come: whatever was taken last is not to be connected. */
  readonly hasEnded: boolean;
}

export interface BridgeOptions {
  /** How many connections one bridge has at a time; the others wait. */
  readonly connectionLimit: number;
  /** Those that it shares with other bridges. */
  readonly sharedLimits?: readonly ConnectionLimit[];
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

interface Target {
  readonly address: Address;
  /** In messages. */
  readonly says: string;
  /** As the kernel reads it. */
  readonly name: Uint8Array;
  /** Its congestion control is for the network that it goes through. */
  readonly isPaced: boolean;
}

export class Bridge implements AcceptorOwner, RelayOwner {
  readonly toTarget = { bytes: 0 };
  readonly toClient = { bytes: 0 };
  readonly #context: RelayContext;
  readonly #options: BridgeOptions;
  readonly #listener: Listener;
  readonly #bridge: OpenBridge;
  readonly #targets: readonly Target[];
  /** Each with the index of its target. */
  readonly #relays = new Map<Relay, number>();
  readonly #acceptor: Acceptor;
  readonly #sharedLimits: readonly ConnectionLimit[];
  readonly #roomMade = (): void => this.#acceptor.roomMade();
  #accepted = 0;
  #refused = 0;

  constructor(context: RelayContext, bridge: OpenBridge, options: BridgeOptions) {
    this.#context = context;
    this.#options = options;
    this.#listener = bridge.listener;
    this.#bridge = bridge;
    this.#targets = [
      targetOf(bridge.target, bridge.targetName),
      ...(bridge.alternatives ?? []).map((each) => targetOf(each)),
    ];
    this.#sharedLimits = options.sharedLimits ?? [];
    this.#acceptor = new Acceptor(context, bridge.listener.fd, this);
    for (const limit of this.#sharedLimits) limit.join(this.#roomMade);
  }

  get hasRoom(): boolean {
    return this.#relays.size < this.#options.connectionLimit && this.#sharedLimits.every(({ hasRoom }) => hasRoom);
  }

  /** Everybody in the backlog was accepted, and nothing of theirs is on its way. */
  get isDrained(): boolean {
    return this.#acceptor.hasEnded && [...this.#relays.keys()].every((relay) => relay.isDrained);
  }

  /** Grows with every client that is accepted or served and with every byte that a peer's kernel takes. */
  get progress(): number {
    const unacknowledged = [...this.#relays.keys()].reduce((sum, relay) => sum + relay.unacknowledged, 0);
    const served = this.#accepted - this.#relays.size;
    return this.#accepted + served + this.toTarget.bytes + this.toClient.bytes - unacknowledged;
  }

  statistics(): BridgeStatistics {
    return {
      listen: formatAddress(this.#listener.address),
      connect: this.#target(0).says,
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
    for (const limit of this.#sharedLimits) limit.leave(this.#roomMade);
    for (const relay of this.#relays.keys()) relay.close();
  }

  admits(client: number): boolean {
    return this.#bridge.admits?.(client) ?? true;
  }

  newTarget(arrived: () => void): number {
    return this.#bridge.sockets?.take(arrived) ?? this.#context.addon.socket(familyOf(this.#bridge.target));
  }

  serve(client: number, target: number): boolean {
    const result = this.#connect(target, 0);
    if (result === -EAGAIN || isShortage(result)) return false;
    this.#accepted++;
    for (const limit of this.#sharedLimits) limit.opened();
    this.#relay(client, target, { at: 0, result });
    return true;
  }

  retry(relay: Relay, syscall: string, result: number): ((client: number) => void) | null {
    const at = (this.#relays.get(relay) ?? 0) + 1;
    const next = this.#targets[at];
    const target = next === undefined ? -1 : this.#context.addon.socket(familyOf(next.address));
    if (target < 0) return null;
    this.debug(`${this.#failure(at - 1, syscall, result)}, trying the next address`);
    return (client) => {
      this.#relays.delete(relay);
      this.#relay(client, target, { at, result: this.#connect(target, at) });
    };
  }

  onRefused(syscall: string, result: number): void {
    this.#refused++;
    this.debug(this.#failure(this.#targets.length - 1, syscall, result));
  }

  onClosed(relay: Relay): void {
    this.#relays.delete(relay);
    this.#acceptor.roomMade();
    for (const limit of this.#sharedLimits) limit.closed();
  }

  /** The result of connect(2). */
  #connect(fd: number, at: number): number {
    const { addon } = this.#context;
    const { address, name, isPaced } = this.#target(at);
    if (this.#bridge.sockets?.hasEnded === true) return -ECONNREFUSED;
    if (address.kind === "tcp") {
      addon.noDelay(fd);
      // Before connect(2): what has paced once goes on pacing.
      if (!isPaced) addon.doNotPace(fd);
    }
    return addon.connect(fd, name);
  }

  #relay(client: number, target: number, { at, result }: { readonly at: number; readonly result: number }): void {
    const { acknowledge = false, awaitsAcknowledgement = false } = this.#bridge;
    const { address, isPaced } = this.#target(at);
    const connected = { isConnected: result === 0, acknowledges: awaitsAcknowledgement };
    const relay = new Relay(
      this.#context,
      {
        client: { fd: client, kind: this.#listener.kind, isPaced: false, wantsAcknowledgement: acknowledge },
        target: { fd: target, kind: address.kind, isPaced, ...connected },
      },
      this,
    );
    this.#relays.set(relay, at);
    if (result < 0 && result !== -EINPROGRESS) relay.refuse("connect", result);
    else relay.start();
  }

  #target(at: number): Target {
    const target = this.#targets[at];
    if (target === undefined) throw bug(`a bridge has no target ${at}`);
    return target;
  }

  #failure(at: number, syscall: string, result: number): string {
    return `cannot connect to ${this.#target(at).says}: ${describeFailure(syscall, result)}`;
  }

  debug(message: string): void {
    this.#options.debug(`bridge ${formatAddress(this.#listener.address)}: ${message}`);
  }
}

function targetOf(address: Address, says = formatAddress(address)): Target {
  const isPaced = address.kind === "tcp" && !isLoopback(address.host);
  return { address, says, name: encodeAddress(address), isPaced };
}
