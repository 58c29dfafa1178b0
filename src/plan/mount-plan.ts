/**
 * Plans what is mounted in the sandbox.
 *
 * Runs:     host. Pure: the disk is asked through a HostView.
 * Promises: the same policy, facts and host give the same plan; what is denied is not visible whatever else is granted, but
 *           for a narrower grant; nothing is created on the host but what `leftBehind` names.
 * Source:   docs/mounts.md
 */
import type { HostView } from "../base/host.ts";
import { type HostPath, hostPath, isWithin, sandboxPath } from "../base/paths.ts";
import { quoted } from "../base/quote.ts";
import { mountArgs } from "./bwrap-argv.ts";
import { judgeAbsent } from "./mount-absent.ts";
import { isThere } from "./mount-access.ts";
import { claimBase, temporaryPlace } from "./mount-base.ts";
import type { Effect } from "./mount-claims.ts";
import { claimDangerous } from "./mount-dangerous.ts";
import { claimDenials } from "./mount-denials.ts";
import { claim, type Draft, newDraft, planError, treeOf } from "./mount-draft.ts";
import { claimDeniedPrograms } from "./mount-exec.ts";
import { claimGrants } from "./mount-grants.ts";
import { childOf, followPath, parentOf } from "./mount-paths.ts";
import type { MountTree } from "./mount-tree.ts";
import type { HostFacts, MountPlan, PlannedMount } from "./mounts.ts";
import type { Policy } from "./policy.ts";

/** bwrap takes 9000 arguments in all; the rest is for its other options. */
export const mostMountArguments = 8_800;

/** Throws FENCE_MOUNTS. */
export function planMounts(policy: Policy, facts: HostFacts, view: HostView): MountPlan {
  const { draft, sockets } = claimPolicy(policy, facts, view);
  const place = childOf(temporaryPlace(draft), "fence");
  refuseOwnPlace(draft, place);
  claimBootstrap(draft, place);
  claimDirectory(draft);
  claimPins(draft);
  const tree = treeOf(draft);
  const mounts = tree.mounts();
  refuseUnplaced(draft, tree);
  refuseInvisibleDirectory(draft, mounts);
  const unprotected = judgeAbsent(draft, tree);
  refuseTooMany(mounts);
  return {
    mounts,
    grants: tree.grants(),
    notes: draft.notes,
    bridgeSockets: facts.bridgeSockets.map(({ name }) => sandboxPath(`${place}/run/${name}`)),
    allowedSockets: sockets.filter((path) => isShown(tree, path)).map(sandboxPath),
    leftBehind: leftBehind(draft, tree, place),
    unprotected,
  };
}

/** All that the policy and the defaults want, whatever enforces it; and the Unix sockets that it names. Throws FENCE_MOUNTS. */
export function claimPolicy(policy: Policy, facts: HostFacts, view: HostView) {
  const draft = newDraft(policy, facts, view);
  claimBase(draft);
  const sockets = claimGrants(draft);
  claimDenials(draft);
  claimDangerous(draft);
  claimDeniedPrograms(draft);
  return { draft, sockets };
}

function isShown(tree: MountTree, path: string): boolean {
  const sight = tree.sightOf(path);
  return sight === "read-only" || sight === "read-write" || sight === "devices";
}

function refuseOwnPlace({ claims }: Draft, place: string): void {
  const taken = claims.find(({ path }) => isWithin(path, place));
  if (taken !== undefined)
    throw planError(
      `${taken.because} is ${quoted(taken.path)}, where fence has its own files in the sandbox`,
      taken.path,
      `leave ${place} out`,
    );
}

function claimBootstrap({ claims, facts }: Draft, place: string): void {
  const common = { effect: "bootstrap", phase: "bootstrap", because: "fence's own files", isDefault: false } as const;
  claims.push({ ...common, path: place, type: "directory" });
  claims.push({ ...common, path: `${place}/bin/fence`, type: "file", from: facts.executable });
  for (const { name, path } of facts.bridgeSockets) {
    const socket = { effect: "bridge-socket", phase: "sockets", because: `bridge ${name}`, isDefault: false } as const;
    claims.push({ ...socket, path: `${place}/run/${name}`, type: "socket", from: path });
  }
}

