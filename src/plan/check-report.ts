/**
 * What `fence check` finds out, as data.
 *
 * Runs:     host. Pure: types alone.
 * Promises: plain data: --json prints it as it is.
 * Source:   docs/check.md
 */
import type { IsolationLayer } from "./policy.ts";

/** What is tried, in the order of the table. */
export const capabilityIds = [
  "bwrap",
  "mount",
  "user",
  "pid",
  "proc",
  "network",
  "ipc",
  "uts",
  "cgroup",
  "nested-user",
  "landlock",
  "seccomp",
  "memory-files",
] as const;
export type CapabilityId = (typeof capabilityIds)[number];

export interface Capability {
  readonly id: CapabilityId;
  readonly purpose: string;
  readonly state: "ok" | "weaker" | "missing";
  /** What was found: a version, or the cause. null: it is ok, and there is nothing more to say. */
  readonly says: string | null;
  /** Empty: it is ok, or they stand beside bwrap. */
  readonly remedies: readonly string[];
}

/** Something about the ground that decides nothing by itself. */
export interface GroundFact {
  readonly name: string;
  readonly value: string;
}

/** The most that can be had here: all of it; bwrap with less; only --backend landlock; nothing. */
export const verdicts = ["strict", "best-effort", "landlock", "none"] as const;

export interface CheckReport {
  readonly version: 1;
  readonly verdict: (typeof verdicts)[number];
  /** The layers that best-effort would go without, in whole or in part. */
  readonly reduced: readonly IsolationLayer[];
  readonly capabilities: readonly Capability[];
  readonly ground: readonly GroundFact[];
}
