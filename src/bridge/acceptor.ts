/**
 * Takes clients out of a listener's backlog, one by one, when there is all that their connection needs.
 *
 * Runs:     host and sandbox.
 * Promises: nobody is accepted and then dropped for want of something: the target's socket is there before the client
 *           is accepted. While anything lacks, the listener is not in the poll set and clients wait in its backlog.
 * Source:   accept(2), unix(7): a full backlog answers connect(2) with EAGAIN
 */

import { describeFailure } from "../sys/errno.ts";
import type { RelayContext } from "./direction.ts";
import { EPOLLIN } from "./epoll.ts";
import { EAGAIN, isShortage } from "./errno.ts";
import type { Resumable, Watched } from "./poll-set.ts";

export interface AcceptorOwner {
  /** False: at the connection limit, until roomMade() is called. */
  readonly hasRoom: boolean;
  /** A socket for the next client's target, or -errno. -EAGAIN: it is still to come, and `arrived` is called when it has. */
  newTarget(arrived: () => void): number;
  /** Whether this client may be served; it is closed otherwise. */
  admits(client: number): boolean;
  /** Takes both descriptors over. False: it did not, the target is too busy to be connected to now. */
  serve(client: number, target: number): boolean;
  debug(message: string): void;
}

/** Whether the listener is in the poll set, or what it waits for. */
type State =
  | "accepting"
  /** For a connection to end. */
  | "at-limit"
  /** For descriptors or memory: a connection to end, or a while. */
  | "short"
  /** For somebody else to make the socket for the target. */
  | "no-target"
  /** For the target's backlog: the one client that was accepted already is to be connected first. */
  | "target-busy"
  /** For nothing any more: the backlog was emptied for the last time. */
  | "ended";

const acceptsPerTurn = 64;
const retryMs = { short: 50, "target-busy": 10 } as const;

export class Acceptor implements Watched, Resumable {
  readonly #context: RelayContext;
  readonly #listener: number;
  readonly #owner: AcceptorOwner;
  #state: State = "short";
  #id = -1;
  /** The socket for the next client's target. */
  #spare = -1;
  #waiting: { readonly client: number; readonly target: number } | null = null;
  #retryTimer: NodeJS.Timeout | null = null;
  #isDraining = false;

  /** The listener stays its opener's. */
  constructor(context: RelayContext, listener: number, owner: AcceptorOwner) {
    this.#context = context;
    this.#listener = listener;
    this.#owner = owner;
    this.#accept();
  }

  /** The last client of the backlog was accepted, after drain(). */
  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /** The listener is readable. */
  onEvents(): void {
    let accepts = acceptsPerTurn;
    while (accepts > 0 && this.#acceptOne()) accepts--;
    if (accepts === 0 && this.#isDraining) this.#context.pollSet.requeue(this);
  }

  /** A connection has ended. */
  roomMade(): void {
    if (this.#state === "at-limit" || this.#state === "short") this.#accept();
  }

  #targetArrived(): void {
    if (this.#state === "no-target") this.#accept();
  }

  /** Accepts those who are in the backlog already, and then nobody. */
  drain(): void {
    this.#isDraining = true;
    if (this.#state === "accepting") this.onEvents();
  }

  resume(): void {
    if (this.#state === "accepting") this.onEvents();
  }

  close(): void {
    this.#leave("ended");
    const { addon } = this.#context;
    if (this.#spare >= 0) addon.closeDescriptor(this.#spare);
    this.#spare = -1;
    if (this.#waiting === null) return;
    addon.closeDescriptor(this.#waiting.client);
    addon.closeDescriptor(this.#waiting.target);
    this.#waiting = null;
  }

  /** True when there may be another one. */
  #acceptOne(): boolean {
    const { addon } = this.#context;
    if (!this.#owner.hasRoom) return this.#leave("at-limit");
    if (this.#spare < 0) {
      const target = this.#owner.newTarget(() => this.#targetArrived());
      if (target === -EAGAIN) return this.#leave("no-target");
      if (target < 0) return this.#lacks("socket", target);
      this.#spare = target;
    }
    const client = addon.accept(this.#listener);
    if (client === -EAGAIN) return this.#isDraining && this.#leave("ended");
    if (client < 0) return this.#lacks("accept4", client);
    if (!this.#owner.admits(client)) {
      addon.closeDescriptor(client);
      return true;
    }
    const target = this.#spare;
    this.#spare = -1;
    if (this.#owner.serve(client, target)) return true;
    this.#waiting = { client, target };
    return this.#leave("target-busy");
  }

  /** True when it helped to close the pipes that nobody uses. */
  #lacks(syscall: string, result: number): boolean {
    if (isShortage(result) && this.#context.pipes.closeIdle()) return true;
    this.#owner.debug(`clients wait: ${describeFailure(syscall, result)}`);
    return this.#leave("short");
  }

  #accept(): void {
    this.#clearRetry();
    const id = this.#context.pollSet.add(this.#listener, EPOLLIN, this);
    if (id < 0) {
      this.#lacks("epoll_ctl", id);
      return;
    }
    this.#id = id;
    this.#state = "accepting";
    // An empty backlog raises no event, and is what the drain waits for.
    if (this.#isDraining) this.#context.pollSet.requeue(this);
  }

  /** Out of the poll set, for this reason. False, because nobody is accepted now. */
  #leave(state: Exclude<State, "accepting">): false {
    if (this.#state === "accepting") this.#context.pollSet.remove(this.#listener, this.#id);
    this.#state = state;
    this.#clearRetry();
    if (state === "short" || state === "target-busy") {
      this.#retryTimer = setTimeout(() => this.#retry(), retryMs[state]).unref();
    }
    return false;
  }

  #retry(): void {
    if (this.#waiting !== null && !this.#owner.serve(this.#waiting.client, this.#waiting.target)) {
      this.#leave("target-busy");
      return;
    }
    this.#waiting = null;
    this.#accept();
  }

  #clearRetry(): void {
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
  }
}
