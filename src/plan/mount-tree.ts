/**
 * Decides what the program sees at each path that is claimed, and turns it into mounts.
 *
 * Runs:     host. Pure.
 * Promises: the narrowest claim wins; of two for the same path that of the later phase; parents are mounted before children;
 *           what is not changed by a claim is not mounted.
 * Source:   docs/mounts.md
 */
import { bug, unreachable } from "../base/errors.ts";
import { hostPath, isWithin, sandboxPath } from "../base/paths.ts";
import type { Claim, Effect } from "./mount-claims.ts";
import { partsOf } from "./mount-paths.ts";
import { type GrantedPath, type MountStep, mountPhases, type PlannedMount } from "./mounts.ts";

/** What is at a path, and at all below it that no other claim changes. */
export type Sight =
  /** Not even a directory: the empty root. */
  | "nothing"
  | "read-only"
  | "read-write"
  | "devices"
  /** A mask. */
  | "empty"
  | "private"
  | "dev"
  | "proc"
  | "decoy"
  | "link"
  | "bootstrap"
  | "bridge-socket";

interface Node {
  readonly path: string;
  /** In the order of phases. */
  readonly claims: readonly Claim[];
  readonly above: Sight;
  readonly sight: Sight;
  readonly children: Node[];
}

export interface MountTree {
  /** What the program sees at a resolved path. */
  readonly sightOf: (path: string) => Sight;
  readonly mounts: readonly PlannedMount[];
  readonly grants: readonly GrantedPath[];
}

/** `base`: what the root is. Claims in any order. */
export function mountTree(base: "read-only" | "nothing", claims: readonly Claim[]): MountTree {
  const root = growTree(base, claims);
  return {
    sightOf: (path) => nodeAt(root, path).sight,
    mounts: [...baseMounts(base), ...root.children.flatMap(nodeMounts), ...afterwards(base)],
    grants: nodeGrants(root, "nothing"),
  };
}

function growTree(base: "read-only" | "nothing", claims: readonly Claim[]): Node {
  const root: Node = { path: "/", claims: [], above: base, sight: base, children: [] };
  const stack = [root];
  for (const [path, claimsHere] of byPath(claims)) {
    while (!isWithin(path, topOf(stack).path)) stack.pop();
    const above = topOf(stack);
    const node = {
      path,
      claims: claimsHere,
      above: above.sight,
      sight: sightAfter(above.sight, claimsHere),
      children: [],
    };
    above.children.push(node);
    stack.push(node);
  }
  return root;
}

function topOf(stack: readonly Node[]): Node {
  return stack.at(-1) ?? neverEmpty();
}

function neverEmpty(): never {
  throw bug("a mount is outside the root");
}

/** Parents before children, the children of one directory together. */
function byPath(claims: readonly Claim[]): readonly (readonly [string, readonly Claim[]])[] {
  const groups = new Map<string, Claim[]>();
  for (const claim of claims) {
    const group = groups.get(claim.path);
    if (group === undefined) groups.set(claim.path, [claim]);
    else group.push(claim);
  }
  const order = (claim: Claim) => mountPhases.indexOf(claim.phase);
  return [...groups]
    .map(([path, group]) => ({ path, parts: partsOf(path), group }))
    .sort((one, other) => compareParts(one.parts, other.parts))
    .map(({ path, group }) => [path, group.toSorted((one, other) => order(one) - order(other))] as const);
}

function compareParts(one: readonly string[], other: readonly string[]): number {
  for (const [index, part] of one.entries()) {
    const counterpart = other[index];
    if (counterpart === undefined) return 1;
    if (part !== counterpart) return part < counterpart ? -1 : 1;
  }
  return one.length - other.length;
}

function sightAfter(above: Sight, claims: readonly Claim[]): Sight {
  return claims.reduce((sight, { effect }) => changes[effect](sight), above);
}

const isHosts = (sight: Sight) => sight === "read-only" || sight === "read-write" || sight === "devices";
const isUncovered = (sight: Sight) => sight === "nothing" || sight === "private";

const changes: Readonly<Record<Effect, (sight: Sight) => Sight>> = {
  show: (sight) => (isHosts(sight) ? sight : "read-only"),
  "show-writable": (sight) => (sight === "devices" ? sight : "read-write"),
  "show-devices": () => "devices",
  // Nothing of the host's is there: what the program makes there itself is its own.
  hide: (sight) => (isUncovered(sight) ? sight : "empty"),
  protect: (sight) => (sight === "read-write" ? "read-only" : sight === "private" ? "empty" : sight),
  restore: (sight) => (isHosts(sight) ? sight : "read-only"),
  decoy: () => "decoy",
  private: () => "private",
  dev: () => "dev",
  proc: () => "proc",
  exist: (sight) => sight,
  link: (sight) => (isHosts(sight) ? sight : "link"),
  pin: (sight) => sight,
  bootstrap: () => "bootstrap",
  "bridge-socket": () => "bridge-socket",
};

