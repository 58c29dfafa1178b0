/**
 * Whoever reads what a program wrote last, a little at a time.
 *
 * Runs:     in end-to-end tests, on the host.
 * Promises: counts all bytes until their end, whenever the program ends.
 */
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { type AddressInfo, createServer, type ListenOptions, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { onTestFinished } from "vitest";

const highWaterMark = 65536;

/** Behind every 64 KiB at most there is a pause. */
async function sizeOf(from: Readable, pauseMs: number): Promise<number> {
  let size = 0;
  for await (const chunk of from) {
    size += chunk.length;
    if (pauseMs > 0) await delay(pauseMs);
  }
  return size;
}

/** What a FIFO's writers write. */
export function slowlyRead(fifo: string, pauseMs: number): Promise<number> {
  return sizeOf(createReadStream(fifo, { highWaterMark }), pauseMs);
}

export interface SlowServer {
  /** 0 for a Unix socket. */
  readonly port: number;
  /** What its first client sends; 0 from one that is reset. */
  readonly received: Promise<number>;
}

/** A server for one client, whom it answers nothing. */
export async function slowServer(at: ListenOptions, pauseMs: number): Promise<SlowServer> {
  const { promise: received, resolve } = Promise.withResolvers<number>();
  const server = createServer({ allowHalfOpen: true, highWaterMark }, (socket: Socket) => {
    sizeOf(socket, pauseMs).then(resolve, () => resolve(0));
  });
  onTestFinished(() => void server.close());
  await once(server.listen(at), "listening");
  const address = server.address();
  return { port: typeof address === "object" ? (address as AddressInfo).port : 0, received };
}
