/**
 * The door to the N-API addon: Landlock, the relays' socket calls, what is handed to the stub, and what is at paths.
 *
 * Runs:     host and sandbox.
 * Promises: every call returns its result or -errno and never throws for a failed system call.
 * Source:   native/landlock-napi
 */
import type { Addon } from "landlock-napi/addon";
import { FenceError } from "../base/errors.ts";

export type { Addon };

/** The addon file at `path`. Throws FENCE_STUB. */
export function loadAddon(path: string): Addon {
  const module: { exports: unknown } = { exports: {} };
  try {
    process.dlopen(module, path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const hint = why.includes("Too many open files") // as dlopen(3) says it, without an errno
      ? "raise the limit on open files (ulimit -n)"
      : "the limits on memory are too low for fence, or the executable is damaged";
    throw new FenceError("FENCE_STUB", `cannot load the addon: ${why}`, {
      step: "load-addon",
      syscall: "dlopen",
      hint,
      cause,
    });
  }
  return module.exports as Addon;
}