/** Where the whole host can be read, the working directory can, too, although it is in /tmp or /run: unless it is denied. */
export function claimDirectory(draft: Draft): void {
  const place = followPath(draft.view, draft.facts.directory);
  if (place === null || place.entry === null) return;
  const tree = treeOf(draft);
  const sight = tree.sightOf(place.path);
  if (sight === "private" || (sight === "empty" && tree.decidedBy(place.path)?.isDefault === true))
    claim(draft, place, { effect: "show", phase: "rebind", because: "the working directory", isDefault: true });
}

function refuseInvisibleDirectory({ view, facts }: Draft, mounts: readonly PlannedMount[]): void {
  const place = followPath(view, facts.directory);
  if (place === null || place.entry === null || isThere(mounts, place.path)) return;
  throw planError(
    `the working directory ${quoted(place.path)} is not in the sandbox`,
    place.path,
    "add it to filesystem.allowRead or allowWrite, or start in a directory that is there",
  );
}

/**
 * What is denied or to stay as it is must not be moved away together with a directory above it, and then made anew: the next
 * run would deny the new one, and show the old one under its new name.
 */
function claimPins(draft: Draft): void {
  const tree = treeOf(draft);
  const pinned = new Set<string>();
  for (const { path, effect, because, phase } of draft.claims) {
    if (!isPinning(effect)) continue;
    for (
      let above = parentOf(path);
      tree.sightOf(above) === "read-write" && !tree.isMounted(above);
      above = parentOf(above)
    ) {
      if (pinned.has(above)) break;
      pinned.add(above);
      draft.claims.push({
        path: above,
        effect: "pin",
        phase,
        because: `${because}: cannot be moved away`,
        isDefault: false,
        type: "directory",
      });
    }
  }
}

function isPinning(effect: Effect): boolean {
  return effect === "protect" || effect === "hide" || effect === "decoy";
}

/** Mount points that bwrap could not make. */
function refuseUnplaced(draft: Draft, tree: MountTree): void {
  for (const { path, effect, because } of draft.claims) {
    if (effect !== "decoy" || draft.view.entry(path) !== null) continue;
    const above = tree.sightOf(parentOf(path));
    if (above === "read-only" || above === "read-write" || above === "devices" || above === "proc")
      throw planError(
        `${because} does not exist, and its directory is the host's`,
        path,
        "make an empty file there, or hide its directory with filesystem.denyRead or mask",
      );
  }
}

function refuseTooMany(mounts: readonly PlannedMount[]): void {
  const counts = new Map<string, number>();
  let all = 0;
  for (const { step, because } of mounts) {
    const { length } = mountArgs(step, () => 0);
    all += length;
    counts.set(because, (counts.get(because) ?? 0) + length);
  }
  if (all <= mostMountArguments) return;
  const most = [...counts].toSorted(([, one], [, other]) => other - one).slice(0, 3);
  const names = most.map(([because, count]) => `${because} (${count})`).join(", ");
  throw planError(
    `the mounts need ${all} arguments of bwrap, which takes ${mostMountArguments}; most of them: ${names}`,
    "/",
    "name directories rather than the files in them",
  );
}

/** The host's own directory is shown where fence's is: it must be made there. */
function leftBehind({ view, facts }: Draft, tree: MountTree, place: string): readonly HostPath[] {
  const above = tree.sightOf(parentOf(place));
  if (above !== "read-only" && above !== "read-write" && above !== "devices") return [];
  const entry = view.entry(place);
  // One of the user's own is there for another launcher, which must not remove it while this one needs it.
  if (entry === null || (entry.type === "directory" && entry.uid === facts.uid)) return [hostPath(place)];
  if (entry.type === "directory" && entry.uid === 0) return [];
  throw planError(
    `${place} on the host is ${entry.type === "directory" ? "another user's" : `a ${entry.type}`}`,
    place,
    `remove it, or do not show the host's ${parentOf(place)} in the sandbox`,
  );
}
