/**
 * Which machine's system calls this process makes.
 *
 * Runs:     host and sandbox.
 */
import { FenceError } from "../base/errors.ts";

export type Architecture = "x64" | "arm64";

/** Throws FENCE_SECCOMP on a machine that there are no filters for. */
export function architecture(): Architecture {
  if (process.arch === "x64" || process.arch === "arm64") return process.arch;
  throw new FenceError("FENCE_SECCOMP", `there is no filter for the architecture ${process.arch}`);
}
