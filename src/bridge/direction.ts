/**
 * Moves the bytes of one direction of a relay, from its source to its sink.
 *
 * Runs:     host and sandbox.
 * Promises: delivers all bytes in order; holds at most one buffer or one pipe of them, and reads no further until the
 *           sink has taken them; holds nothing and no pipe while idle.
 * Source:   docs/bridges.md, splice(2)
 */
import type { Addon } from "../sys/addon.ts";
import type { Endpoint } from "./endpoint.ts";
import { EAGAIN, EPIPE, isShortage } from "./errno.ts";
import { type Pipe, type PipePool, pipeBytes } from "./pipes.ts";
import type { PollSet, Resumable } from "./poll-set.ts";
import { type DirectionState, isFinal, nextState } from "./states.ts";

/** What all relays of the process share. */
export interface RelayContext {
  readonly addon: Addon;
  readonly pollSet: PollSet;
  readonly pipes: PipePool;
  /** Whatever one read and the write that follows it pass on. Nothing stays in it. */
  readonly buffer: Uint8Array;
  /** Its beginning: what may be held for each direction when there are no pipes. */
  readonly smallBuffer: Uint8Array;
  readonly lingerMs: number;
}

export interface ByteCount {
  bytes: number;
}

/**
 * Bytes are copied until so many came, and much at a time; and again when little comes at a time. From a Unix socket to
 * TCP that is paced they are always copied: splice(2) takes three times the processor's time there (BBR, Linux 6.18).
 */
const spliceAfterBytes = 256 << 10;
const muchBytes = 64 << 10;
const littleBytes = 16 << 10;
/** send(2): the end follows at once, and travels together with these bytes. */
const MSG_MORE = 0x8000;
/** How often one direction may go round before the others have their turn. */
const roundsPerTurn = 16;

export class Direction implements Resumable {
  state: DirectionState = "open";
  /** The sink is full. Its next "writable" goes on. */
  isBlocked = false;
  /** Bytes that the source has given. */
  received = 0;
  /** Some of them were thrown away, because the sink was gone. */
  hasLost = false;
  readonly #context: RelayContext;
  readonly #source: Endpoint;
  readonly #sink: Endpoint;
  readonly #delivered: ByteCount;
  readonly #onResumed: () => void;
  readonly #isSpliced: boolean;
  #isBulk = false;
  #isQueued = false;
  #pipe: Pipe | null = null;
  #inPipe = 0;
  /** Only when there was no pipe to hold it. */
  #tail: Uint8Array | null = null;
  #tailStart = 0;

  constructor(
    context: RelayContext,
    ends: { readonly source: Endpoint; readonly sink: Endpoint },
    delivered: ByteCount,
    onResumed: () => void,
  ) {
    this.#context = context;
    this.#source = ends.source;
    this.#sink = ends.sink;
    this.#isSpliced = ends.source.kind === "tcp" || !ends.sink.isPaced;
    this.#delivered = delivered;
    this.#onResumed = onResumed;
  }

