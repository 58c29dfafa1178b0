/**
 * What bridges must be together: no conflicts, and no listener on a network that was not asked for.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: no two bridges accept on the same address, whatever its spelling; no connection goes round in circles
 *           through bridges; nothing listens beyond loopback that was not meant to.
 * Source:   ip(7), ipv6(7): [::] takes the port of IPv4 as well, unless net.ipv6.bindv6only is set
 */
import { FenceError } from "../base/errors.ts";
import { quoted } from "../base/quote.ts";
import {
  type BridgeAddresses,
  expectedAddress,
  formatAddress,
  isLoopback,
  type ListenAddress,
  parseBridge,
} from "./address.ts";

/** A bridge, and what the user knows it by. */
export interface NamedBridge extends BridgeAddresses {
  readonly where: string;
}

/** More would need larger tables in the keeper, and more descriptors than a process has by default. */
export const maxBridges = 200;

/** Every `LISTEN=CONNECT` of `fence bridge`, on loopback; `where` names them. Throws FENCE_USAGE. */
export function parseBridges(values: readonly string[], where: string): readonly BridgeAddresses[] {
  const bridges = values.map((value) => ({ ...parseBridge(value, where), where }));
  refuseDescriptors(bridges);
  refuseNetworks(bridges, "a bridge lets in whoever can connect: it never listens on a network");
  refuseConflicts(bridges);
  return bridges.map(({ listen, connect }) => ({ listen, connect }));
}

/** Throws FENCE_USAGE. */
export function refuseConflicts(bridges: readonly NamedBridge[]): void {
  refuseSharedListeners(bridges);
  refuseLoops(
    bridges,
    bridges.map(({ listen }) => plain(listen)),
  );
}

/** Bridges whose targets are in other namespaces than their listeners cannot lead back to themselves. Throws FENCE_USAGE. */
export function refuseSharedListeners(bridges: readonly NamedBridge[]): void {
  if (bridges.length > maxBridges) throw tooMany(bridges);
  const listeners = bridges.map(({ listen }) => plain(listen));
  for (const [i, bridge] of bridges.entries()) {
    const clash = listeners.findIndex((other, j) => j < i && shareAddress(other, plain(bridge.listen)));
    const other = bridges[clash];
    if (other !== undefined) throw clashing(bridge, other);
  }
}

/** `hint` says how to ask for a network, or why nobody can. Throws FENCE_USAGE. */
export function refuseNetworks(bridges: readonly NamedBridge[], hint: string): void {
  const beyond = bridges.find(({ listen }) => listen.kind === "tcp" && !isLoopback(listen.host));
  if (beyond === undefined) return;
  const { where, listen } = beyond;
  const what = "a listener on a loopback address (127.0.0.0/8 or [::1]) or a Unix socket";
  throw expectedAddress(where, what, formatAddress(listen), { hint });
}

/** A command in the foreground has nobody who would hand it a listener. Throws FENCE_USAGE. */
function refuseDescriptors(bridges: readonly NamedBridge[]): void {
  const inherited = bridges.find(({ listen }) => listen.kind === "descriptor");
  if (inherited === undefined) return;
  throw expectedAddress(inherited.where, "a listener on tcp:HOST:PORT or unix:PATH", formatAddress(inherited.listen), {
    hint: "only fence bootstrap takes listeners that another process has opened",
  });
}

function tooMany(bridges: readonly NamedBridge[]): FenceError {
  const where = bridges.at(-1)?.where ?? "";
  return new FenceError("FENCE_USAGE", `${where} must be one of at most ${maxBridges} bridges, got ${bridges.length}`, {
    hint: "those of the proxies count as well: one process holds at most that many listeners",
  });
}

function clashing({ where, listen }: NamedBridge, other: NamedBridge): FenceError {
  const isSame = formatAddress(listen) === formatAddress(other.listen);
  const what = `a listener of its own for each bridge, apart from ${quoted(formatAddress(other.listen))} of ${other.where}`;
  const hint = "0.0.0.0 and [::] listen on every address of their port";
  return expectedAddress(where, what, formatAddress(listen), isSame || listen.kind !== "tcp" ? {} : { hint });
}

/** Each target is at most one bridge's listener: following them is following a line. */
function refuseLoops(bridges: readonly NamedBridge[], listeners: readonly ListenAddress[]): void {
  const next = bridges.map(({ connect }) => listeners.findIndex((listener) => reaches(plain(connect), listener)));
  for (const [start, bridge] of bridges.entries()) {
    let at = next[start] ?? -1;
    for (let steps = 0; at !== -1 && at !== start && steps < bridges.length; steps++) at = next[at] ?? -1;
    if (at === start) throw circular(bridge);
  }
}

function circular({ where, listen, connect }: NamedBridge): FenceError {
  const both = `${formatAddress(listen)}=${formatAddress(connect)}`;
  return expectedAddress(where, "one that does not lead back to itself", both, {
    hint: "every connection would go round in circles",
  });
}

/** Equal addresses are spelled equally: IPv4 in IPv6 as IPv4, paths without empty and `.` parts. */
function plain(address: ListenAddress): ListenAddress {
  if (address.kind === "descriptor") return address;
  if (address.kind === "unix") return { kind: "unix", path: address.path.replace(/\/(?:\.?\/)+/g, "/") };
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address.host) ?? [];
  if (high === undefined || low === undefined) return address;
  const bits = (Number.parseInt(high, 16) << 16) | Number.parseInt(low, 16);
  return { ...address, host: [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join(".") };
}

/** Whether only one of the two can listen. */
function shareAddress(one: ListenAddress, other: ListenAddress): boolean {
  if (one.kind !== "tcp" || other.kind !== "tcp") return isSame(one, other);
  if (one.port !== other.port) return false;
  return one.host === other.host || [one, other].some(({ host }) => host === "::") || areShared(one.host, other.host);
}

function areShared(one: string, other: string): boolean {
  const isBothIpv4 = !one.includes(":") && !other.includes(":");
  return isBothIpv4 && (one === "0.0.0.0" || other === "0.0.0.0");
}

function isSame(one: ListenAddress, other: ListenAddress): boolean {
  return formatAddress(one) === formatAddress(other);
}

/** Whether a connection to `target` arrives at `listener`, in one network namespace. */
function reaches(target: ListenAddress, listener: ListenAddress): boolean {
  if (target.kind !== "tcp" || listener.kind !== "tcp") return isSame(target, listener);
  if (target.port !== listener.port) return false;
  const here = connectedHost(target.host);
  if (here === listener.host) return true;
  return isLoopback(here) && (listener.host === "::" || (listener.host === "0.0.0.0" && !here.includes(":")));
}

/** Linux takes the unspecified address for loopback, ip(7). */
function connectedHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}
