/**
 * One end of the channel between the launcher and the network part's process.
 *
 * Runs:     host, in both.
 * Promises: neither end waits for the other: what cannot be sent now is kept in order and sent later; a packet that is
 *           no message ends the channel; a descriptor that nobody takes is closed.
 * Source:   native/stub/protocol.h; unix(7)
 */
import { EPOLLIN, EPOLLOUT } from "../bridge/epoll.ts";
import { EAGAIN, isShortage } from "../bridge/errno.ts";
import type { PollSet, Resumable, Watched } from "../bridge/poll-set.ts";
import type { Addon } from "../sys/addon.ts";
import {
  type Contents,
  type MessageKind,
  noDescriptor,
  type Packet,
  receivePacket,
  sendMessage,
} from "../sys/protocol.ts";

export interface ChannelOwner {
  /** Descriptors are the owner's from now on. The payload is only there during the call. */
  onPacket(packet: Packet): void;
  /** The other end is closed or sends what is no message. Nothing comes any more. */
  onEnd(): void;
}

interface Queued {
  readonly kind: MessageKind;
  readonly contents: Contents;
}

/** More is no message: a sandbox has at most 200 ends. */
const longestPacket = 64 << 10;
const packetsPerTurn = 32;
const noId = -1;
/** sendmsg(2): too many descriptors are on their way. */
const ETOOMANYREFS = 109;

export class Channel implements Watched, Resumable {
  readonly #addon: Addon;
  readonly #pollSet: PollSet;
  readonly #socket: number;
  readonly #owner: ChannelOwner;
  readonly #room = Buffer.alloc(longestPacket);
  #queue: Queued[] = [];
  #id: number;
  #awaitsRoom = false;
  #isClosed = false;
  /** Two descriptors that are given up for those of a packet: without room for them the kernel would drop them. */
  readonly #reserve: number[] = [];

  /** Owns the socket. */
  constructor(addon: Addon, pollSet: PollSet, socket: number, owner: ChannelOwner) {
    this.#addon = addon;
    this.#pollSet = pollSet;
    this.#socket = socket;
    this.#owner = owner;
    addon.setNonblocking(socket);
    this.#id = noId;
    this.resume();
  }

  /** Now, or when there is room. Its descriptors must stay open until then: see forget(). */
  send(kind: MessageKind, contents: Contents = {}): void {
    if (this.#isClosed) return;
    this.#queue.push({ kind, contents });
    this.#flush();
  }

  /** What was not sent yet and can be done without. */
  get isBehind(): boolean {
    return this.#queue.length > 0;
  }

  /** What is still to be sent of this index will not be. */
  forget(index: number): void {
    this.#queue = this.#queue.filter(({ contents }) => contents.index !== index);
  }

  onEvents(events: number): void {
    if ((events & EPOLLOUT) !== 0) this.#flush();
    for (let left = packetsPerTurn; left > 0 && !this.#isClosed && this.#receive(); left--);
    if (!this.#isClosed && !this.#hasReserve()) this.#leave();
  }

  resume(): void {
    if (this.#isClosed) return;
    if (this.#id < 0 && this.#hasReserve()) this.#id = this.#pollSet.add(this.#socket, EPOLLIN, this);
    if (this.#id < 0) this.#pollSet.retryLater(this);
    else this.#flush();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue = [];
    if (this.#id >= 0) this.#pollSet.forget(this.#id);
    this.#giveUpReserve();
    this.#addon.closeDescriptor(this.#socket);
  }

  /** True when there may be more. */
  #receive(): boolean {
    if (!this.#hasReserve()) return false;
    this.#giveUpReserve();
    const packet = receivePacket(this.#addon, this.#socket, this.#room);
    if (packet === -EAGAIN) return false;
    if (typeof packet === "object") {
      this.#owner.onPacket(packet);
      return true;
    }
    this.close();
    this.#owner.onEnd();
    return false;
  }

  /** It is there, or can be had again. */
  #hasReserve(): boolean {
    while (this.#reserve.length < 2) {
      const copy = this.#addon.duplicateAboveStdio(this.#socket);
      if (copy < 0) return false;
      this.#reserve.push(copy);
    }
    return true;
  }

  #giveUpReserve(): void {
    for (const copy of this.#reserve.splice(0)) this.#addon.closeDescriptor(copy);
  }

  /** Until there are descriptors again. */
  #leave(): void {
    this.#pollSet.remove(this.#socket, this.#id);
    this.#id = noId;
    this.#awaitsRoom = false;
    this.#pollSet.retryLater(this);
  }

  #flush(): void {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const result = sendMessage(this.#addon, this.#socket, next.kind, next.contents);
      if (result === -EAGAIN) break;
      if (result === -ETOOMANYREFS || isShortage(result)) {
        this.#pollSet.retryLater(this);
        return;
      }
      this.#queue.shift(); // whatever else fails: the other end is gone, which is read
    }
    this.#awaitRoom(this.#queue.length > 0);
  }

  #awaitRoom(awaits: boolean): void {
    if (awaits === this.#awaitsRoom || this.#id < 0) return;
    this.#awaitsRoom = awaits;
    this.#pollSet.change(this.#socket, awaits ? EPOLLIN | EPOLLOUT : EPOLLIN, this.#id);
  }
}

/** Closes what a packet carried that nobody wants. */
export function closeDescriptors(addon: Addon, { descriptor, secondDescriptor }: Packet): void {
  for (const fd of [descriptor, secondDescriptor]) if (fd !== noDescriptor) addon.closeDescriptor(fd);
}
