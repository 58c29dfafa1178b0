/**
 * Everything about a sandbox that is decided before anything of it is made.
 *
 * Runs:     host.
 * Promises: reads, and asks; changes nothing on the host. `--dry-run` shows what a run would use.
 * Source:   docs/launch.md
 */
import { resolve } from "node:path/posix";
import { FenceError } from "../base/errors.ts";
import type { HostView } from "../base/host.ts";
import type { Address } from "../bridge/address.ts";
import type { FoundGrants } from "../config/found-grants.ts";
import { loadPolicy } from "../config/load.ts";
import { refuseDeniedCommand } from "../plan/denied-commands.ts";
import { isReplaceable } from "../plan/mount-access.ts";
import { planMounts } from "../plan/mount-plan.ts";
import type { HostFacts, MountPlan, PlanNote } from "../plan/mounts.ts";
import { namespaceLayers } from "../plan/namespaces.ts";
import type { Policy } from "../plan/policy.ts";
import type { Addon } from "../sys/addon.ts";
import { runChild } from "../sys/child.ts";
import { hostFiles } from "../sys/host-files.ts";
import { hostView } from "../sys/host-view.ts";
import type { Variables } from "../sys/original-environment.ts";
import { readSettingsFile } from "../sys/settings-files.ts";
import type { HostBridgeRequest } from "./bridge-ends.ts";
import { type BwrapFile, isSystemPlace, locateBwrap, replaceableBwrap } from "./bwrap.ts";
import { hasSeccomp, readGround } from "./capabilities-ground.ts";
import {
  decideIsolation,
  type IsolationDecision,
  type IsolationDoors,
  type IsolationRequest,
  preflight,
} from "./isolation.ts";
import { programArguments, programEnvironment } from "./program.ts";
import type { LaunchRequest } from "./request.ts";
import type { Surroundings } from "./surroundings.ts";

/** What the configuration says: the same for every program that is started under it. */
export interface PolicyDecision {
  readonly policy: Policy;
  readonly notes: readonly PlanNote[];
  readonly found: FoundGrants | null;
  /** null: there is nothing to bridge. */
  readonly bridges: HostBridgeRequest | null;
  /** What is asked of the kernel. */
  readonly wanted: IsolationRequest;
  /** The host's disk, looked at anew. */
  readonly view: () => HostView;
}

/** What is decided for each program. */
export interface CommandDecision {
  readonly argv: readonly string[];
  readonly environment: Variables;
  /** The program's working directory. */
  readonly directory: string;
}

/** What does not depend on how the program is confined. */
export interface ProgramDecision extends PolicyDecision, CommandDecision {}

/** How programs are confined: what this host has for it. */
export interface IsolationGround {
  readonly bwrap: BwrapFile;
  readonly isolation: IsolationDecision;
  readonly isolationDoors: IsolationDoors;
}

/** Mounts are planned anew for each start: see decideMounts(). */
export interface Decision extends ProgramDecision, IsolationGround {}

export interface DecisionDoors {
  readonly addon: Addon;
  /** The environment as it was given. Throws FENCE_USAGE. */
  readonly environment: () => Variables;
}

/** Throws FENCE_CONFIG, FENCE_COMMAND, FENCE_USAGE, FENCE_BWRAP, FENCE_ISOLATION. */
export async function decide(doors: DecisionDoors, request: LaunchRequest, around: Surroundings): Promise<Decision> {
  const program = decideProgram(doors, request, around);
  return { ...program, ...(await decideIsolationGround(program, around, "when less is acceptable")) };
}

/** Throws FENCE_CONFIG, FENCE_COMMAND, FENCE_USAGE. */
export function decideProgram(doors: DecisionDoors, request: LaunchRequest, around: Surroundings): ProgramDecision {
  const decided = decidePolicy(doors, request, around);
  return { ...decided, ...decideCommand(doors, decided, request, around) };
}

/** Throws FENCE_CONFIG. */
export function decidePolicy(
  { addon }: Pick<DecisionDoors, "addon">,
  request: PolicyParts,
  around: Surroundings,
): PolicyDecision {
  const doors = { read: readSettingsFile, uid: around.uid };
  const { policy, notes, found } = loadPolicy(doors, { ...request.policy, ...around });
  return {
    policy,
    notes,
    found,
    bridges: bridgesOf(request, policy),
    wanted: {
      isolation: policy.isolation,
      hostNetwork: hasHostNetwork(policy),
      newSession: policy.forceNewSession,
      landlockAbi: addon.landlockAbi(),
      seccomp: hasSeccomp(hostFiles),
    },
    view: () => hostView(addon),
  };
}

