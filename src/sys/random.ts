/**
 * Random bytes without node:crypto, which takes 5 ms to load.
 *
 * Runs:     host.
 * Source:   random(4)
 */
import { closeSync, openSync, readSync } from "node:fs";
import { bug } from "../base/errors.ts";

/** At most 256, which a read of urandom gives whole. */
export function randomBytes(count: number): Buffer {
  const bytes = Buffer.alloc(count);
  const source = openSync("/dev/urandom", "r");
  try {
    if (readSync(source, bytes) !== count) throw bug("the kernel gave fewer random bytes than asked for");
    return bytes;
  } finally {
    closeSync(source);
  }
}
