/**
 * How the process says what became of a sandbox's ends.
 *
 * Runs:     host, in the launcher and in the network part's process.
 * Source:   native/stub/protocol.h
 */
import type { TransferCounts } from "./network-end.ts";

/** By the number in MESSAGE_DELIVERED. */
export const outcomes = ["drained", "stalled", "timed-out"] as const;

export interface Delivered {
  readonly outcome: (typeof outcomes)[number];
  /** In the order in which the ends were added. */
  readonly counts: readonly TransferCounts[];
}