  /** Nothing that could still be delivered is on its way: neither in our hands nor in the kernel's. */
  get isDrained(): boolean {
    if (this.state === "discarding" || this.state === "lost") return true;
    if (this.#holdsBytes || this.state === "draining" || this.state === "aborting") return false;
    if (this.state === "open" && this.#context.addon.unread(this.#source.fd) > 0) return false;
    return this.unacknowledged === 0;
  }

  /** Bytes that were sent on and that the sink's kernel has not taken yet. None count once the sink is gone. */
  get unacknowledged(): number {
    if (this.#sink.kind === "unix" || this.state === "discarding" || this.state === "lost") return 0;
    return Math.max(this.#context.addon.unacknowledged(this.#sink.fd), 0);
  }

  /**
   * Goes on until the source is empty, the sink is full, all is over or the others must have their turn. After a short
   * read the source is empty, unless `more` says that it was more than readable (its end is near).
   */
  pump(more: boolean): void {
    this.isBlocked = false;
    let rounds = roundsPerTurn;
    while (rounds > 0 && this.#round(more)) rounds--;
    if (rounds === 0) this.#requeue();
    if (this.#inPipe === 0) this.#givePipeBack();
  }

  resume(): void {
    this.#isQueued = false;
    if (isFinal(this.state)) return;
    this.pump(true);
    this.#onResumed();
  }

  /** Nothing can be delivered any more. */
  loseSink(): void {
    if (isFinal(this.state) || this.state === "discarding") return;
    this.state = nextState(this.state, "sink-gone");
    this.isBlocked = false;
    this.hasLost ||= this.#holdsBytes;
    this.#drop();
  }

  /** The sink gets an end where it would have got a reset. */
  shutInstead(): void {
    this.#shut("spared");
  }

  /** The relay is closed: whatever is held goes. */
  end(): void {
    this.state = "lost";
    this.#drop();
  }

  get #holdsBytes(): boolean {
    return this.#inPipe > 0 || this.#tail !== null;
  }

  /** True when another round may move more. */
  #round(more: boolean): boolean {
    if (this.#tail !== null) return this.#sendTail(this.#tail);
    const pipe = this.#inPipe > 0 || (this.#isBulk && this.state === "open") ? this.#takePipe() : null;
    if (pipe !== null) return this.#spliceRound(pipe);
    switch (this.state) {
      case "open":
        return this.#copyRound(more);
      case "discarding":
        return this.#discardRound();
      case "draining":
      case "aborting":
        this.#shut("drained");
        return false;
      default:
        return false;
    }
  }

  #copyRound(more: boolean): boolean {
    const { addon, pipes, smallBuffer } = this.#context;
    const buffer = pipes.scarce ? smallBuffer : this.#context.buffer;
    const size = addon.receive(this.#source.fd, buffer);
    if (size <= 0) return this.#sourceSays(size);
    this.received += size;
    if (size >= Math.min(muchBytes, buffer.length)) this.#isBulk = this.#isSpliced && this.received >= spliceAfterBytes;
    const sent = addon.send(this.#sink.fd, buffer, 0, size, this.#source.hasEnded ? MSG_MORE : 0);
    if (sent > 0) this.#delivered.bytes += sent;
    if (sent === size) return more || size === buffer.length;
    this.#hold(buffer.subarray(Math.max(sent, 0), size));
    return this.#sinkSays(sent < 0 ? sent : -EAGAIN);
  }

  /** Fills the pipe, then empties it. While the sink is slow the pipe is filled up to its half before we wait. */
  #spliceRound(pipe: Pipe): boolean {
    const filled = this.#isBulk && this.state === "open" && this.#fill(pipe);
    if (this.#inPipe === 0) return filled;
    const sent = this.#context.addon.splice(pipe.readEnd, this.#sink.fd, this.#inPipe);
    if (sent < 0) return (sent === -EAGAIN && filled && this.#inPipe < pipeBytes / 2) || this.#sinkSays(sent);
    this.#inPipe -= sent;
    this.#delivered.bytes += sent;
    return true;
  }

  /** True when there is more in the pipe than before, or the source's end was met. */
  #fill(pipe: Pipe): boolean {
    const room = pipeBytes - this.#inPipe;
    if (room === 0) return false;
    const size = this.#context.addon.splice(this.#source.fd, pipe.writeEnd, room);
    if (size <= 0) return this.#sourceSays(size);
    this.received += size;
    this.#inPipe += size;
    this.#isBulk = size >= littleBytes;
    return true;
  }

  #sendTail(tail: Uint8Array): boolean {
    const sent = this.#context.addon.send(this.#sink.fd, tail, this.#tailStart, tail.length, 0);
    if (sent < 0) return this.#sinkSays(sent);
    this.#delivered.bytes += sent;
    this.#tailStart += sent;
    if (this.#tailStart < tail.length) return this.#sinkSays(-EAGAIN);
    this.#tail = null;
    return true;
  }

  #discardRound(): boolean {
    const size = this.#context.addon.receive(this.#source.fd, this.#context.buffer);
    if (size <= 0) return this.#sourceSays(size);
    this.hasLost = true;
    return true;
  }

  /** What a read answered instead of bytes: nothing now, or the end. True: the end. */
  #sourceSays(result: number): boolean {
    if (result === -EAGAIN) return false;
    if (isShortage(result)) {
      this.#context.pollSet.retryLater(this);
      return false;
    }
    // A Unix peer that closed with unread input reads as ECONNRESET: all that it sent is here, so that is its end.
    const wasReset = this.#source.kind === "tcp" && (result < 0 || this.#source.wasReset);
    this.state = nextState(this.state, wasReset ? "source-reset" : "source-ended");
    return true;
  }

  /** What a write answered instead of taking all: full, or gone. True: gone. */
  #sinkSays(result: number): boolean {
    if (result === -EAGAIN) {
      this.isBlocked = true;
      this.#sink.awaitRoom();
      return false;
    }
    if (isShortage(result)) {
      this.isBlocked = true;
      this.#context.pollSet.retryLater(this);
      return false;
    }
    if (result !== -EPIPE && this.#sink.kind === "tcp") this.#sink.wasReset = true;
    this.loseSink();
    return true;
  }

  #shut(event: "drained" | "spared"): void {
    this.state = nextState(this.state, event);
    // Fails only when the sink has just gone, which its events tell.
    if (this.state === "shut") this.#context.addon.shutdownWrite(this.#sink.fd);
  }

  /** In a pipe the bytes cost this process no memory. An empty pipe takes a whole buffer. */
  #hold(rest: Uint8Array): void {
    const pipe = this.#takePipe();
    if (pipe !== null && this.#context.addon.writePipe(pipe.writeEnd, rest, 0, rest.length) === rest.length) {
      this.#inPipe = rest.length;
      return;
    }
    this.#drop();
    this.#tail = rest.slice();
    this.#tailStart = 0;
  }

  #takePipe(): Pipe | null {
    this.#pipe ??= this.#context.pipes.take();
    return this.#pipe;
  }

  #givePipeBack(): void {
    if (this.#pipe === null) return;
    this.#context.pipes.give(this.#pipe);
    this.#pipe = null;
  }

  #requeue(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#context.pollSet.requeue(this);
  }

  /** Throws away what is held. */
  #drop(): void {
    this.#tail = null;
    if (this.#pipe !== null) this.#context.pipes.discard(this.#pipe);
    this.#pipe = null;
    this.#inPipe = 0;
  }
}
