/**
 * One of the two sockets of a relay, in the poll set.
 *
 * Runs:     host and sandbox.
 * Promises: an idle Unix socket wakes nobody when its peer reads: it reports "writable" only once that was needed.
 * Source:   epoll(7), unix(7)
 */
import type { Addon } from "../sys/addon.ts";
import type { Address } from "./address.ts";
import { EPOLLET, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from "./epoll.ts";
import type { PollSet, Watched } from "./poll-set.ts";

/** EPOLLPRI: a read stops short at urgent data, and what lies behind it raises no event of its own. */
const inputEvents = EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET;

export interface RelaySocket {
  readonly fd: number;
  readonly kind: Address["kind"];
  /** Its congestion control may pace what is sent: TCP beyond the loopback interface. */
  readonly isPaced: boolean;
}

export interface EventTarget {
  onEvents(from: Endpoint, events: number): void;
}

export class Endpoint implements Watched {
  readonly fd: number;
  readonly kind: Address["kind"];
  readonly isPaced: boolean;
  /** A reset was seen by a write; a later read says "end" only. Never set for a Unix socket, which has no resets. */
  wasReset = false;
  /** The peer has sent its end: what can still be read is all. */
  hasEnded = false;
  /** The peer is gone altogether: nothing can be sent to it. */
  isGone = false;
  readonly #pollSet: PollSet;
  readonly #relay: EventTarget;
  #id = -1;
  #awaitsSent = false;
  #events: number;

  constructor({ fd, kind, isPaced }: RelaySocket, pollSet: PollSet, relay: EventTarget) {
    this.fd = fd;
    this.kind = kind;
    this.isPaced = isPaced;
    this.#pollSet = pollSet;
    this.#relay = relay;
    // A TCP socket reports "writable" only after a write found it full, a Unix socket whenever its peer has read.
    this.#events = kind === "tcp" ? inputEvents | EPOLLOUT : inputEvents;
  }

  /** 0 or more, or -errno; then it may be tried again. */
  watch(): number {
    if (this.#id < 0) this.#id = this.#pollSet.add(this.fd, this.#events, this);
    return this.#id;
  }

  onEvents(events: number): void {
    this.#relay.onEvents(this, events);
  }

  /** A write found the socket full: from now on it reports that there is room, at once if there is some already. */
  awaitRoom(): void {
    if ((this.#events & EPOLLOUT) === 0) this.#reportAnew();
  }

  /** TCP only: reports "writable" as soon as nothing is unsent. */
  awaitSent(addon: Addon): void {
    if (this.#awaitsSent) return;
    this.#awaitsSent = true;
    addon.writableWhenSent(this.fd);
    this.#reportAnew();
  }

  /** The descriptor stays open, for another relay. */
  leave(): void {
    if (this.#id >= 0) this.#pollSet.remove(this.fd, this.#id);
  }

  /** Before the descriptor is closed. */
  forget(): void {
    this.#pollSet.forget(this.#id);
  }

  /** The kernel looks again at what is true now, and raises an event for it. So it does when watch() succeeds late. */
  #reportAnew(): void {
    this.#events |= EPOLLOUT;
    if (this.#id >= 0) this.#pollSet.change(this.fd, this.#events, this.#id);
  }
}
