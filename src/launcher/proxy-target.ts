/**
 * Where a proxy of the host is: an address as of bridges, or a name that is resolved once, at the start.
 *
 * Runs:     host.
 * Promises: what is resolved are addresses to try in order, at least one.
 * Source:   docs/host-bridges.md
 */
import { FenceError } from "../base/errors.ts";
import { type Address, expectedAddress, parseAddress } from "../bridge/address.ts";
import { type HostLookup, isHostName } from "./host-lookup.ts";

export type ProxyTarget = Address | { readonly kind: "name"; readonly name: string; readonly port: number };

/** `tcp:HOST:PORT`, where HOST may be a name, or `unix:PATH`. Throws FENCE_USAGE. */
export function parseProxyTarget(value: string, where: string): ProxyTarget {
  const [, name = "", port = ""] = /^tcp:([^:[\]]+):(.*)$/s.exec(value) ?? [];
  if (name === "localhost" || !isHostName(name)) return parseAddress(value, where);
  // The port's rules are those of every address.
  const address = parseAddress(`tcp:127.0.0.1:${port}`, where);
  if (address.kind !== "tcp") throw expectedAddress(where, "tcp:HOST:PORT", value);
  return { kind: "name", name, port: address.port };
}

/** Throws FENCE_RESOLVE. */
export async function resolveTarget(
  target: ProxyTarget,
  lookup: HostLookup,
): Promise<readonly [Address, ...Address[]]> {
  if (target.kind !== "name") return [target];
  const { name, port } = target;
  const [first, ...others] = (await lookup(name)).map((host): Address => ({ kind: "tcp", host, port }));
  if (first !== undefined) return [first, ...others];
  throw new FenceError("FENCE_RESOLVE", `cannot resolve ${name}: it has no address`, {
    step: "resolve",
    hint: "name the proxy by its address, tcp:IP:PORT, or add it to /etc/hosts",
  });
}
