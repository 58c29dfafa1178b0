/**
 * Everything about a sandbox that is decided before anything of it is made.
 *
 * Runs:     host.
 * Promises: reads, and asks; changes nothing on the host. `--dry-run` shows what a run would use.
 * Source:   docs/launch.md
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path/posix";
import { FenceError } from "../base/errors.ts";
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
import { originalEnvironment, type Variables } from "../sys/original-environment.ts";
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

/** What does not depend on how the program is confined. */
export interface ProgramDecision {
  readonly policy: Policy;
  readonly notes: readonly PlanNote[];
  readonly found: FoundGrants | null;
  readonly argv: readonly string[];
  readonly environment: Variables;
  /** The program's working directory. */
  readonly directory: string;
  /** null: there is nothing to bridge. */
  readonly bridges: HostBridgeRequest | null;
  /** What is asked of the kernel. */
  readonly wanted: IsolationRequest;
}

export interface Decision extends ProgramDecision {
  readonly bwrap: BwrapFile;
  readonly isolation: IsolationDecision;
  readonly isolationDoors: IsolationDoors;
}

export interface DecisionDoors {
  readonly addon: Addon;
  /** The environment as it was given, for reading. */
  readonly environment: number;
}

/** Throws FENCE_CONFIG, FENCE_COMMAND, FENCE_USAGE, FENCE_BWRAP, FENCE_ISOLATION. */
export async function decide(doors: DecisionDoors, request: LaunchRequest, around: Surroundings): Promise<Decision> {
  const program = decideProgram(doors, request, around);
  const { policy, wanted } = program;
  const bwrap = locateBwrap(around.environment["PATH"], hostFiles);
  const isolationDoors: IsolationDoors = {
    run: runChild,
    ground: () => ({ ...readGround(hostFiles, around.environment), setUserId: bwrap.setUserId }),
  };
  // Where less is acceptable it must be known before the start what there is; else the start itself finds out.
  const mayBeLess = namespaceLayers.some((layer) => policy.isolation[layer] === "best-effort");
  if (mayBeLess) decideMounts({ policy, bwrap }, around, []); // before bubblewrap is started for the first time
  const isolation = mayBeLess ? await preflight(wanted, bwrap, isolationDoors) : decideIsolation(wanted);
  const hasNetwork = isolation.namespaces.layers.has("network");
  if (program.bridges !== null && !hasNetwork) throw withoutNetwork(wanted.hostNetwork);
  return { ...program, bwrap, isolation, isolationDoors };
}

/** Throws FENCE_CONFIG, FENCE_COMMAND, FENCE_USAGE. */
export function decideProgram(
  { addon, environment: given }: DecisionDoors,
  request: LaunchRequest,
  around: Surroundings,
): ProgramDecision {
  const doors = { read: readSettingsFile, uid: around.uid };
  const { policy, notes, found } = loadPolicy(doors, { ...request.policy, ...around });
  const { program } = request;
  refuseDeniedCommand(policy.command, program.kind === "shell" ? program.command : program.argv);
  return {
    policy,
    notes,
    found,
    argv: programArguments(program),
    environment: programEnvironment(() => originalEnvironment(readFileSync(given)), request.environment),
    directory: resolve(around.directory, request.directory ?? "."),
    bridges: bridgesOf(request, policy),
    wanted: {
      isolation: policy.isolation,
      hostNetwork: hasHostNetwork(policy),
      newSession: policy.forceNewSession,
      landlockAbi: addon.landlockAbi(),
      seccomp: hasSeccomp(hostFiles),
    },
  };
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
  { policy, bwrap }: Pick<Decision, "policy" | "bwrap">,
  around: Surroundings,
  bridgeSockets: HostFacts["bridgeSockets"],
): MountPlan {
  const view = hostView();
  const plan = planMounts(policy, { ...around, bridgeSockets }, view);
  if (!isSystemPlace(bwrap.path) && isReplaceable(plan, view, bwrap.path)) throw replaceableBwrap(bwrap.path);
  return plan;
}

/** Whether the policy grants the host's network itself. */
function hasHostNetwork({ network }: Policy): boolean {
  return network.allowedDomains.includes("*");
}

function bridgesOf(request: LaunchRequest, { network }: Policy): HostBridgeRequest | null {
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
