/**
 * One connection of a bridge: the client's socket, the target's, and the two directions between them.
 *
 * Runs:     host and sandbox.
 * Promises: a half-close is passed on as one and the other direction goes on as long as it likes; a reset is passed on
 *           as a reset, and only when nothing is unsent, unless the client gave up while the target did not read.
 * Source:   docs/bridges.md, tcp(7), unix(7)
 */
import { type ByteCount, Direction, type RelayContext } from "./direction.ts";
import { Endpoint, type EventTarget, type RelaySocket } from "./endpoint.ts";
import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from "./epoll.ts";
import { EAGAIN, ECONNREFUSED, EPIPE, isShortage } from "./errno.ts";
import type { Resumable } from "./poll-set.ts";
import { endingOf } from "./states.ts";

export interface RelayOwner {
  readonly toTarget: ByteCount;
  readonly toClient: ByteCount;
  /** The target's connect(2) has failed with this errno (a negative result). The relay is closed. */
  onRefused(syscall: string, result: number): void;
  /** Takes the client of a relay whose target has refused to another target; null: there is none. */
  retry(relay: Relay, syscall: string, result: number): ((client: number) => void) | null;
  /** Both sockets are closed. */
  onClosed(relay: Relay): void;
}

/** There is something to read, be it the end. */
const inputEvents = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
/** More than readable: after a short read there may still be an end to be read. */
const moreEvents = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;

export interface TargetSocket extends RelaySocket {
  /** connect(2) has succeeded at once. */
  readonly isConnected: boolean;
  /** It is a bridge that says with one byte, before all others, that it has reached its own target. */
  readonly acknowledges: boolean;
}

export interface ClientSocket extends RelaySocket {
  /** It waits for that byte. */
  readonly wantsAcknowledgement: boolean;
}

/** ASCII ACK. */
const acknowledgement = Uint8Array.of(6);

export class Relay implements EventTarget, Resumable {
  readonly #context: RelayContext;
  readonly #owner: RelayOwner;
  readonly #client: Endpoint;
  readonly #target: Endpoint;
  readonly #up: Direction;
  readonly #down: Direction;
  readonly #isAcknowledged: boolean;
  readonly #acknowledges: boolean;
  #isConnected: boolean;
  /** Of the client, while the target was not connected. */
  #earlyEvents = 0;
  #isClosed = false;
  #lingerTimer: NodeJS.Timeout | null = null;

