/**
 * The listeners and targets of a sandbox's bridges on the host, planned and opened.
 *
 * Runs:     host, in the launcher.
 * Promises: every listener is open, or none; no two bridges want the same port, on the host or in the sandbox.
 * Source:   docs/host-bridges.md
 */
import { fstatSync } from "node:fs";
import { bug, FenceError } from "../base/errors.ts";
import type { HostPath } from "../base/paths.ts";
import { type Address, formatAddress } from "../bridge/address.ts";
import { maxBridges, type NamedBridge, refuseSharedListeners } from "../bridge/bridge-set.ts";
import { closeListener, type Listener, openListeners } from "../bridge/listener.ts";
import type { Addon } from "../sys/addon.ts";
import { systemError } from "../sys/errno.ts";
import { removeSocketFile } from "../sys/socket-file.ts";
import type { HostLookup } from "./host-lookup.ts";
import { type ProxyTarget, resolveTarget } from "./proxy-target.ts";

export interface HostBridgeRequest {
  /** Proxies that run already; null: none. */
  readonly httpProxy: ProxyTarget | null;
  readonly socksProxy: ProxyTarget | null;
  /** Ports of the host's loopback that the sandbox reaches at the same port of its own. */
  readonly localPorts: readonly number[];
  /** Ports of the sandbox's loopback that are reached from the host. */
  readonly publish: readonly PublishedPort[];
}

export interface PublishedPort {
  /** On the host: an IPv4 address, or an IPv6 address in its shortest form, without brackets. */
  readonly host: string;
  /** On the host; 0: any free one. */
  readonly hostPort: number;
  /** On 127.0.0.1 in the sandbox. */
  readonly port: number;
}

export type EndKind = "http-proxy" | "socks-proxy" | "local-port" | "published-port";

/** One bridge, planned. */
export interface PlannedEnd {
  readonly kind: EndKind;
  /** What the user knows it by. */
  readonly where: string;
  readonly listen: Address;
  readonly targets: readonly [Address, ...Address[]];
  /** Of its Unix socket in the directory. */
  readonly name: string;
  /** In the sandbox. */
  readonly port: number;
}

export interface OpenEnd {
  readonly planned: PlannedEnd;
  readonly listener: Listener;
  /** For a published port: what the sandbox accepts from. */
  readonly handed: HandedEnd | null;
  readonly strangers: { count: number };
}

export interface HandedEnd {
  readonly listener: Listener;
  /** O_PATH, of the listener's socket, which has no path any more. */
  readonly file: number;
  /** With the port that the kernel chose. */
  readonly published: PublishedPort;
}

const step = "open-bridges";
/** Where bootstrap's bridges to the proxies listen. */
const insidePorts = { httpProxy: 3128, socksProxy: 1080 } as const;

export interface EndsOptions {
  readonly lookUp: HostLookup;
  /** Whether the sandbox's loopback interface will have [::1]. */
  readonly hasIpv6: boolean;
}

/** Where the ends of a sandbox's network are; they differ by the way in which its inside is set up. */
export interface EndPlaces {
  /** Where clients of the sandbox are accepted on their way out to the host. */
  readonly outbound: (name: string, port: number, hosts: "IPv4" | "both") => readonly Address[];
  /** Where clients of a published port are led to. */
  readonly inbound: (name: string, port: number) => Address;
  /** How many listeners a local port has in the sandbox, beyond those of outbound(). */
  readonly morePerLocalPort: number;
  /** Whether outbound() answers addresses of this network namespace. */
  readonly areHere: boolean;
}

/** Where the socket of a name is to be: a RuntimeDirectory, or none for --dry-run. */
export interface SocketPlaces {
  readonly socket: (name: string) => HostPath;
}

/** Unix sockets, which bridges in the sandbox connect to and accept from. */
export function socketPlaces(directory: SocketPlaces, hasIpv6: boolean): EndPlaces {
  return {
    outbound: (name) => [unix(directory, name)],
    inbound: (name) => unix(directory, name),
    morePerLocalPort: hasIpv6 ? 1 : 0,
    areHere: true,
  };
}

/** The sandbox's own sockets. */
export function launchedPlaces(hasIpv6: boolean): EndPlaces {
  return {
    outbound: (_, port, hosts) => [tcp("127.0.0.1", port), ...(hosts === "both" && hasIpv6 ? [tcp("::1", port)] : [])],
    inbound: (_, port) => tcp("127.0.0.1", port),
    morePerLocalPort: 0,
    areHere: false,
  };
}

/** Throws FENCE_USAGE for what contradicts itself, FENCE_RESOLVE for a proxy's name. */
export async function planEnds(
  request: HostBridgeRequest,
  places: EndPlaces,
  lookUp: HostLookup,
): Promise<readonly PlannedEnd[]> {
  refuseTakenPorts(request);
  const planned = [
    ...(await planProxies(request, places, lookUp)),
    ...[...new Set(request.localPorts)].flatMap((port) => planLocalPort(port, places)),
    ...request.publish.map((published, i) => planPublished(published, i, places)),
  ];
  refuseTooMany(planned, places);
  const here = planned.filter(({ kind, listen }) => {
    return (places.areHere || kind === "published-port") && (listen.kind === "unix" || listen.port !== 0);
  });
  refuseSharedListeners(here.map(named));
  return planned;
}

