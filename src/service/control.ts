/**
 * The service's end of the socket to the library.
 *
 * Runs:     host, in the service.
 * Promises: requests come one by one and in their order; a line that is no request ends the service with a clear error.
 * Source:   src/base/service-protocol.ts
 */
import type { Socket } from "node:net";
import { FenceError } from "../base/errors.ts";
import { LineSplitter, type ServiceEvent, type ServiceRequest, serviceProtocol } from "../base/service-protocol.ts";
import { parseRequest } from "./requests.ts";

/** What a sandbox can cause without end is left out when so much waits for a library that does not read. */
const mostWaitingBytes = 64 << 10;

export class Control {
  readonly #socket: Socket;
  readonly #lines = new LineSplitter();

  /** `taken` gets each request; `ended` is told once when there will be no more, with the error if it was one. */
  constructor(taken: (request: ServiceRequest) => void, ended: (error: FenceError | null) => void) {
    this.#socket = opened();
    this.#socket
      .on("data", (bytes: Buffer) => {
        try {
          for (const line of this.#split(bytes)) taken(parseRequest(line));
        } catch (error) {
          this.#socket.destroy();
          ended(error as FenceError);
        }
      })
      .on("error", () => {}) // the library's process is gone: "close" follows
      .on("close", () => ended(null));
  }

  /** What cannot be sent is lost: nobody is there to read it. */
  tell(event: ServiceEvent): void {
    if (event.event === "denied" && this.#socket.writableLength > mostWaitingBytes) return;
    if (!this.#socket.destroyed) this.#socket.write(`${JSON.stringify(event)}\n`);
  }

  /** Settles when all that was told has left. */
  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.once("close", resolve);
    this.#socket.destroySoon();
    await promise;
  }

  #split(bytes: Buffer): readonly string[] {
    const lines = this.#lines.take(bytes);
    if (lines !== "too long") return lines;
    throw new FenceError("FENCE_SERVICE", `a request must have at most ${serviceProtocol.maxLineBytes} bytes`);
  }
}

function opened(): Socket {
  try {
    const net = process.getBuiltinModule("node:net"); // on demand: `fence run` is in the same script, and it takes 2 ms
    return new net.Socket({ fd: serviceProtocol.descriptor, readable: true, writable: true });
  } catch (cause) {
    throw new FenceError("FENCE_USAGE", "fence service is started by the library alone, on a socket of its own", {
      hint: "docs/library.md; a program that is called service is started with fence -- service",
      cause,
    });
  }
}