function nodeAt(node: Node, path: string): Node {
  const child = node.children.find((candidate) => isWithin(path, candidate.path));
  return child === undefined ? node : nodeAt(child, path);
}

function baseMounts(base: "read-only" | "nothing"): readonly PlannedMount[] {
  if (base === "nothing") return [];
  const step = { kind: "bind", from: hostPath("/"), to: sandboxPath("/"), access: "read-only" } as const;
  return [{ step, phase: "base", because: "default: the whole host can be read" }];
}

/** bwrap starts with an empty tmpfs as root, in which mount points are made. */
function afterwards(base: "read-only" | "nothing"): readonly PlannedMount[] {
  if (base === "read-only") return [];
  const step = { kind: "remount-read-only", to: sandboxPath("/") } as const;
  return [{ step, phase: "base", because: "filesystem.defaultDenyRead" }];
}

function nodeMounts(node: Node): readonly PlannedMount[] {
  const own = ownMounts(node);
  const below = node.children.flatMap(nodeMounts);
  return [...own, ...below, ...(own.some(({ step }) => isSealed(node, step)) ? [sealing(node)] : [])];
}

/** A tmpfs that is no place to write: read-only as soon as all mount points in it are made. */
function isSealed({ sight }: Node, step: MountStep): boolean {
  return step.kind === "tmpfs" && sight !== "private";
}

function sealing(node: Node): PlannedMount {
  const { phase, because } = decisive(node);
  return { step: { kind: "remount-read-only", to: sandboxPath(node.path) }, phase, because };
}

function ownMounts(node: Node): readonly PlannedMount[] {
  const step = stepOf(node);
  if (step === null) return [];
  const { phase, because } = decisive(node);
  return [{ step, phase, because }];
}

/** The claim that made it what it is; where none changed anything, the last one. */
function decisive({ claims, above }: Node): Claim {
  let sight = above;
  let last: Claim | undefined;
  for (const claim of claims) {
    const next = changes[claim.effect](sight);
    if (next !== sight || last === undefined || claim.effect === "pin") last = claim;
    sight = next;
  }
  return last ?? neverEmpty();
}

function stepOf(node: Node): MountStep | null {
  const { path, above, sight, claims } = node;
  const to = sandboxPath(path);
  const has = (effect: Effect) => claims.some((claim) => claim.effect === effect);
  const claim = decisive(node);
  const isForced = has("pin") || has("private") || claim.from !== undefined;
  if (sight === "nothing") return has("exist") ? { kind: "directory", to, mode: 0o755 } : null;
  if (sight === above && !isForced) return null;
  switch (sight) {
    case "read-only":
    case "read-write":
    case "devices":
      return { kind: "bind", from: hostPath(path), to, access: sight };
    case "empty":
      return claim.type === "directory"
        ? { kind: "tmpfs", to, mode: 0o755, sizeBytes: null }
        : { kind: "empty-file", to };
    case "private":
      return { kind: "tmpfs", to, mode: 0o1777, sizeBytes: null };
    case "dev":
    case "proc":
      return { kind: sight, to };
    case "decoy":
      return { kind: "decoy", to, decoy: claim.target ?? "" };
    case "link":
      return { kind: "symlink", target: claim.target ?? "", to };
    case "bootstrap":
      return claim.from === undefined
        ? { kind: "tmpfs", to, mode: 0o755, sizeBytes: null }
        : { kind: "bind", from: claim.from, to, access: "read-only" };
    case "bridge-socket":
      return { kind: "bind", from: claim.from ?? neverEmpty(), to, access: "read-only" };
    default:
      return unreachable(sight);
  }
}

/** By Landlock's words; what a directory grants below it cannot be taken away again, so that mounts must deny it. */
const accessOf: Readonly<Record<Sight, GrantedPath["access"] | null>> = {
  nothing: null,
  "read-only": "rox",
  "read-write": "rwx",
  devices: "rw",
  empty: null,
  private: "rwx",
  dev: "rw",
  proc: "rw",
  decoy: "ro",
  link: null,
  bootstrap: "rox",
  "bridge-socket": null,
};

function nodeGrants(node: Node, above: Sight): readonly GrantedPath[] {
  const access = accessOf[node.sight];
  const grant = access === null || node.sight === above ? [] : [{ access, path: sandboxPath(node.path) }];
  return [...grant, ...node.children.flatMap((child) => nodeGrants(child, node.sight))];
}
