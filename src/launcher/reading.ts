/**
 * What the processes of a sandbox write to a pipe.
 *
 * Runs:     host, in the launcher.
 * Promises: bounded: what the sandbox writes does not fill the launcher's memory; whoever waits for the end gets it, also
 *           when this process has nothing else to wait for.
 */
import { Socket } from "node:net";

/** What may be said before it is cut. */
const maxBytes = 64 << 10;

export class Reading {
  /** Takes each line as it comes, without its end. */
  lines: (text: string) => void = () => {};
  /** So far. */
  text = "";
  readonly #socket: Socket;
  readonly #whole: Promise<string>;

  /** `fd` is the pipe's reading end, closed when nobody can write any more. */
  constructor(fd: number) {
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.unref(); // or a launch that has failed would not end
    this.#whole = this.#read();
  }

  /** Settles when nobody can write any more. */
  whole(): Promise<string> {
    this.#socket.ref(); // or Node would end without a word when nothing else is open
    return this.#whole;
  }

  async #read(): Promise<string> {
    let line = "";
    for await (const chunk of this.#socket.setEncoding("utf8")) {
      if (this.text.length < maxBytes) this.text += chunk;
      const [last = "", ...earlier] = `${line}${chunk}`.split("\n").toReversed();
      for (const whole of earlier.toReversed()) this.lines(whole);
      line = last.length > maxBytes ? "" : last;
    }
    return this.text;
  }
}
