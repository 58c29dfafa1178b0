/**
 * Which machine's system calls this process makes.
 *
 * Runs:     host and sandbox.
 */
import { FenceError } from "../base/errors.ts";

/** Throws FENCE_SECCOMP on a machine that there are no filters for. */
export function architecture(): "x64" | "arm64" {
  if (process.arch === "x64" || process.arch === "arm64") return process.arch;
  throw new FenceError("FENCE_SECCOMP", `there is no filter for the architecture ${process.arch}`);
}
