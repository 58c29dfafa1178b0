/**
 * The pipes that splice(2) moves bytes through. A direction holds one only while there are bytes in it.
 *
 * Runs:     host and sandbox.
 * Promises: a pipe that is given out is empty and holds pipeBytes; without descriptors or past the user's limit there
 *           is none, and whoever asks copies instead.
 * Source:   pipe(7): an unprivileged user may have 64 MiB of pipes, then they shrink
 */
import type { Addon } from "../sys/addon.ts";

export const pipeBytes = 256 << 10;

export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

const idleLimit = 32;
const refusalsBetweenTries = 64;

export class PipePool {
  readonly #addon: Addon;
  readonly #idle: Pipe[] = [];
  readonly #ends = new Int32Array(2);
  /** How often take() may still be refused before the kernel is asked again. */
  #refusals = 0;

  constructor(addon: Addon) {
    this.#addon = addon;
  }

  /** The last pipe that was asked for could not be had. */
  get scarce(): boolean {
    return this.#refusals > 0;
  }

  /** The caller gives it back when it is empty, or discards it. Null: there is none now. */
  take(): Pipe | null {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#refusals > 1) {
      this.#refusals--;
      return null;
    }
    const made = this.#make();
    this.#refusals = made === null ? refusalsBetweenTries : 0;
    return made;
  }

  /** Takes an empty pipe back. */
  give(pipe: Pipe): void {
    this.#refusals = 0;
    if (this.#idle.length < idleLimit) this.#idle.push(pipe);
    else this.#close(pipe);
  }

  /** Closes a pipe together with what is in it. */
  discard(pipe: Pipe): void {
    this.#refusals = 0;
    this.#close(pipe);
  }

  /** Frees the descriptors of the pipes that nobody uses; answers whether there were any. */
  closeIdle(): boolean {
    const idle = this.#idle.splice(0);
    for (const pipe of idle) this.#close(pipe);
    return idle.length > 0;
  }

  #make(): Pipe | null {
    if (this.#addon.pipe(this.#ends) < 0) return null;
    const [readEnd = -1, writeEnd = -1] = this.#ends;
    const pipe = { readEnd, writeEnd };
    if (this.#addon.setPipeSize(writeEnd, pipeBytes) >= pipeBytes) return pipe;
    this.#close(pipe);
    return null;
  }

  #close(pipe: Pipe): void {
    this.#addon.closeDescriptor(pipe.readEnd);
    this.#addon.closeDescriptor(pipe.writeEnd);
  }
}
