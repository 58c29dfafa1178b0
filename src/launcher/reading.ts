/**
 * What the processes of a sandbox write to a pipe.
 *
 * Runs:     host, in the launcher.
 * Promises: bounded: what the sandbox writes does not fill the launcher's memory; whoever waits for the end gets it, also
 *           when this process has nothing else to wait for. Without node:net, which takes 3 ms to load.
 */
import { readSync } from "node:fs";
import type { Addon } from "../sys/addon.ts";
import { systemError } from "../sys/errno.ts";

/** What may be said before it is cut. */
const maxBytes = 64 << 10;

export class Reading {
  /** Takes each line as it comes, without its end. */
  lines: (text: string) => void = () => {};
  /** So far. */
  text = "";
  readonly #addon: Addon;
  readonly #fd: number;
  readonly #decoder = new TextDecoder();
  readonly #buffer = Buffer.alloc(maxBytes);
  readonly #whole = Promise.withResolvers<string>();
  /** null: it has ended. */
  #watch: number | null;
  #line = "";

  /** `fd` is the pipe's reading end, non-blocking, closed when nobody can write any more, or when this throws FENCE_LAUNCH. */
  constructor(addon: Addon, fd: number) {
    this.#addon = addon;
    this.#fd = fd;
    this.#whole.promise.catch(() => {}); // whoever awaits it is told
    try {
      this.#watch = this.#watched("no"); // or a launch that has failed would not end
    } catch (error) {
      addon.closeDescriptor(fd);
      throw error;
    }
  }

  /** Settles when nobody can write any more. Throws what reading does, and what `lines` does. */
  whole(): Promise<string> {
    if (this.#watch !== null) {
      this.#addon.unwatch(this.#watch);
      this.#watch = this.#watched("yes"); // or Node would end without a word when nothing else is open
    }
    return this.#whole.promise;
  }

  /** Whatever is still written is lost. */
  close(): void {
    if (this.#watch !== null) this.#end();
  }

  #watched(keepsLoopAlive: "yes" | "no"): number {
    const watch = this.#addon.watch(this.#fd, () => this.#onReadable(), keepsLoopAlive === "yes");
    if (watch >= 0) return watch;
    throw systemError("FENCE_LAUNCH", "cannot watch a pipe of the sandbox", "epoll_ctl", watch, {});
  }

  #onReadable(): void {
    try {
      this.#read();
    } catch (error) {
      this.#whole.reject(error);
      this.close();
    }
  }

  #read(): void {
    const sizeBytes = this.#readSome();
    if (sizeBytes === null) return;
    if (sizeBytes === 0) this.#end();
    else this.#take(this.#decoder.decode(this.#buffer.subarray(0, sizeBytes), { stream: true }));
  }

  /** 0 at the end; null: nothing yet. */
  #readSome(): number | null {
    try {
      return readSync(this.#fd, this.#buffer);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return null;
      throw error;
    }
  }

  #take(more: string): void {
    if (this.text.length < maxBytes) this.text += more;
    const lines = `${this.#line}${more}`.split("\n");
    const last = lines.pop() ?? "";
    for (const line of lines) this.lines(line);
    this.#line = last.length > maxBytes ? "" : last;
  }

  #end(): void {
    if (this.#watch !== null) this.#addon.unwatch(this.#watch);
    this.#watch = null;
    this.#addon.closeDescriptor(this.#fd);
    this.#whole.resolve(this.text);
  }
}
