/**
 * Bytes to send, and what has become of them.
 *
 * Runs:     in the bridge tests.
 */
import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";

/** No two places of it look alike, so that lost, doubled or swapped bytes show in its digest. */
export function payload(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = 1;
  for (let at = 0; at + 4 <= sizeBytes; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes.writeInt32LE(state, at);
  }
  return bytes;
}

export function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export interface Received {
  readonly sizeBytes: number;
  readonly digest: string;
  /** How it ended: in order, or with this error; "close": neither was told. */
  readonly end: string;
}

/** Reads to the end of what the socket receives. */
export function received(socket: Socket): Promise<Received> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  return new Promise((resolve) => {
    const done = (end: string) => resolve({ sizeBytes, digest: hash.copy().digest("hex"), end });
    socket.on("data", (bytes) => {
      sizeBytes += bytes.length;
      hash.update(bytes);
    });
    socket.once("end", () => done("end"));
    socket.once("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    socket.once("close", () => done("close"));
    socket.resume();
  });
}

/** What received() answers for bytes that arrived whole and in order. */
export function whole(bytes: Uint8Array, end = "end"): Received {
  return { sizeBytes: bytes.length, digest: digest(bytes), end };
}

/** Writes until that fails, and answers why. */
export async function writeFails(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    const write = (error?: NodeJS.ErrnoException | null): void => {
      if (error) resolve(error.code);
      else setImmediate(() => socket.write("more", write));
    };
    write();
  });
}

/** Turns of the event loop without any movement, after which nothing will move by itself any more. */
const quietTurns = 200;

/** Waits until nothing moves any more in the relay of this process (`passed`). */
export async function relayIsStill(passed: () => number): Promise<void> {
  let before = -1;
  for (let quiet = 0; quiet < quietTurns; quiet++) {
    if (passed() !== before) quiet = 0;
    before = passed();
    await nextTurn();
  }
}

/** Writes until nothing moves any more, neither here nor in the relay (`passed`). Answers how much was written. */
export async function writeUntilStalled(socket: Socket, bytes: Uint8Array, passed: () => number): Promise<number> {
  let written = 0;
  do {
    while (!socket.writableNeedDrain && written < bytes.length) {
      socket.write(bytes.subarray(written, written + 65_536));
      written = Math.min(written + 65_536, bytes.length);
    }
    await relayIsStill(passed);
  } while (!socket.writableNeedDrain && written < bytes.length);
  return written;
}
