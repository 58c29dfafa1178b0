/**
 * The program's system call filter.
 *
 * Runs:     host and sandbox. Pure.
 * Source:   docs/seccomp.md
 */
import { programFilterBytes } from "../seccomp/filters.ts";
import type { FilterAddition } from "../seccomp/program-filter.ts";
import type { Architecture } from "../sys/architecture.ts";
import type { SeccompMode } from "./request.ts";

/** struct sock_filter[]; empty: no filter. */
export function programFilter(
  mode: SeccompMode,
  additions: readonly FilterAddition[],
  architecture: Architecture,
): Uint8Array {
  return mode === "off" ? new Uint8Array() : programFilterBytes(mode, additions, architecture);
}