async function planProxies(
  { httpProxy, socksProxy }: HostBridgeRequest,
  places: EndPlaces,
  lookUp: HostLookup,
): Promise<readonly PlannedEnd[]> {
  const given = [
    { kind: "http-proxy", target: httpProxy, port: insidePorts.httpProxy, where: "--http-proxy" },
    { kind: "socks-proxy", target: socksProxy, port: insidePorts.socksProxy, where: "--socks-proxy" },
  ] as const;
  const planned = given.map(async ({ kind, target, port, where }): Promise<readonly PlannedEnd[]> => {
    if (target === null) return [];
    const targets = await resolveTarget(target, lookUp);
    return places.outbound(kind, port, "IPv4").map((listen) => ({ kind, where, listen, targets, name: kind, port }));
  });
  return (await Promise.all(planned)).flat();
}

function planLocalPort(port: number, places: EndPlaces): readonly PlannedEnd[] {
  const name = `local-${port}`;
  const targets = [tcp("127.0.0.1", port), tcp("::1", port)] as const;
  const rest = { kind: "local-port", where: "a local port", targets, name, port } as const;
  return places.outbound(name, port, "both").map((listen) => ({ ...rest, listen }));
}

function planPublished({ host, hostPort, port }: PublishedPort, at: number, places: EndPlaces): PlannedEnd {
  const name = `published-${at}`;
  const targets = [places.inbound(name, port)] as const;
  return { kind: "published-port", where: "--publish", listen: tcp(host, hostPort), targets, name, port };
}

function tcp(host: string, port: number): Address {
  return { kind: "tcp", host, port };
}

function unix(directory: SocketPlaces, name: string): Address {
  return { kind: "unix", path: directory.socket(name) };
}

function named({ listen, targets, where }: PlannedEnd): NamedBridge {
  return { listen, connect: targets[0], where };
}

/** Throws FENCE_LISTEN. The caller closes them. */
export function openEnds(addon: Addon, planned: readonly PlannedEnd[]): readonly OpenEnd[] {
  const handed = planned.filter(({ kind }) => kind === "published-port");
  // All in one call: it opens every one, or none.
  const asked = [...planned.map(({ listen }) => listen), ...handed.map(({ targets }) => targets[0])];
  const listeners = openListeners(addon, asked);
  const ends: OpenEnd[] = [];
  try {
    for (const [i, each] of planned.entries()) {
      const [listener, inner] = [listeners[i], listeners[planned.length + handed.indexOf(each)]];
      if (listener === undefined) throw bug("a listener is missing");
      const published = publishedAt(listener, each);
      const isHanded = published !== null && inner !== undefined;
      ends.push({
        planned: each,
        listener,
        handed: isHanded ? { published, listener: inner, file: hidden(addon, inner) } : null,
        strangers: { count: 0 },
      });
    }
    return ends;
  } catch (error) {
    for (const { handed: opened } of ends) if (opened !== null) addon.closeDescriptor(opened.file);
    for (const listener of listeners) closeListener(addon, listener);
    throw error;
  }
}

/**
 * The file of a Unix listener as a descriptor, through which alone it can be connected to from now on: there is no path
 * any more that anybody could put another socket at, not even a program that sees this directory.
 */
function hidden(addon: Addon, { address, file }: Listener): number {
  if (file === "not-ours") throw bug("a listener for the sandbox has no file");
  const { path, device, inode } = file;
  const fd = addon.openPath(Buffer.from(path));
  const tried = `cannot hold the socket of ${formatAddress(address)}`;
  if (fd < 0) throw systemError("FENCE_LISTEN", tried, "open", fd, { step, path });
  const found = fstatSync(fd);
  if (found.dev === device && found.ino === inode) {
    removeSocketFile(file);
    return fd;
  }
  addon.closeDescriptor(fd);
  throw new FenceError("FENCE_LISTEN", `${tried}: it was replaced`, {
    step,
    path,
    hint: "another process of this user changes the directory",
  });
}

/** Where the launcher connects to, proc(5): the kernel follows it to the file itself. */
export function addressOf({ file }: HandedEnd): Address {
  return { kind: "unix", path: `/proc/self/fd/${file}` };
}

function publishedAt({ address }: Listener, { port }: PlannedEnd): PublishedPort | null {
  return address.kind === "tcp" ? { host: address.host, hostPort: address.port, port } : null;
}

/** In the sandbox each port has one listener; a published port that is also a local one would lead round in circles. */
function refuseTakenPorts({ httpProxy, socksProxy, localPorts, publish }: HostBridgeRequest): void {
  const proxies = [
    ...(httpProxy === null ? [] : [insidePorts.httpProxy]),
    ...(socksProxy === null ? [] : [insidePorts.socksProxy]),
  ];
  const local = localPorts.find((port) => proxies.some((other) => other === port));
  if (local !== undefined) throw taken(`the local port ${local}`, "that a proxy is reached at in the sandbox");
  const bridged = [...proxies, ...localPorts];
  const published = publish.find(({ port }) => bridged.includes(port));
  if (published === undefined) return;
  throw taken(`the published port ${published.port}`, "that leads out of the sandbox: a proxy's, or a local port");
}

function taken(what: string, whose: string): FenceError {
  return new FenceError("FENCE_USAGE", `${what} must not be one ${whose}`, {
    step,
    hint: "let the program listen on another port",
  });
}

/** In the sandbox a local port takes two bridges where there is IPv6. */
function refuseTooMany(planned: readonly PlannedEnd[], { morePerLocalPort }: EndPlaces): void {
  const local = planned.filter(({ kind }) => kind === "local-port").length;
  const count = planned.length + local * morePerLocalPort;
  if (count <= maxBridges) return;
  throw new FenceError("FENCE_USAGE", `a sandbox must have at most ${maxBridges} bridges, got ${count}`, {
    step,
    hint: "a local port counts twice, for IPv4 and IPv6: name fewer, or reach them through a proxy",
  });
}
