/**
 * Decides which layers of isolation a run gets, before bwrap is started.
 *
 * Runs:     host.
 * Promises: asks the kernel nothing while all is well; a required layer that cannot be had is FENCE_ISOLATION; a layer
 *           that best-effort gives up is named in the report; another backend is never chosen for the user.
 * Source:   docs/isolation.md
 */
import { FenceError } from "../base/errors.ts";
import { linuxOf, rightOf } from "../landlock/abi.ts";
import { optionNeeds } from "../landlock/options.ts";
import {
  applied,
  type EffectiveIsolation,
  effectiveIsolation,
  type LayerReport,
  missingUnderBwrap,
  underLandlock,
  weakerUnderBwrap,
} from "../plan/isolation.ts";
import { type Namespaces, namespaceArgs, procArgs, wantedNamespaces } from "../plan/namespaces.ts";
import type { IsolationLayer, IsolationPolicy } from "../plan/policy.ts";
import type { RunChild } from "../sys/child.ts";
import type { BwrapFile } from "./bwrap.ts";
import { type FailureGround, failureError } from "./bwrap-failure.ts";
import { findNamespaces, type NamespaceFindings, tryStarts } from "./capabilities.ts";

/** What a run asks for. */
export interface IsolationRequest {
  readonly isolation: IsolationPolicy;
  /** The policy grants the host's network directly. */
  readonly hostNetwork: boolean;
  /** Policy.forceNewSession. */
  readonly newSession: boolean;
  /** landlockAbi()'s answer; 0 or less: there is no Landlock. */
  readonly landlockAbi: number;
  /** Whether the kernel has seccomp filters. */
  readonly seccomp: boolean;
}

export interface IsolationDecision {
  readonly namespaces: Namespaces;
  /** Before the mounts. */
  readonly bwrapArgs: readonly string[];
  /** What brings /proc in: in the place of MountStep `proc`. */
  readonly procArgs: readonly string[];
  /** What bootstrap is to do. */
  readonly landlock: "required" | "best-effort" | "off";
  readonly seccomp: "strict" | "off";
  readonly effective: EffectiveIsolation;
}

/** What finding out needs. `ground` is asked only after a failure. */
export interface IsolationDoors {
  readonly run: RunChild;
  readonly ground: () => FailureGround;
}

interface Gone {
  readonly state: "weaker" | "missing";
  readonly says: string;
  readonly why: string;
  readonly remedies: readonly string[];
}

const step = "isolation";
const landlockAbiOfFiles = optionNeeds["--ro"];
const landlockAbiOfTruncation = rightOf("TRUNCATE");

/** For the first start: everything that is asked for. Throws FENCE_ISOLATION for what the kernel lacks altogether. */
export function decideIsolation(request: IsolationRequest): IsolationDecision {
  return decision(request, wantedNamespaces(request.isolation, request.hostNetwork), new Map());
}

/**
 * Tries what a run asks for without running anything; the decision is what a run would get. Throws FENCE_ISOLATION when a
 * required layer cannot be had, FENCE_BWRAP when leaving layers out does not help.
 */
export async function preflight(
  request: IsolationRequest,
  bwrap: BwrapFile,
  doors: IsolationDoors,
): Promise<IsolationDecision> {
  const wanted = wantedNamespaces(request.isolation, request.hostNetwork);
  return withFindings(request, await findNamespaces(wanted, tryStarts(bwrap, doors.run, doors.ground)));
}

/**
 * What --backend landlock gives. It was asked for by name, so what it cannot give is reported, not refused; but there is
 * nothing else than Landlock, so that an older one counts for more than behind mounts.
 */
export function landlockIsolation(request: IsolationRequest): EffectiveIsolation {
  const { isolation, landlockAbi, hostNetwork } = request;
  refuseWithoutLandlock(request);
  const gone = kernelGone(request);
  refuseRequired(isolation, gone);
  if (isolation.mount === "required" && landlockAbi < landlockAbiOfTruncation.firstAbi)
    throw new FenceError(
      "FENCE_ISOLATION",
      `isolation layer mount is required, and Landlock ABI ${landlockAbi} cannot keep files from being truncated`,
      { step, hint: `use Linux ${linuxOf(landlockAbiOfTruncation.firstAbi)} or newer, or --isolation best-effort` },
    );
  return effectiveIsolation("landlock", isolation, (layer) => {
    if (layer === "landlock" || layer === "seccomp") return reportOf(gone.get(layer));
    if (layer === "network" && hostNetwork) return hostNetworkReport;
    return { ...underLandlock[layer], why: "--backend landlock makes no namespaces and mounts nothing" };
  });
}

