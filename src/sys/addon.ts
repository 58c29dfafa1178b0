/**
 * The door to the N-API addon: Landlock, the relays' socket calls, and what is handed to the stub.
 *
 * Runs:     host and sandbox.
 * Promises: every call returns its result or -errno and never throws for a failed system call.
 * Source:   native/landlock-napi
 */
import type { Addon } from "landlock-napi/addon";

export type { Addon };

/** The addon file at `path`. */
export function loadAddon(path: string): Addon {
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, path);
  return module.exports as Addon;
}
