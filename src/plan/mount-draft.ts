/**
 * What planning collects, and what it knows.
 *
 * Runs:     host. Pure.
 * Source:   docs/mounts.md
 */
import { FenceError } from "../base/errors.ts";
import type { HostView } from "../base/host.ts";
import { quoted } from "../base/quote.ts";
import type { Claim, Effect } from "./mount-claims.ts";
import { followPath, type LinkOnTheWay, type ResolvedPath, resolvePath } from "./mount-paths.ts";
import { expandPattern, isPattern, withoutTrailingStars } from "./mount-patterns.ts";
import { type MountTree, mountTree } from "./mount-tree.ts";
import type { HostFacts, MountPhase, PlanNote } from "./mounts.ts";
import type { Policy } from "./policy.ts";

export interface Draft {
  readonly policy: Policy;
  readonly facts: HostFacts;
  readonly view: HostView;
  readonly claims: Claim[];
  readonly notes: PlanNote[];
  readonly absent: AbsentPath[];
  /** Symlinks through which something is to stay as it is: who may write where they are could replace them. */
  readonly protectedLinks: AbsentPath[];
  /** Of treeOf(). */
  grown: { readonly claims: number; readonly tree: MountTree } | null;
}

/** To be protected, but there is nothing yet. */
export interface AbsentPath {
  /** Where it would be. */
  readonly path: string;
  /** The nearest directory above that exists. */
  readonly parent: string;
  readonly because: string;
  readonly key: string;
  /** Whether the user named this very path, rather than a default or a pattern. */
  readonly isNamed: boolean;
}

/** One path that a key of the policy stands for. */
export interface Target extends ResolvedPath {
  readonly because: string;
  readonly key: string;
  readonly isNamed: boolean;
}

export function newDraft(policy: Policy, facts: HostFacts, view: HostView): Draft {
  return { policy, facts, view, claims: [], notes: [], absent: [], protectedLinks: [], grown: null };
}

/** What the root is, filesystem.defaultDenyRead. */
export function baseOf({ policy }: Draft): "read-only" | "nothing" {
  return policy.filesystem.defaultDenyRead || policy.filesystem.strictDenyRead ? "nothing" : "read-only";
}

/** Of all that is claimed so far; grown anew when something was claimed since. */
export function treeOf(draft: Draft): MountTree {
  const { length } = draft.claims;
  if (draft.grown?.claims !== length) draft.grown = { claims: length, tree: mountTree(baseOf(draft), draft.claims) };
  return draft.grown.tree;
}

/** Every path that a list of the policy stands for, resolved; a pattern that matches nothing is a note. */
export function targetsOf(draft: Draft, key: string, patterns: readonly string[]): readonly Target[] {
  return patterns.flatMap((written): Target[] => {
    const because = `${key} ${quoted(written)}`;
    const pattern = withoutTrailingStars(written);
    if (!isPattern(pattern)) return [{ ...resolvePath(draft.view, pattern, key), because, key, isNamed: true }];
    const { paths, isPartial } = expandPattern(draft.view, pattern, key);
    if (paths.length === 0) note(draft, because, "matches nothing");
    if (isPartial) note(draft, because, "was not looked for in node_modules and the like: see docs/mounts.md");
    return paths.map((path) => ({ ...resolvePath(draft.view, path, key), because, key, isNamed: false }));
  });
}

/** A default's path, where it exists. */
export function existing(draft: Draft, path: string): (ResolvedPath & { entry: object }) | null {
  const resolved = followPath(draft.view, path);
  return resolved === null || resolved.entry === null ? null : { ...resolved, entry: resolved.entry };
}

export interface Wish {
  readonly effect: Effect;
  readonly phase: MountPhase;
  readonly because: string;
  readonly isDefault: boolean;
}

export function claim(draft: Draft, resolved: ResolvedPath, wish: Wish): void {
  draft.claims.push({ ...wish, path: resolved.path, type: resolved.entry?.type ?? "file" });
}

/** The symlinks on the way are there, too, where what is above them is not the host's. */
export function claimLinks(draft: Draft, links: readonly LinkOnTheWay[], wish: Omit<Wish, "effect">): void {
  for (const { at, target } of links) draft.claims.push({ ...wish, effect: "link", path: at, type: "file", target });
}

export function note(draft: Draft, where: string, says: string): void {
  draft.notes.push({ where, says });
}

export function planError(message: string, path: string, hint: string): FenceError {
  return new FenceError("FENCE_MOUNTS", message, { step: "plan-mounts", path, hint });
}