  /** From here on the relay owns both descriptors. A target that is not connected yet becomes writable when it is. */
  constructor(
    context: RelayContext,
    ends: { readonly client: ClientSocket; readonly target: TargetSocket },
    owner: RelayOwner,
  ) {
    this.#context = context;
    this.#owner = owner;
    this.#isAcknowledged = ends.target.acknowledges;
    this.#acknowledges = ends.client.wantsAcknowledgement;
    this.#isConnected = ends.target.isConnected && !ends.target.acknowledges;
    this.#client = new Endpoint(ends.client, context.pollSet, this);
    this.#target = new Endpoint(ends.target, context.pollSet, this);
    const settle = () => this.#settle();
    const [client, target] = [this.#client, this.#target];
    this.#up = new Direction(context, { source: client, sink: target }, owner.toTarget, settle);
    this.#down = new Direction(context, { source: target, sink: client }, owner.toClient, settle);
    if (this.#isConnected) this.#acknowledge();
  }

  /** Begins to watch both sockets; later, when the kernel lacks memory for that. */
  start(): void {
    const result = this.#isClosed ? 0 : Math.min(this.#target.watch(), this.#client.watch());
    if (isShortage(result)) this.#context.pollSet.retryLater(this);
    else if (result < 0) this.refuse("epoll_ctl", result);
  }

  resume(): void {
    this.start();
  }

  get isDrained(): boolean {
    return this.#isClosed || (this.#isConnected && this.#up.isDrained && this.#down.isDrained);
  }

  /** Bytes that were sent on and that the peers' kernels have not taken yet. */
  get unacknowledged(): number {
    return this.#isClosed || !this.#isConnected ? 0 : this.#up.unacknowledged + this.#down.unacknowledged;
  }

  onEvents(from: Endpoint, events: number): void {
    if (this.#isClosed) return;
    if (!this.#isConnected && !this.#connected(from, events)) return;
    if ((events & (EPOLLRDHUP | EPOLLERR)) === EPOLLRDHUP) from.hasEnded = true;
    if ((events & EPOLLHUP) !== 0) from.isGone = true;
    const fromClient = from === this.#client;
    const reading = fromClient ? this.#up : this.#down;
    const writing = fromClient ? this.#down : this.#up;
    if (fromClient && (events & EPOLLERR) !== 0 && this.#clientGaveUp()) {
      this.#abort();
      return;
    }
    if ((events & inputEvents) !== 0 && !reading.isBlocked) reading.pump((events & moreEvents) !== 0);
    const wakes = writing.isBlocked && (events & (EPOLLOUT | EPOLLHUP)) !== 0;
    if (from.isGone) writing.loseSink();
    if (wakes) writing.pump(true);
    this.#settle();
  }

  /** Closes both sockets; what is unsent stays with the kernel. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#lingerTimer !== null) clearTimeout(this.#lingerTimer);
    this.#up.end();
    this.#down.end();
    for (const end of [this.#client, this.#target]) {
      end.forget();
      this.#context.addon.closeDescriptor(end.fd);
    }
    this.#owner.onClosed(this);
  }

  /** The first event of a target that was not connected yet tells how that went. Until then the client waits. */
  #connected(from: Endpoint, events: number): boolean {
    if (from === this.#client) {
      this.#earlyEvents |= events;
      return false;
    }
    const error = (events & (EPOLLERR | EPOLLHUP)) === 0 ? 0 : this.#context.addon.takeError(from.fd);
    if (error !== 0) {
      this.refuse("connect", -error);
      return false;
    }
    if (this.#isAcknowledged && !this.#receiveAcknowledgement()) return false;
    this.#isConnected = true;
    this.#acknowledge();
    if (this.#earlyEvents !== 0) this.onEvents(this.#client, this.#earlyEvents);
    return !this.#isClosed;
  }

  /** The first bytes that this client is sent, so that there is room; when it is gone the relay will find that out. */
  #acknowledge(): void {
    if (this.#acknowledges) this.#context.addon.send(this.#client.fd, acknowledgement, 0, acknowledgement.length, 0);
  }

  /** False: not yet, or never. A bridge that ends without it has not reached its target. */
  #receiveAcknowledgement(): boolean {
    const { addon, buffer } = this.#context;
    const length = addon.receive(this.#target.fd, buffer.subarray(0, acknowledgement.length));
    if (length === acknowledgement.length) return true;
    if (length !== -EAGAIN) this.refuse("connect", -ECONNREFUSED);
    return false;
  }

  /** Resets the client, because the target refused and there is no other. */
  refuse(syscall: string, result: number): void {
    const retry = this.#owner.retry(this, syscall, result);
    if (retry !== null) {
      this.#leaveClient();
      retry(this.#client.fd);
      return;
    }
    if (this.#client.kind === "tcp") this.#context.addon.resetOnClose(this.#client.fd);
    this.close();
    this.#owner.onRefused(syscall, result);
  }

  /** Closes the target alone. */
  #leaveClient(): void {
    this.#isClosed = true;
    this.#up.end();
    this.#down.end();
    this.#client.leave();
    this.#target.forget();
    this.#context.addon.closeDescriptor(this.#target.fd);
  }

  /**
   * The client has reset the connection while the target does not read, so that the end of what it sent is not in
   * sight. EPIPE: it had sent its end before, and only its answer has no reader.
   */
  #clientGaveUp(): boolean {
    if (!this.#up.isBlocked || this.#up.state !== "open" || this.#client.kind !== "tcp") return false;
    const error = this.#context.addon.takeError(this.#client.fd);
    return error !== 0 && error !== EPIPE;
  }

  #abort(): void {
    if (this.#target.kind === "tcp") this.#context.addon.resetOnClose(this.#target.fd);
    this.close();
  }

  #settle(): void {
    if (this.#isClosed) return;
    switch (endingOf(this.#up.state, this.#down.state)) {
      case "none":
        break;
      case "close":
        this.close();
        break;
      case "reset-target":
        this.#reset(this.#target);
        break;
      case "reset-client":
        this.#resetClient();
        break;
      case "leave-target":
        if (this.#hasTaken(this.#target)) this.close();
        else this.#linger(this.#target);
        break;
      case "linger":
        if (this.#up.hasLost) this.#linger(this.#client);
        break;
    }
  }

  /**
   * A target that has answered and closed without reading on resets the connection, too. A client that is busy sending
   * would lose that answer to a reset: it gets the end instead, and time.
   */
  #resetClient(): void {
    this.#up.loseSink();
    this.#up.pump(true);
    if (this.#up.hasLost && this.#down.received > 0) {
      this.#down.shutInstead();
      this.#settle();
    } else this.#reset(this.#client);
  }

  /** Closes both, with a reset for this one as soon as nothing is unsent to it. */
  #reset(end: Endpoint): void {
    const { addon } = this.#context;
    if (!this.#hasTaken(end)) {
      end.awaitSent(addon);
      return;
    }
    if (end.kind === "tcp") addon.resetOnClose(end.fd);
    this.close();
  }

  /** Looks again after a while whether this end has taken everything, and then resets it. */
  #linger(end: Endpoint): void {
    this.#lingerTimer ??= setTimeout(() => {
      this.#lingerTimer = null;
      if (this.#hasTaken(end)) this.#reset(end);
      else this.#linger(end);
    }, this.#context.lingerMs).unref();
  }

  /** Nothing is unsent. What a Unix socket was sent is its peer's already. */
  #hasTaken(end: Endpoint): boolean {
    return end.kind === "unix" || end.isGone || this.#context.addon.unsent(end.fd) <= 0;
  }
}