/** Whatever the policy accepts: without Landlock this backend would be nothing. */
function refuseWithoutLandlock({ isolation, landlockAbi }: IsolationRequest): void {
  if (isolation.landlock !== "off" && landlockAbi > 0) return;
  const why =
    landlockAbi > 0 ? "isolation.landlock is off" : "this kernel has no Landlock, or it is not in its lsm= list";
  throw new FenceError("FENCE_ISOLATION", `--backend landlock is not possible: ${why}`, {
    step,
    hint: "use --backend bwrap, or Linux 5.13 or newer with landlock in its lsm= list",
  });
}

function withFindings(request: IsolationRequest, findings: NamespaceFindings): IsolationDecision {
  const { works, failures, procFailure, startFailure } = findings;
  const gone = new Map<IsolationLayer, Gone>();
  for (const [layer, { says, remedies }] of failures) {
    gone.set(layer, { state: "missing", says: missingUnderBwrap[layer], why: says, remedies });
  }
  if (procFailure !== null) {
    gone.set("pid", {
      state: "weaker",
      says: weakerUnderBwrap.pid,
      why: procFailure.says,
      remedies: procFailure.remedies,
    });
  }
  if (works === null && startFailure !== null) throw failureError(startFailure);
  const wanted = wantedNamespaces(request.isolation, request.hostNetwork);
  return decision(request, works ?? wanted, gone);
}

function decision(
  request: IsolationRequest,
  namespaces: Namespaces,
  goneNamespaces: ReadonlyMap<IsolationLayer, Gone>,
): IsolationDecision {
  const { isolation, hostNetwork, newSession } = request;
  const gone = new Map([...policyGone(isolation), ...goneNamespaces, ...kernelGone(request)]);
  refuseRequired(isolation, gone);
  return {
    namespaces,
    bwrapArgs: namespaceArgs(namespaces, newSession),
    procArgs: procArgs(namespaces),
    landlock: gone.get("landlock")?.state === "missing" ? "off" : isolation.landlock,
    seccomp: isolation.seccomp === "off" || gone.has("seccomp") ? "off" : "strict",
    effective: effectiveIsolation("bwrap", isolation, (layer) =>
      layer === "network" && hostNetwork ? hostNetworkReport : reportOf(gone.get(layer)),
    ),
  };
}

const hostNetworkReport: Pick<LayerReport, "state" | "says" | "why"> = {
  state: "off",
  says: null,
  why: "the policy grants the host's network (network.allowedDomains has *)",
};

/** What the policy itself makes impossible. */
function policyGone(isolation: IsolationPolicy): Map<IsolationLayer, Gone> {
  if (isolation.user !== "off" || isolation["nested-user"] === "off") return new Map();
  const why = "it needs isolation.user, which is off";
  const remedies = ["turn isolation.nested-user off as well"];
  return new Map([["nested-user", { state: "missing", says: missingUnderBwrap["nested-user"], why, remedies }]]);
}

/** What the kernel itself lacks, which needs no trying. */
function kernelGone({ isolation, landlockAbi, seccomp }: IsolationRequest): Map<IsolationLayer, Gone> {
  const gone = new Map<IsolationLayer, Gone>();
  if (isolation.landlock !== "off" && landlockAbi < landlockAbiOfFiles.abi) {
    const none = landlockAbi <= 0;
    gone.set("landlock", {
      state: none ? "missing" : "weaker",
      says: none ? missingUnderBwrap.landlock : weakerUnderBwrap.landlock,
      why: none
        ? "this kernel has no Landlock, or it is not in its lsm= list"
        : `this kernel has Landlock ABI ${landlockAbi}, file rules need ABI ${landlockAbiOfFiles.abi}`,
      remedies: [`use Linux ${landlockAbiOfFiles.linux} or newer with landlock in its lsm= list`],
    });
  }
  if (isolation.seccomp !== "off" && !seccomp) {
    const why = "this kernel has no seccomp filters";
    gone.set("seccomp", {
      ...{ state: "missing", says: missingUnderBwrap.seccomp, why },
      remedies: ["use a kernel with CONFIG_SECCOMP_FILTER, as distributions' are"],
    });
  }
  return gone;
}

/** An older Landlock is less of a second wall behind the mounts: reported, not refused. */
function refuseRequired(isolation: IsolationPolicy, gone: ReadonlyMap<IsolationLayer, Gone>): void {
  for (const [layer, { state, says, why, remedies }] of gone) {
    if (isolation[layer] !== "required" || (layer === "landlock" && state === "weaker")) continue;
    const what = state === "missing" ? "cannot be had" : "can only be had in part";
    throw new FenceError("FENCE_ISOLATION", `isolation layer ${layer} is required and ${what}: ${why}`, {
      step,
      hint: [...remedies, `--isolation best-effort, but then ${says}`].join("; or "),
    });
  }
}

function reportOf(gone: Gone | undefined): Pick<LayerReport, "state" | "says" | "why"> {
  return gone === undefined ? applied : { state: gone.state, says: gone.says, why: gone.why };
}
