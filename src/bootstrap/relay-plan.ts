/**
 * What the set-up tells the bridge process to do, as bytes in a sealed memory file and back.
 *
 * Runs:     sandbox. Pure.
 * Promises: parseRelayPlan(relayPlan(x)) equals x.
 * Source:   docs/bootstrap.md
 */
import { bug } from "../base/errors.ts";
import { type BridgeAddresses, formatAddress, parseAddress, parseListenAddress } from "../bridge/address.ts";

export interface RelayPlan {
  /** In the order in which the keeper hands over their listeners. */
  readonly bridges: readonly BridgeAddresses[];
}

export function encodeRelayPlan({ bridges }: RelayPlan): Buffer {
  return Buffer.from(JSON.stringify(bridges.map(formatBridge)));
}

function formatBridge({ listen, connect, acknowledge }: BridgeAddresses): readonly string[] {
  return [formatAddress(listen), formatAddress(connect), ...(acknowledge ? ["acknowledge"] : [])];
}

/** The set-up of this very build has written it: what does not parse is a bug. */
export function parseRelayPlan(text: string): RelayPlan {
  const pairs: unknown = JSON.parse(text);
  if (!Array.isArray(pairs)) throw bug("a relay plan is not a list");
  return { bridges: pairs.map(parsePair) };
}

function parsePair(pair: unknown): BridgeAddresses {
  const [listen, connect, acknowledge]: unknown[] = Array.isArray(pair) ? pair : [];
  if (typeof listen !== "string" || typeof connect !== "string") throw bug("a relay plan names no pair of addresses");
  const where = "the relay plan";
  return {
    listen: parseListenAddress(listen, where),
    connect: parseAddress(connect, where),
    ...(acknowledge === "acknowledge" && { acknowledge: true }),
  };
}
