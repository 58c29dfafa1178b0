/**
 * Plans the Landlock rules of `--backend landlock`, for the same policy as the mounts.
 *
 * Runs:     host. Pure: the disk is asked through a HostView.
 * Promises: grants nothing that the mounts would not show; what cannot be done without mounts is an error when the layer
 *           `mount` is required, else a note.
 * Source:   docs/backend-landlock.md
 */
import { FenceError } from "../base/errors.ts";
import type { HostView } from "../base/host.ts";
import { type HostPath, hostPath, isWithin } from "../base/paths.ts";
import { type LandlockRule, landlockPlaces, type SplitPlace } from "./landlock-places.ts";
import { judgeAbsent } from "./mount-absent.ts";
import type { Claim } from "./mount-claims.ts";
import { baseOf, type Draft, note } from "./mount-draft.ts";
import { followPath } from "./mount-paths.ts";
import { claimDirectory, claimPolicy } from "./mount-plan.ts";
import { mountTree } from "./mount-tree.ts";
import type { HostFacts, MountPhase, PlanNote } from "./mounts.ts";
import type { Policy } from "./policy.ts";

export interface LandlockPlan {
  readonly rules: readonly LandlockRule[];
  readonly notes: readonly PlanNote[];
  /** Unix sockets of the host that the policy shows: for rules that resolve them, Landlock ABI 9. */
  readonly allowedSockets: readonly HostPath[];
  /** Paths that are to stay as they are, do not exist and could be made by the program. */
  readonly unprotected: readonly HostPath[];
}

/** Of /dev, where the policy does not show the host's own; /dev/shm is shared with the host, so it is not among them. */
const usualDevices = ["null", "zero", "full", "random", "urandom", "tty"] as const;
/** New terminals. They are the host's: the program can open other terminals of its user. */
const terminalDevices = ["ptmx", "pts"] as const;
const mostNamed = 6;

/** Throws FENCE_MOUNTS, FENCE_ISOLATION. */
export function landlockGrants(policy: Policy, facts: Omit<HostFacts, "bridgeSockets">, view: HostView): LandlockPlan {
  const { draft, sockets } = claimPolicy(policy, { ...facts, bridgeSockets: [] }, view);
  claimDirectory(draft);
  const isStrict = policy.isolation.mount === "required";
  for (const problem of impossible(draft)) {
    if (isStrict) throw notPossible(problem);
    note(draft, problem.where, problem.says);
  }
  const wanted = draft.claims.filter(isForLandlock);
  const tree = mountTree(baseOf(draft), isStrict ? wanted : withoutDefaults(draft, wanted));
  const { rules, split } = landlockPlaces(view, tree.places());
  noteSplit(draft, split);
  const closed = new Set(split.filter(({ lost }) => lost === "write").map(({ path }) => path));
  const unprotected = judgeAbsent(draft, {
    ...tree,
    sightOf: (path) => (closed.has(path) ? "read-only" : tree.sightOf(path)),
  });
  return {
    rules: [...rules, ...deviceRules(draft)],
    notes: draft.notes,
    allowedSockets: sockets.map(hostPath),
    unprotected,
  };
}

/** Sockets are connected to, which no rule for files concerns. */
function isForLandlock({ type, effect, path }: Claim): boolean {
  return !(type === "socket" && effect === "hide") && !(isWithin(path, "/proc") && path !== "/proc");
}

/** Defaults that would close directories of the program's own, or of all its tools. */
const givenUp: Readonly<Partial<Record<MountPhase, { readonly where: string; readonly says: string }>>> = {
  dangerous: {
    where: "default: dangerous files",
    says: "not protected, so that the directories that they are in can be written to",
  },
  "deny-exec": {
    where: "command.deny",
    says: "denied by default, but checked only before the start, so that the directories that they are in can be listed",
  },
};

function withoutDefaults(draft: Draft, claims: readonly Claim[]): readonly Claim[] {
  for (const [phase, { where, says }] of Object.entries(givenUp)) {
    const paths = new Set(claims.filter((claim) => claim.phase === phase && claim.isDefault).map(({ path }) => path));
    if (paths.size > 0) note(draft, where, `${says}: ${listed([...paths])}`);
  }
  return claims.filter(({ phase, isDefault }) => !(isDefault && phase in givenUp));
}

function impossible({ policy, claims }: Draft): readonly PlanNote[] {
  const { decoys } = policy.filesystem;
  const inProc = claims.filter(({ path, effect, isDefault }) => {
    return !isDefault && path !== "/proc" && isWithin(path, "/proc") && (effect === "hide" || effect === "protect");
  });
  const newSession = { where: "forceNewSession", says: "the program stays in the session of who started it" };
  return [
    ...decoys.map(({ path }) => ({
      where: `filesystem.decoys ${JSON.stringify(path)}`,
      says: "there is no decoy: the file itself is denied",
    })),
    ...inProc.map(({ because }) => ({ where: because, says: "what is in /proc cannot be denied one by one" })),
    ...(policy.forceNewSession ? [newSession] : []),
  ];
}

function notPossible({ where, says }: PlanNote): FenceError {
  return new FenceError("FENCE_ISOLATION", `${where} cannot be had with --backend landlock: ${says}`, {
    step: "plan-landlock",
    hint: 'leave it out, use --backend bwrap, or accept it with isolation.mount "best-effort"',
  });
}

function deviceRules({ policy, view }: Draft): readonly LandlockRule[] {
  if (policy.devices.mode === "host") return [];
  const names = [...usualDevices, ...(policy.allowPty ? terminalDevices : [])];
  return names.flatMap((name) => {
    const place = followPath(view, `/dev/${name}`);
    const isThere = place?.entry?.type === "device" || (name === "pts" && place?.entry?.type === "directory");
    return isThere ? [{ access: "rw" as const, path: hostPath(place.path) }] : [];
  });
}

/** What a denial costs besides, said once for each. */
function noteSplit(draft: Draft, split: readonly SplitPlace[]): void {
  const costs = {
    read: "cannot be listed, nor what is made in it later be opened",
    write: "nothing can be made or removed",
  };
  for (const lost of ["read", "write"] as const) {
    const because = Map.groupBy(
      split.filter((place) => place.lost === lost),
      (place) => place.because,
    );
    for (const [where, places] of because)
      note(draft, where, `${costs[lost]}: ${listed(places.map(({ path }) => path))}`);
  }
}

function listed(paths: readonly string[]): string {
  const rest = paths.length - mostNamed;
  return rest > 0 ? `${paths.slice(0, mostNamed).join(", ")} and ${rest} more` : paths.join(", ");
}
