/**
 * The network of a launched sandbox: its own listeners, served by the network part, and ports of the host that lead into it.
 *
 * Runs:     host, in the launcher, which reads from no connection.
 * Promises: see NetworkPart; listeners of the host are open before the sandbox starts.
 * Source:   docs/launched.md, docs/network-part.md
 */
import { bug } from "../base/errors.ts";
import type { Address } from "../bridge/address.ts";
import type { BridgeStatistics } from "../bridge/bridge.ts";
import { closeListener, type Listener, openListeners } from "../bridge/listener.ts";
import type { TcpAddress } from "../inside/compile.ts";
import type { RulesetChoice } from "../landlock/ruleset.ts";
import { type NetworkCrash, NetworkPart } from "../network/network-part.ts";
import type { SandboxEnds } from "../network/sandbox-ends.ts";
import type { Addon } from "../sys/addon.ts";
import { systemError } from "../sys/errno.ts";
import { messagePair } from "../sys/protocol.ts";
import {
  type HostBridgeRequest,
  launchedPlaces,
  type PlannedEnd,
  type PublishedPort,
  planEnds,
} from "./bridge-ends.ts";
import { lookUp } from "./host-lookup.ts";
import type { NetworkContext, NetworkStatistics } from "./network.ts";
import { willHaveIpv6 } from "./sandbox-ipv6.ts";

/** What the sandbox is to know of its ends. */
export interface ListeningEnds {
  /** In the sandbox. */
  readonly listeners: readonly TcpAddress[];
  readonly hasHttpProxy: boolean;
  readonly hasSocksProxy: boolean;
}

export function listeningEnds(planned: readonly PlannedEnd[]): ListeningEnds {
  const outbound = planned.filter(leadsOut);
  return {
    listeners: outbound.map(({ listen }) => tcpAddress(listen)),
    hasHttpProxy: outbound.some(({ kind }) => kind === "http-proxy"),
    hasSocksProxy: outbound.some(({ kind }) => kind === "socks-proxy"),
  };
}

function leadsOut({ kind }: PlannedEnd): boolean {
  return kind !== "published-port";
}

export class LaunchedEnds {
  readonly way = "launched";
  readonly sockets: readonly [] = [];
  readonly inside: ListeningEnds;
  readonly #addon: Addon;
  readonly #outbound: readonly PlannedEnd[];
  readonly #open: OpenEnds | null;

  /** Throws FENCE_USAGE for what contradicts itself, FENCE_RESOLVE for a proxy's name, FENCE_LISTEN, FENCE_LANDLOCK. */
  static async open(context: NetworkContext): Promise<LaunchedEnds> {
    const { addon, decision } = context;
    if (decision.bridges === null) return new LaunchedEnds(addon, [], null);
    const planned = await planEnds(decision.bridges, launchedPlaces(willHaveIpv6(addon)), lookUp);
    return new LaunchedEnds(addon, planned, openEnds(context, planned));
  }

  private constructor(addon: Addon, planned: readonly PlannedEnd[], open: OpenEnds | null) {
    this.#addon = addon;
    this.#outbound = planned.filter(leadsOut);
    this.inside = listeningEnds(planned);
    this.#open = open;
  }

  /** The sandbox's end of where its sockets are asked for; null: they are not. */
  get socketRequests(): number | null {
    return this.#open?.far ?? null;
  }

  /** Of what relays; null: nothing does. */
  get ruleset(): RulesetChoice | null {
    return this.#open?.part.ruleset ?? null;
  }

