/**
 * Sockets of a sandbox's network namespace, asked for before they are needed.
 *
 * Runs:     host, in the network part's process.
 * Promises: nothing waits for the sandbox: whoever wants a socket that is not there is told when it is; whoever made the
 *           sockets may be wrong or gone, and then nobody is connected any more.
 * Source:   MESSAGE_SOCKET of native/stub/protocol.h
 */
import type { TargetSockets } from "../bridge/bridge.ts";
import { EPOLLIN } from "../bridge/epoll.ts";
import { EAGAIN, isShortage } from "../bridge/errno.ts";
import type { PollSet, Resumable, Watched } from "../bridge/poll-set.ts";
import type { Addon } from "../sys/addon.ts";
import { noDescriptor, type Packet, protocol, receivePacket, sendMessage } from "../sys/protocol.ts";

const AF_INET = 2;
/** How many are kept ready. */
const poolSize = 4;
const packetsPerTurn = 2 * poolSize;

export class SocketPool implements TargetSockets, Watched, Resumable {
  readonly #addon: Addon;
  readonly #pollSet: PollSet;
  readonly #factory: number;
  readonly #room = Buffer.alloc(protocol.messageBytes);
  readonly #ready: number[] = [];
  #waiting: (() => void)[] = [];
  /** Questions without an answer yet. */
  #asked = 0;
  #id: number;
  #hasEnded = false;

  /** Owns the descriptor, on which sockets are asked for. */
  constructor(addon: Addon, pollSet: PollSet, factory: number) {
    this.#addon = addon;
    this.#pollSet = pollSet;
    this.#factory = factory;
    addon.setNonblocking(factory);
    this.#id = pollSet.add(factory, EPOLLIN, this);
    if (this.#id < 0) pollSet.retryLater(this);
    else this.#refill();
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  take(arrived: () => void): number {
    // What cannot be connected at all: the caller finds that all has ended.
    if (this.#hasEnded) return this.#addon.epollCreate();
    const socket = this.#ready.shift();
    if (socket === undefined) this.#waiting.push(arrived);
    this.#refill();
    return socket ?? -EAGAIN;
  }

  onEvents(): void {
    for (let left = packetsPerTurn; left > 0 && !this.#hasEnded && this.#receive(); left--);
    for (const arrived of this.#ready.length > 0 ? this.#waiting.splice(0) : []) arrived();
  }

  /** After a shortage, here or in the sandbox. */
  resume(): void {
    if (this.#hasEnded) return;
    if (this.#id < 0) this.#id = this.#pollSet.add(this.#factory, EPOLLIN, this);
    if (this.#id < 0) this.#pollSet.retryLater(this);
    else this.#refill();
  }

  /** The sandbox has ended: those who wait are to refuse their clients. */
  close(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#id >= 0) this.#pollSet.forget(this.#id);
    for (const fd of [this.#factory, ...this.#ready.splice(0)]) this.#addon.closeDescriptor(fd);
    for (const arrived of this.#waiting.splice(0)) arrived();
  }

  #refill(): void {
    while (this.#ready.length + this.#asked < poolSize) {
      const result = sendMessage(this.#addon, this.#factory, "socket", { value: AF_INET });
      if (result === -EAGAIN || isShortage(result)) {
        this.#pollSet.retryLater(this);
        return;
      }
      if (result < 0) return; // it is gone, which is read
      this.#asked++;
    }
  }

  /** True when there may be more. */
  #receive(): boolean {
    const packet = receivePacket(this.#addon, this.#factory, this.#room);
    if (packet === -EAGAIN) return false;
    this.#asked = Math.max(this.#asked - 1, 0);
    if (typeof packet === "object" && packet.kind === protocol.kinds.socket) this.#keep(packet);
    // Its descriptor could not be taken: there is none left in this process.
    else if (typeof packet === "number" && isShortage(packet)) this.#pollSet.retryLater(this);
    else this.close();
    return true;
  }

  /** A previous process's questions are answered as well: what is too much is closed. */
  #keep({ descriptor, secondDescriptor }: Packet): void {
    const { closeDescriptor, setNonblocking } = this.#addon;
    if (secondDescriptor !== noDescriptor) closeDescriptor(secondDescriptor);
    if (descriptor === noDescriptor) this.#pollSet.retryLater(this);
    else if (this.#ready.length < poolSize && setNonblocking(descriptor) >= 0) this.#ready.push(descriptor);
    else closeDescriptor(descriptor);
  }
}
