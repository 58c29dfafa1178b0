/**
 * The host ends of a sandbox's bridges: to proxies and ports of the host, and from published ports into the sandbox.
 *
 * Runs:     host, in the launcher.
 * Promises: connects to nothing that the sandbox can put in place of a target; lets nobody on but this user; nothing that
 *           a client does ends this process; after close() no socket of the sandbox is left.
 * Source:   docs/host-bridges.md
 */
import { type HostPath, hostPath, type SandboxPath } from "../base/paths.ts";
import type { BridgeStatistics, OpenBridge } from "../bridge/bridge.ts";
import { Bridges, type DrainOptions } from "../bridge/bridges.ts";
import { closeListener } from "../bridge/listener.ts";
import type { Addon } from "../sys/addon.ts";
import {
  addressOf,
  type EndKind,
  type EndsOptions,
  type HostBridgeRequest,
  type OpenEnd,
  openEnds,
  type PublishedPort,
  planEnds,
  socketPlaces,
} from "./bridge-ends.ts";
import { lookUp } from "./host-lookup.ts";
import type { RuntimeDirectory } from "./runtime-directory.ts";
import { willHaveIpv6 } from "./sandbox-ipv6.ts";

export interface HostBridgesOptions extends EndsOptions {
  /** The effective user ID of this process. */
  readonly uid: number;
  /** How many connections one bridge has at a time; the others wait. */
  readonly connectionLimit: number;
  /** Told why a connection failed. */
  readonly debug: (message: string) => void;
}

/** A listening socket that the launcher hands to the sandbox, and that bootstrap's plan names by its number there. */
export interface HandedListener {
  readonly fd: number;
  readonly published: PublishedPort;
}

/** How the sandbox gets at them: what the mount planner and the process that starts bwrap have decided. */
export interface InsideEnds {
  /** Where the socket of that name is mounted. */
  readonly socket: (name: string) => SandboxPath;
  /** The numbers that bootstrap finds the handed listeners at, in the order of `handed`. */
  readonly descriptors: readonly number[];
}

/** Keys of bootstrap's JSON plan. */
export interface InsidePlan {
  readonly httpProxy: string | null;
  readonly socksProxy: string | null;
  readonly bridges: readonly { readonly listen: string; readonly connect: string; readonly acknowledge?: true }[];
}

export interface HostBridgeStatistics extends BridgeStatistics {
  readonly kind: EndKind;
  /** Clients that were turned away because they belong to another user. */
  readonly strangers: number;
}

const defaultOptions: Omit<HostBridgesOptions, "uid" | "hasIpv6"> = { connectionLimit: 1024, debug: () => {}, lookUp };

export class HostBridges {
  readonly #addon: Addon;
  readonly #options: HostBridgesOptions;
  readonly #ends: readonly OpenEnd[];
  #bridges: Bridges | null = null;
  #isHandedOver = false;
  #isClosed = false;

  /**
   * Opens every listener, or none: from now on the kernel queues. Throws FENCE_USAGE for what contradicts itself,
   * FENCE_RESOLVE for a proxy's name, FENCE_LISTEN.
   */
  static async open(
    addon: Addon,
    request: HostBridgeRequest,
    directory: RuntimeDirectory,
    options: Partial<HostBridgesOptions> & Pick<HostBridgesOptions, "uid">,
  ): Promise<HostBridges> {
    const all = { ...defaultOptions, hasIpv6: willHaveIpv6(addon), ...options };
    return new HostBridges(
      addon,
      all,
      openEnds(addon, await planEnds(request, socketPlaces(directory, all.hasIpv6), all.lookUp)),
    );
  }

  private constructor(addon: Addon, options: HostBridgesOptions, ends: readonly OpenEnd[]) {
    this.#addon = addon;
    this.#options = options;
    this.#ends = ends;
  }