  get published(): readonly PublishedPort[] {
    return (this.#open?.published ?? []).map(({ port }) => port);
  }

  /** The sandbox has its end. As long as anybody else holds it, those who wait for a port would wait for ever. */
  sent(): void {
    const open = this.#open;
    if (open === null || open.far === null) return;
    this.#addon.closeDescriptor(open.far);
    open.far = null;
  }

  /** One of the sandbox's listeners, by its place among them. */
  take(place: number, listener: number): void {
    const [planned, open] = [this.#outbound[place], this.#open];
    if (planned === undefined || open === null) throw bug(`the sandbox has no listener ${place}`);
    open.order.push(planned);
    open.ends.add({ kind: "outbound", listener, listen: planned.listen, targets: planned.targets });
  }

  /** The sandbox has started. */
  serve(): void {
    const open = this.#open;
    if (open === null || open.isServing) return;
    open.isServing = true;
    for (const { planned, listener } of open.published) {
      open.order.push(planned);
      const { fd, address } = listener;
      open.ends.add({ kind: "published", listener: fd, listen: tcpAddress(address), port: planned.port });
    }
  }

  ready(): void {}

  async drain(): Promise<unknown> {
    return this.#open?.ends.drain();
  }

  /** One for each end that was asked for: a local port has two listeners where there is IPv6. */
  statistics(): readonly NetworkStatistics[] {
    const open = this.#open;
    if (open === null) return [];
    const found = new Map<string, NetworkStatistics>();
    for (const [i, each] of open.ends.statistics().entries()) {
      const planned = open.order[i];
      if (planned === undefined) throw bug("the network part has more ends than it was given");
      const before = found.get(planned.name);
      const { kind } = planned;
      found.set(planned.name, before === undefined ? { ...each, kind, strangers: 0 } : sum(before, each));
    }
    return [...found.values()];
  }

  close(): void {
    this.sent();
    const open = this.#open;
    if (open === null || open.isClosed) return;
    open.isClosed = true;
    if (!open.isServing) for (const { listener } of open.published) closeListener(this.#addon, listener);
    open.ends.close();
    if (open.ownsPart) open.part.close();
  }
}

function sum(one: NetworkStatistics, other: BridgeStatistics): NetworkStatistics {
  return {
    ...one,
    accepted: one.accepted + other.accepted,
    refused: one.refused + other.refused,
    open: one.open + other.open,
    bytesToTarget: one.bytesToTarget + other.bytesToTarget,
    bytesToClient: one.bytesToClient + other.bytesToClient,
  };
}

interface OpenEnds {
  readonly part: NetworkPart;
  readonly ownsPart: boolean;
  readonly ends: SandboxEnds;
  readonly published: readonly {
    readonly planned: PlannedEnd;
    readonly listener: Listener;
    readonly port: PublishedPort;
  }[];
  /** What was added to the ends, in that order. */
  readonly order: PlannedEnd[];
  far: number | null;
  isServing: boolean;
  isClosed: boolean;
}

function openEnds(context: NetworkContext, planned: readonly PlannedEnd[]): OpenEnds {
  const { addon } = context;
  using opened = new DisposableStack(); // closes what is open when something fails
  const publishing = planned.filter(({ kind }) => kind === "published-port");
  const listeners = openListeners(
    addon,
    publishing.map(({ listen }) => listen),
  );
  for (const listener of listeners) opened.defer(() => closeListener(addon, listener));
  const published = publishing.map((each, i) => {
    const listener = listeners[i];
    if (listener === undefined) throw bug("a listener is missing");
    const { host, port: hostPort } = tcpAddress(listener.address);
    return { planned: each, listener, port: { host, hostPort, port: each.port } };
  });
  const [near, far] = published.length === 0 ? [null, null] : socketRequests(addon);
  for (const end of [near, far]) if (end !== null) opened.defer(() => addon.closeDescriptor(end));
  const part = context.part ?? newPart(context, planned);
  const ends = part.sandbox(near);
  const ownsPart = context.part === null;
  opened.move();
  return { part, ownsPart, ends, published, order: [], far, isServing: false, isClosed: false };
}

/** What relays for every sandbox of a configuration. Throws as LaunchedEnds.open(). */
export async function networkPart(
  addon: Addon,
  bridges: HostBridgeRequest,
  told: Pick<NetworkContext, "crashed" | "log">,
): Promise<NetworkPart> {
  return newPart({ addon, ...told }, await planEnds(bridges, launchedPlaces(willHaveIpv6(addon)), lookUp));
}

function newPart(
  { addon, log, crashed }: Pick<NetworkContext, "addon" | "crashed" | "log">,
  planned: readonly PlannedEnd[],
): NetworkPart {
  return new NetworkPart(addon, {
    targets: planned.flatMap(({ kind, targets }) => (kind === "published-port" ? [] : targets)),
    publishedPorts: planned.flatMap(({ kind, port }) => (kind === "published-port" ? port : [])),
    debug: (text) => log.denied(text),
    crashed: (crash) => crashed(describeCrash(crash)),
  });
}

function describeCrash({ exit, signal, restartsLeft, said }: NetworkCrash): string {
  const how = signal ?? (exit === null ? "it did not start" : `exit status ${exit}`);
  const next = restartsLeft === 0 ? "clients are refused from now on" : "it is started again when somebody connects";
  const text = `the network part of the sandbox has ended (${how}): ${next}`;
  return said === "" ? text : `${text}; it said: ${said.trim()}`;
}

function socketRequests(addon: Addon): readonly [near: number, far: number] {
  const pair = messagePair(addon);
  if (typeof pair !== "number") return pair;
  throw systemError("FENCE_LAUNCH", "cannot make a socket pair", "socketpair", pair, { step: "open-bridges" });
}

function tcpAddress(address: Listener["address"] | Address): TcpAddress {
  if (address.kind === "tcp") return address;
  throw bug("an end of a sandbox is no port");
}
