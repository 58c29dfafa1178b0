/**
 * How the process says what became of a sandbox's ends.
 *
 * Runs:     host, in the launcher and in the network part's process.
 * Promises: what is read is checked: the process may be in somebody else's hands.
 * Source:   MESSAGE_DELIVERED of native/stub/protocol.h
 */
import type { BridgeStatistics } from "../bridge/bridge.ts";

/** What became of an end's clients. */
export type TransferCounts = Omit<BridgeStatistics, "listen" | "connect">;

/** By the number in the message. */
export const outcomes = ["drained", "stalled", "timed-out"] as const;

export interface Delivered {
  readonly outcome: (typeof outcomes)[number];
  /** In the order in which the ends were added. */
  readonly counts: readonly TransferCounts[];
}

const countNames = ["accepted", "refused", "open", "bytesToTarget", "bytesToClient"] as const;

export function countsPayload(counts: readonly TransferCounts[]): Buffer {
  return Buffer.from(JSON.stringify(counts.map((each) => countNames.map((name) => each[name]))));
}

/** null: that are no counts. */
export function parseCounts(payload: Buffer): readonly TransferCounts[] | null {
  const rows = parsed(payload);
  if (!Array.isArray(rows) || !rows.every(isRow)) return null;
  return rows.map(([accepted = 0, refused = 0, open = 0, bytesToTarget = 0, bytesToClient = 0]) => {
    return { accepted, refused, open, bytesToTarget, bytesToClient };
  });
}

function isRow(row: unknown): row is readonly number[] {
  const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0;
  return Array.isArray(row) && row.length === countNames.length && row.every(isCount);
}

function parsed(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString());
  } catch {
    return null; // as anything else that is no table
  }
}
