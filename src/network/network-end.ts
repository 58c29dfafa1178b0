/**
 * One listener of a sandbox's, or for one, and where its clients are connected to; and how that is said to the process.
 *
 * Runs:     host, in the launcher and in the network part's process.
 * Promises: what is read is checked: each side may be wrong, and the process may be in somebody else's hands.
 * Source:   docs/network-part.md
 */
import { bug, unreachable } from "../base/errors.ts";
import { type Address, formatAddress, parseAddress } from "../bridge/address.ts";

export type NetworkEnd =
  | {
      /** From the sandbox to the host or beyond. */
      readonly kind: "outbound";
      /** It listens already, in the sandbox's network namespace or on the host. */
      readonly listener: number;
      /** Its address there. */
      readonly listen: Address;
      /** Tried in turn. */
      readonly targets: readonly [Address, ...Address[]];
    }
  | {
      /** From the host into the sandbox, to this port of its 127.0.0.1. */
      readonly kind: "published";
      readonly listener: number;
      readonly listen: Address;
      readonly port: number;
    };

/** What messages and statistics call the place that clients are connected to. */
export function targetOf(end: NetworkEnd): string {
  return end.kind === "outbound" ? formatAddress(end.targets[0]) : `port ${end.port} of the sandbox`;
}

/** Without the descriptor, which travels beside it. */
export function endPayload(end: NetworkEnd): Buffer {
  const listen = formatAddress(end.listen);
  switch (end.kind) {
    case "outbound":
      return Buffer.from(JSON.stringify({ listen, targets: end.targets.map(formatAddress) }));
    case "published":
      return Buffer.from(JSON.stringify({ listen, port: end.port }));
    default:
      return unreachable(end);
  }
}

/** Throws FENCE_BUG. */
export function parseEnd(payload: Buffer, listener: number): NetworkEnd {
  const value: unknown = JSON.parse(payload.toString());
  if (!isObject(value) || typeof value["listen"] !== "string") throw bug("an end without an address");
  const listen = parseAddress(value["listen"], "an end's listener");
  const { port, targets } = value;
  if (typeof port === "number") return { kind: "published", listener, listen, port };
  if (!Array.isArray(targets)) throw bug("an end without a target");
  const [first, ...others] = targets.map((target) => parseAddress(String(target), "an end's target"));
  if (first === undefined) throw bug("an end without a target");
  return { kind: "outbound", listener, listen, targets: [first, ...others] };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
