/**
 * What a sandbox has of the host's network, in both ways: relays on the host, and their ends in the sandbox.
 *
 * Runs:     host, in the launcher.
 * Promises: every listener on the host is open before the sandbox starts, or none.
 * Source:   docs/launched.md, docs/host-bridges.md
 */
import { bug } from "../base/errors.ts";
import type { BridgeStatistics } from "../bridge/bridge.ts";
import type { NetworkPart } from "../network/network-part.ts";
import type { HostFacts, MountPlan } from "../plan/mounts.ts";
import type { Addon } from "../sys/addon.ts";
import { type EndKind, launchedPlaces, type PlannedEnd, type PublishedPort, planEnds } from "./bridge-ends.ts";
import type { Decision } from "./decision.ts";
import { HostBridges, plannedBridges } from "./host-bridges.ts";
import { lookUp } from "./host-lookup.ts";
import type { InsideWay } from "./inside.ts";
import type { InsideNetwork } from "./inside-plan.ts";
import { LaunchedEnds } from "./launched-ends.ts";
import type { LaunchLog } from "./log.ts";
import { RuntimeDirectory } from "./runtime-directory.ts";
import type { Sandbox } from "./sandbox.ts";
import { willHaveIpv6 } from "./sandbox-ipv6.ts";
import type { Surroundings } from "./surroundings.ts";

/** What both ways have. */
interface OpenNetwork {
  /** Unix sockets that are mounted into the sandbox. */
  readonly sockets: HostFacts["bridgeSockets"];
  /** With the ports that the kernel chose. */
  readonly published: readonly PublishedPort[];
  /** The sandbox has started. */
  serve(): void;
  /** The program starts next: nobody else is to find what the sandbox has. */
  ready(): void;
  /** When the sandbox has ended: delivers what is held. */
  drain(): Promise<unknown>;
  statistics(): readonly NetworkStatistics[];
  close(): void;
}

export interface NetworkStatistics extends BridgeStatistics {
  readonly kind: EndKind;
  /** Clients that were turned away because they belong to another user. */
  readonly strangers: number;
}

/** Bridges in the sandbox, which lead to Unix sockets that relays on the host have. */
export interface StandaloneNetwork extends OpenNetwork {
  readonly way: "standalone";
  plan(mounts: MountPlan, sandbox: Sandbox): InsideNetwork;
}

export type SandboxNetwork = StandaloneNetwork | LaunchedEnds;

/** What the bootstrap has to relay: nothing. */
export const noBridges: InsideNetwork = { httpProxy: null, socksProxy: null, bridges: [] };

export interface NetworkContext {
  readonly addon: Addon;
  readonly decision: Pick<Decision, "bridges">;
  readonly around: Surroundings;
  readonly log: Pick<LaunchLog, "denied">;
  /** What relays for a launched sandbox; null: one of its own. */
  readonly part: NetworkPart | null;
  /** Told when a network part of its own has ended before its time. */
  readonly crashed: (text: string) => void;
}

/** Throws FENCE_USAGE for what contradicts itself, FENCE_RESOLVE for a proxy's name, FENCE_LISTEN. */
export async function openNetwork(way: InsideWay, context: NetworkContext): Promise<SandboxNetwork> {
  return way === "launched" ? LaunchedEnds.open(context) : openStandalone(context);
}

/** What openNetwork() would open. */
export async function plannedNetwork(
  way: InsideWay,
  { addon, decision }: Pick<NetworkContext, "addon" | "decision">,
): Promise<readonly PlannedEnd[]> {
  if (way === "standalone" || decision.bridges === null) return plannedBridges(addon, decision);
  return planEnds(decision.bridges, launchedPlaces(willHaveIpv6(addon)), lookUp);
}

async function openStandalone({ addon, decision, around, log }: NetworkContext): Promise<StandaloneNetwork> {
  if (decision.bridges === null) return withoutBridges;
  const directory = RuntimeDirectory.make(addon, around);
  try {
    const debug = (text: string) => log.denied(text);
    const open = await HostBridges.open(addon, decision.bridges, directory, { uid: around.uid, debug });
    return standaloneNetwork(open, directory);
  } catch (error) {
    directory.close();
    throw error;
  }
}

const withoutBridges: StandaloneNetwork = {
  way: "standalone",
  sockets: [],
  published: [],
  plan: () => noBridges,
  serve() {},
  ready() {},
  async drain() {},
  statistics: () => [],
  close() {},
};

function unmounted(name: string): never {
  throw bug(`the socket ${name} was not mounted`);
}

function standaloneNetwork(open: HostBridges, directory: RuntimeDirectory): StandaloneNetwork {
  return {
    way: "standalone",
    sockets: open.sockets,
    published: open.published,
    plan(mounts, sandbox) {
      const places = new Map(open.sockets.map(({ name }, i) => [name, mounts.bridgeSockets[i]]));
      return open.plan({
        socket: (name) => places.get(name) ?? unmounted(name),
        descriptors: open.handed.map(({ fd }) => sandbox.give(fd)),
      });
    },
    serve() {
      open.handedOver();
      open.serve();
    },
    ready: () => directory.close(),
    drain: () => open.drain(),
    statistics: () => open.statistics(),
    close() {
      open.close();
      directory.close();
    },
  };
}
