/**
 * What the bootstrap in the sandbox is to do, as its JSON plan (docs/plan.md).
 *
 * Runs:     host. Pure.
 * Promises: whatever the policy does not grant stays denied; a test lets the bootstrap's own parser read such plans.
 * Source:   docs/launch.md
 */
import type { GrantedPath } from "../plan/mounts.ts";
import type { Requirement } from "../plan/policy.ts";
import type { Json } from "../plan/schema.ts";

/** What the front's child inherits, by its numbers there. */
export interface InheritedDescriptors {
  /** To the front. */
  readonly control: number;
  /** The program's standard error; null: the caller had closed it. */
  readonly standardError: number | null;
  readonly closedStreams: readonly number[];
}

/** The network as the program finds it; addresses as docs/bridges.md writes them. */
export interface InsideNetwork {
  readonly httpProxy: string | null;
  readonly socksProxy: string | null;
  readonly bridges: readonly { readonly listen: string; readonly connect: string; readonly acknowledge?: true }[];
}

/** What keeps a program off the host's network where it has no namespace of its own: --backend landlock. */
export interface HostNetworkDenials {
  /** By Landlock, but for the ports and sockets that are named. */
  readonly denied: readonly ("unix-sockets" | "tcp" | "udp")[];
  /** By the system call filter. */
  readonly deniedSockets: readonly ("datagrams" | "unix-sockets")[];
  readonly bindTcp: readonly number[];
  /** Whether the program may listen on any TCP port. */
  readonly bindsAnyPort: boolean;
}

export interface InsideRequest {
  readonly argv: readonly string[];
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** Variables that the user has removed: the bootstrap is not to set its own. */
  readonly removed: readonly string[];
  readonly directory: string;
  readonly grants: readonly GrantedPath[];
  /** Unix sockets that the program may connect to, where the kernel can tell them apart. */
  readonly unixSockets: readonly string[];
  /** TCP ports that the program may connect to; null: any. */
  readonly connectTcp: readonly number[] | null;
  readonly network: InsideNetwork;
  /** null: the program has a network namespace of its own, or the host's on purpose. */
  readonly hostNetwork: HostNetworkDenials | null;
  readonly landlock: Requirement;
  /** 0: the kernel has none. */
  readonly landlockAbi: number;
  readonly seccomp: Requirement;
  readonly verify: boolean;
  readonly inherited: InheritedDescriptors;
  /** Signals that the caller had blocked. */
  readonly blockedSignals: readonly number[];
  /** Signals that the caller ignored. */
  readonly ignoredSignals: readonly number[];
}

/** From here on Landlock has all rights for files; ioctl(2) on devices came last. */
const abiOfFiles = 5;
const abiOfScopes = 6;
const abiOfUnixSockets = 9;

export function insidePlan(request: InsideRequest): Json {
  const { network, inherited, landlockAbi: abi } = request;
  const isRestricted = request.landlock !== "off" && abi > 0;
  return {
    version: 1,
    clearEnv: true,
    env: Object.fromEntries(request.environment),
    unsetEnv: request.removed,
    chdir: request.directory,
    capabilities: "drop",
    httpProxy: network.httpProxy,
    socksProxy: network.socksProxy,
    bridges: network.bridges.map((bridge) => ({ ...bridge })),
    ...(isRestricted ? landlockRules(request, abi) : { landlock: "off" }),
    seccomp: request.seccomp === "off" ? "off" : "strict",
    init: true,
    verify: request.verify,
    launcher: {
      ...inherited,
      blockedSignals: request.blockedSignals,
      ignoredSignals: request.ignoredSignals,
      ...launcherDenials(request, isRestricted),
    },
    program: request.argv,
  };
}

function launcherDenials({ hostNetwork }: InsideRequest, isRestricted: boolean): { [key: string]: Json } {
  if (hostNetwork === null) return {};
  const { denied, bindsAnyPort, deniedSockets } = hostNetwork;
  return { ...(isRestricted && { denied: ["files", ...denied], bindsAnyPort, exactPaths: true }), deniedSockets };
}

/**
 * Landlock is the second wall behind mounts and namespaces: all of it that this kernel has. An older kernel's is less, and
 * the report says what is missing.
 */
function landlockRules(
  { grants, unixSockets, connectTcp, hostNetwork }: InsideRequest,
  abi: number,
): { [key: string]: Json } {
  return {
    rules: grants.map(({ access, path }) => ({ access, path })),
    unixSockets: abi >= abiOfUnixSockets ? unixSockets : [],
    connectTcp: connectTcp ?? [],
    bindTcp: hostNetwork?.bindTcp ?? [],
    // Files of the host come and go: a rule for what is gone by now grants nothing.
    ignoreMissing: hostNetwork !== null,
    scopes: abi >= abiOfScopes ? ["signal", "abstract-unix"] : [],
    landlock: abi >= abiOfFiles ? "required" : "best-effort",
  };
}