/** The parts of a request that decidePolicy() looks at. */
export type PolicyParts = Pick<LaunchRequest, "policy" | "publish" | "httpProxy" | "socksProxy">;

/** Throws FENCE_COMMAND, FENCE_USAGE. */
export function decideCommand(
  { environment: original }: Pick<DecisionDoors, "environment">,
  { policy }: Pick<PolicyDecision, "policy">,
  request: Pick<LaunchRequest, "program" | "environment" | "directory">,
  around: Pick<Surroundings, "directory">,
): CommandDecision {
  const { program } = request;
  refuseDeniedCommand(policy.command, program.kind === "shell" ? program.command : program.argv);
  return {
    argv: programArguments(program),
    environment: programEnvironment(original, request.environment),
    directory: request.directory === null ? around.directory : resolve(around.directory, request.directory),
  };
}

/**
 * Where less is acceptable it must be known before the start what there is; else the start itself finds out, unless a
 * pre-flight is wanted `"always"`: whoever starts many programs is told at once. Throws FENCE_BWRAP, FENCE_ISOLATION.
 */
export async function decideIsolationGround(
  { policy, wanted, bridges, view }: PolicyDecision,
  around: Surroundings,
  preflights: "always" | "when less is acceptable",
): Promise<IsolationGround> {
  const bwrap = locateBwrap(around.environment["PATH"], hostFiles);
  const isolationDoors: IsolationDoors = {
    run: runChild,
    ground: () => ({ ...readGround(hostFiles, around.environment), setUserId: bwrap.setUserId }),
  };
  const isTried = preflights === "always" || namespaceLayers.some((layer) => policy.isolation[layer] === "best-effort");
  if (isTried) decideMounts({ policy, bwrap, view }, around, []); // before bubblewrap is started for the first time
  const isolation = isTried ? await preflight(wanted, bwrap, isolationDoors) : decideIsolation(wanted);
  const hasNetwork = isolation.namespaces.layers.has("network");
  if (bridges !== null && !hasNetwork) throw withoutNetwork(wanted.hostNetwork);
  return { bwrap, isolation, isolationDoors };
}

/** On the host's loopback the bridges would let anybody in, and clash with those of other sandboxes. */
function withoutNetwork(hostNetwork: boolean): FenceError {
  const why = hostNetwork ? 'network.allowedDomains "*" grants the host\'s' : "the sandbox has none of its own here";
  return new FenceError("FENCE_ISOLATION", `proxies and ports need a network namespace of the sandbox's own: ${why}`, {
    step: "isolation",
    hint: hostNetwork
      ? "name proxies and ports, or grant the host's network: not both"
      : "fence check says why there is none, and what helps",
  });
}

/** Throws FENCE_MOUNTS, FENCE_BWRAP. */
export function decideMounts(
  { policy, bwrap, view: look }: Pick<Decision, "policy" | "bwrap" | "view">,
  around: Surroundings,
  bridgeSockets: HostFacts["bridgeSockets"],
): MountPlan {
  const view = look();
  const plan = planMounts(policy, { ...around, bridgeSockets }, view);
  if (!isSystemPlace(bwrap.path) && isReplaceable(plan, view, bwrap.path)) throw replaceableBwrap(bwrap.path);
  return plan;
}

/** Whether the policy grants the host's network itself. */
function hasHostNetwork({ network }: Policy): boolean {
  return network.allowedDomains.includes("*");
}

function bridgesOf(request: PolicyParts, { network }: Policy): HostBridgeRequest | null {
  const wanted = {
    httpProxy: request.httpProxy ?? loopback(network.httpProxyPort),
    socksProxy: request.socksProxy ?? loopback(network.socksProxyPort),
    localPorts: network.allowLocalOutbound ? network.allowLocalOutboundPorts : [],
    publish: request.publish,
  };
  const hasProxy = wanted.httpProxy !== null || wanted.socksProxy !== null;
  return hasProxy || wanted.localPorts.length + wanted.publish.length > 0 ? wanted : null;
}

function loopback(port: number | null): Address | null {
  return port === null ? null : { kind: "tcp", host: "127.0.0.1", port };
}
