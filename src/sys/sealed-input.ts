/**
 * Bytes for another program to read from a descriptor: in memory, never on a disk.
 *
 * Runs:     host.
 * Promises: nobody can change them; reading begins at the start.
 * Source:   memfd_create(2)
 */
import { openSync } from "node:fs";
import type { Addon } from "./addon.ts";

/**
 * A close-on-exec descriptor, or -errno of the memory file; opening it throws as node:fs does. The file is opened anew, since
 * the first descriptor stands at the end of what was written.
 */
export function sealedInput(addon: Pick<Addon, "sealedFile" | "closeDescriptor">, bytes: Buffer): number {
  const file = addon.sealedFile(bytes);
  if (file < 0) return file;
  try {
    return openSync(`/proc/self/fd/${file}`, "r");
  } finally {
    addon.closeDescriptor(file);
  }
}