  /**
   * For HostFacts.bridgeSockets: only these are bound into the sandbox, never the directory. When that is done, the
   * directory may be closed: the sandbox keeps the sockets, and nobody else finds them any more.
   */
  get sockets(): readonly { readonly name: string; readonly path: HostPath }[] {
    return this.#ends.flatMap(({ planned, listener }) =>
      listener.address.kind === "unix" ? [{ name: planned.name, path: hostPath(listener.address.path) }] : [],
    );
  }

  /** What the sandbox's first process is to inherit, and nobody else: see handedOver(). */
  get handed(): readonly HandedListener[] {
    return this.#ends.flatMap(({ handed }) =>
      handed === null ? [] : [{ fd: handed.listener.fd, published: handed.published }],
    );
  }

  /** With the ports that the kernel chose. */
  get published(): readonly PublishedPort[] {
    return this.handed.map(({ published }) => published);
  }

  /** What bootstrap is to be told. */
  plan({ socket, descriptors }: InsideEnds): InsidePlan {
    const unix = (kind: EndKind) => {
      const end = this.#ends.find(({ planned }) => planned.kind === kind);
      return end === undefined ? null : `unix:${socket(end.planned.name)}`;
    };
    const published = this.handed.map(({ published: { port } }, i) => ({
      listen: `fd:${descriptors[i]}`,
      connect: `tcp:127.0.0.1:${port}`,
      acknowledge: true as const,
    }));
    const hosts = this.#options.hasIpv6 ? ["127.0.0.1", "[::1]"] : ["127.0.0.1"];
    const local = this.#ends.filter(({ planned }) => planned.kind === "local-port");
    const outbound = local.flatMap(({ planned: { name, port } }) =>
      hosts.map((host) => ({ listen: `tcp:${host}:${port}`, connect: `unix:${socket(name)}` })),
    );
    return { httpProxy: unix("http-proxy"), socksProxy: unix("socks-proxy"), bridges: [...outbound, ...published] };
  }

  /**
   * The sandbox has the listeners: ours are closed. As long as anybody outside holds one, connections to a sandbox that
   * has ended would wait for ever instead of being refused.
   */
  handedOver(): void {
    if (this.#isHandedOver) return;
    this.#isHandedOver = true;
    for (const { handed } of this.#ends) if (handed !== null) this.#addon.closeDescriptor(handed.listener.fd);
  }

  /** Relays from here on. */
  serve(): void {
    if (this.#isClosed || this.#ends.length === 0) return;
    const { debug, connectionLimit } = this.#options;
    this.#bridges ??= new Bridges(
      this.#addon,
      this.#ends.map((end) => this.#openBridge(end)),
      { debug, connectionLimit },
    );
  }

  statistics(): readonly HostBridgeStatistics[] {
    const all = this.#bridges?.statistics() ?? [];
    return all.flatMap((each, i) => {
      const end = this.#ends[i];
      return end === undefined ? [] : [{ ...each, kind: end.planned.kind, strangers: end.strangers.count }];
    });
  }

  /** When the sandbox has ended: see Bridges.drain(). */
  async drain(options: Partial<DrainOptions> = {}): Promise<"drained" | "stalled" | "timed-out"> {
    return (await this.#bridges?.drain(options)) ?? "drained";
  }

  /** Ends every connection and removes the sockets. What cannot be removed goes with the directory. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.handedOver();
    try {
      if (this.#bridges !== null) this.#bridges.close();
      else for (const { listener } of this.#ends) closeListener(this.#addon, listener);
    } catch (error) {
      this.#options.debug(`cannot remove a bridge's socket: ${error instanceof Error ? error.message : error}`);
    }
    for (const { handed } of this.#ends) if (handed !== null) this.#addon.closeDescriptor(handed.file);
  }

  #openBridge(end: OpenEnd): OpenBridge {
    const { listener, planned, handed } = end;
    if (handed !== null) {
      const targetName = `port ${planned.port} of the sandbox`;
      return { listener, target: addressOf(handed), targetName, awaitsAcknowledgement: true };
    }
    const [target, ...alternatives] = planned.targets;
    return { listener, target, alternatives, admits: (client) => this.#admits(client, end) };
  }

  /** Nobody else can even see the socket; this holds when a directory's mode was changed, or a descriptor went astray. */
  #admits(client: number, { planned, strangers }: OpenEnd): boolean {
    const peer = this.#addon.peerUid(client);
    if (peer === this.#options.uid) return true;
    strangers.count++;
    this.#options.debug(`${planned.name}: a client of the user ${peer} was turned away`);
    return false;
  }
}

/** What open() would open, in a directory that is not there. Throws as open(). */
export async function plannedBridges(addon: Addon, { bridges }: { bridges: HostBridgeRequest | null }) {
  if (bridges === null) return [];
  const directory = { socket: (name: string) => hostPath(`/tmp/fence-RUN/${name}`) };
  return planEnds(bridges, socketPlaces(directory, willHaveIpv6(addon)), lookUp);
}
