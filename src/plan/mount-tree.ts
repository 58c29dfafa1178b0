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
import { parentOf } from "./mount-paths.ts";
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

type Denied = "read" | "write" | null;

interface Node {
  readonly path: string;
  /** In the order of phases. */
  readonly claims: readonly Claim[];
  readonly above: Sight;
  readonly sight: Sight;
  /** What the user denies here: defaults do not undo it. */
  readonly denied: Denied;
  readonly children: Node[];
}

export interface MountTree {
  /** What the program sees at a resolved path. */
  readonly sightOf: (path: string) => Sight;
  /** Whose doing that is; null: the base's. */
  readonly decidedBy: (path: string) => Claim | null;
  /** Whether something is mounted exactly there. */
  readonly isMounted: (path: string) => boolean;
  readonly mounts: () => readonly PlannedMount[];
  readonly grants: () => readonly GrantedPath[];
  /** Each place that a claim is about, parents before children, the root first: for who enforces it without mounts. */
  readonly places: () => readonly SeenPlace[];
}

export interface SeenPlace {
  readonly path: string;
  readonly sight: Sight;
  /** Who made it so. */
  readonly because: string;
}

/** `base`: what the root is. Claims in any order. */
export function mountTree(base: "read-only" | "nothing", claims: readonly Claim[]): MountTree {
  const nodes = growTree(base, claims);
  const root = nodes.get("/") ?? neverEmpty();
  return {
    sightOf: (path) => nodeAt(nodes, path).sight,
    decidedBy: (path) => decider(nodes, path),
    isMounted: (path) => {
      const node = nodes.get(path);
      return node !== undefined && (path === "/" || stepOf(node) !== null);
    },
    mounts: () => {
      const below: PlannedMount[] = [];
      for (const child of root.children) addMounts(below, child);
      return [...baseMounts(root), ...below, ...afterwards(root)];
    },
    grants: () => nodeGrants(root, "nothing"),
    places: () => placesOf(root),
  };
}

/** By their paths, parents before children; the root is always there. */
function growTree(base: "read-only" | "nothing", claims: readonly Claim[]): ReadonlyMap<string, Node> {
  const groups = byPath(claims);
  const root = newNode("/", groups.get("/") ?? [], { sight: base, denied: null });
  const nodes = new Map([["/", root]]);
  const stack = [root];
  for (const path of parentsFirst(groups.keys())) {
    if (path === "/") continue;
    while (!isWithin(path, topOf(stack).path)) stack.pop();
    const above = topOf(stack);
    const node = newNode(path, groups.get(path) ?? [], above);
    above.children.push(node);
    stack.push(node);
    nodes.set(path, node);
  }
  return nodes;
}

function newNode(path: string, claims: readonly Claim[], above: Pick<Node, "sight" | "denied">): Node {
  let { sight, denied } = above;
  const heard: Claim[] = [];
  for (const claim of claims) {
    if (claim.isDefault && undoes(claim.effect, above.denied)) continue;
    heard.push(claim);
    sight = changes[claim.effect](sight);
    denied = deniedAfter(denied, claim);
  }
  return { path, claims: heard, above: above.sight, sight, denied, children: [] };
}

function undoes(effect: Effect, denied: Denied): boolean {
  if (denied === null) return false;
  return effect === "show-writable" || (denied === "read" && (effect === "show" || effect === "link"));
}

function deniedAfter(before: Denied, { effect, isDefault }: Claim): Denied {
  if (isDefault) return before;
  switch (effect) {
    case "hide":
      return "read";
    case "protect":
      return before ?? "write";
    case "show":
    case "restore":
      return before === "read" ? "write" : before;
    case "show-writable":
    case "show-devices":
      return null;
    default:
      return before;
  }
}

function topOf(stack: readonly Node[]): Node {
  return stack.at(-1) ?? neverEmpty();
}

function neverEmpty(): never {
  throw bug("a mount is outside the root");
}

/** In the order of phases. */
function byPath(claims: readonly Claim[]): ReadonlyMap<string, readonly Claim[]> {
  const groups = new Map<string, Claim[]>();
  for (const claim of claims) {
    const group = groups.get(claim.path);
    if (group === undefined) groups.set(claim.path, [claim]);
    else group.push(claim);
  }
  const order = (claim: Claim) => mountPhases.indexOf(claim.phase);
  for (const group of groups.values()) {
    if (group.length > 1) group.sort((one, other) => order(one) - order(other));
  }
  return groups;
}

/** The children of one directory together: with a NUL, which no name holds, a slash comes before everything else. */
function parentsFirst(paths: Iterable<string>): readonly string[] {
  const sorted = Array.from(paths, (path) => path.replaceAll("/", "\0")).sort();
  return sorted.map((path) => path.replaceAll("\0", "/"));
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

function placesOf(node: Node): readonly SeenPlace[] {
  const because = node.claims.length === 0 ? "default: the whole host can be read" : decisive(node).because;
  return [{ path: node.path, sight: node.sight, because }, ...node.children.flatMap(placesOf)];
}

/** The narrowest that `path` is in. */
function nodeAt(nodes: ReadonlyMap<string, Node>, path: string): Node {
  let place = path;
  while (!nodes.has(place)) place = parentOf(place);
  return nodes.get(place) ?? neverEmpty();
}

function decider(nodes: ReadonlyMap<string, Node>, path: string): Claim | null {
  const node = nodeAt(nodes, path);
  if (node.sight !== node.above) return decisive(node);
  return node.path === "/" ? null : decider(nodes, parentOf(node.path));
}

function baseMounts(root: Node): readonly PlannedMount[] {
  if (root.sight === "nothing") return [];
  const access = root.sight === "read-only" || root.sight === "read-write" ? root.sight : neverEmpty();
  const step = { kind: "bind", from: hostPath("/"), to: sandboxPath("/"), access } as const;
  const because = root.claims.length === 0 ? "default: the whole host can be read" : decisive(root).because;
  return [{ step, phase: "base", because }];
}

/** bwrap starts with an empty tmpfs as root, in which mount points are made. */
function afterwards(root: Node): readonly PlannedMount[] {
  if (root.sight !== "nothing") return [];
  const step = { kind: "remount-read-only", to: sandboxPath("/") } as const;
  return [{ step, phase: "base", because: "filesystem.defaultDenyRead" }];
}

function addMounts(mounts: PlannedMount[], node: Node): void {
  const step = stepOf(node);
  if (step !== null) mounts.push(planned(node, step));
  for (const child of node.children) addMounts(mounts, child);
  if (step !== null && isSealed(node, step))
    mounts.push(planned(node, { kind: "remount-read-only", to: sandboxPath(node.path) }));
}

/** A tmpfs that is no place to write: read-only as soon as all mount points in it are made. */
function isSealed({ sight }: Node, step: MountStep): boolean {
  return step.kind === "tmpfs" && sight !== "private";
}

function planned(node: Node, step: MountStep): PlannedMount {
  const { phase, because } = decisive(node);
  return { step, phase, because };
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
  if (claims.length === 0) return null; // all of them were defaults that undo what the user denies
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
