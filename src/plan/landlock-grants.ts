/**
 * The policy as Landlock rules alone, for `--backend landlock`: nothing is mounted, the program sees the host's own files.
 *
 * Runs:     host. Pure: the disk is asked through a HostView.
 * Promises: no rule reaches what the policy denies reading; what rules cannot express is named in the notes.
 * Source:   landlock(7): a rule grants for all below a directory, and nothing takes that away again; docs/mounts.md
 */
import type { HostView } from "../base/host.ts";
import { isWithin, sandboxPath } from "../base/paths.ts";
import { baseOf, claimBase } from "./mount-base.ts";
import type { Claim } from "./mount-claims.ts";
import { claimDangerous } from "./mount-dangerous.ts";
import { claimDenials } from "./mount-denials.ts";
import { type Draft, newDraft, note, planError } from "./mount-draft.ts";
import { claimGrants } from "./mount-grants.ts";
import { childOf } from "./mount-paths.ts";
import { accessBySight, mountTree, type TreeNode } from "./mount-tree.ts";
import type { GrantedPath, HostFacts, PlanNote } from "./mounts.ts";
import type { Policy } from "./policy.ts";

export interface GrantsAlone {
  readonly grants: readonly GrantedPath[];
  readonly notes: readonly PlanNote[];
}

/** Each rule is a system call and a descriptor for a moment; thousands would slow every path look-up down. */
export const mostGrants = 2_000;

/** Throws FENCE_MOUNTS. There is no /tmp of its own: whoever starts the program gives it a directory and names it in TMPDIR. */
export function grantsWithoutMounts(policy: Policy, facts: HostFacts, view: HostView): GrantsAlone {
  const draft = newDraft(policy, facts, view);
  claimBase(draft);
  claimGrants(draft);
  claimDenials(draft);
  claimDangerous(draft);
  const claims = [...draft.claims.filter(isExpressible), ...["/dev", "/proc"].map(wholly)];
  const grants = grantsOf(view, mountTree(baseOf(draft), claims).root, null);
  if (grants.length > mostGrants) throw tooMany(draft, grants.length);
  noteWeaker(draft);
  return { grants, notes: draft.notes };
}

/** A default that hides a socket does nothing here: before ABI 9 Landlock does not see who connects to what. */
function isExpressible({ effect, isDefault }: Claim): boolean {
  if (effect === "hide") return !isDefault;
  return !["private", "dev", "proc", "exist", "link", "decoy", "protect"].includes(effect);
}

function wholly(path: string): Claim {
  return {
    path,
    effect: "show-devices",
    phase: "devices",
    because: `default: ${path}`,
    isDefault: true,
    type: "directory",
  };
}

/** What a node and all below it need, where `above` is granted for the directory above already. */
function grantsOf(view: HostView, node: TreeNode, above: GrantedPath["access"] | null): readonly GrantedPath[] {
  const access = accessBySight[node.sight];
  if (access === null) return node.children.flatMap((child) => grantsOf(view, child, null));
  if (!hidesBelow(node)) {
    const own = access === above ? [] : [{ access, path: sandboxPath(node.path) }];
    return [...own, ...node.children.flatMap((child) => grantsOf(view, child, access))];
  }
  return grantsBeside(view, node.path, node.children, access);
}

function hidesBelow(node: TreeNode): boolean {
  return node.children.some((child) => accessBySight[child.sight] === null || hidesBelow(child));
}

/** All that is in a directory one by one, because something in it is not granted. Symlinks lead elsewhere: they get none. */
function grantsBeside(
  view: HostView,
  directory: string,
  nodes: readonly TreeNode[],
  access: GrantedPath["access"],
): readonly GrantedPath[] {
  return (view.list(directory) ?? []).flatMap(({ name, type }) => {
    const path = childOf(directory, name);
    const within = nodes.filter((node) => isWithin(node.path, path));
    const [first] = within;
    if (first?.path === path) return grantsOf(view, first, null);
    if (within.some((node) => accessBySight[node.sight] === null || hidesBelow(node)))
      return grantsBeside(view, path, within, access);
    const own = type === "symlink" ? [] : [{ access, path: sandboxPath(path) }];
    return [...own, ...within.flatMap((node) => grantsOf(view, node, access))];
  });
}

function tooMany({ policy }: Draft, count: number) {
  return planError(
    `without mounts filesystem.denyRead needs ${count} Landlock rules, for all that is beside what is denied; ${mostGrants} are the most`,
    policy.filesystem.denyRead[0] ?? "/",
    "deny directories near the root, or use defaultDenyRead and name in allowRead what is needed",
  );
}

function noteWeaker(draft: Draft): void {
  const where = "--backend landlock";
  const { command, filesystem, network } = draft.policy;
  const isWritable = (path: string) =>
    draft.claims.some((claim) => claim.effect === "show-writable" && isWithin(path, claim.path));
  const open = draft.claims
    .filter(({ effect, path }) => effect === "protect" && isWritable(path))
    .map(({ path }) => path);
  if (open.length > 0)
    note(
      draft,
      where,
      `stays writable, since rules take nothing away below allowWrite: ${[...new Set(open)].join(", ")}`,
    );
  if (filesystem.decoys.length > 0) note(draft, where, "decoys need mounts: the real files are there");
  if (command.deny.length > 0 || command.useDefaults)
    note(draft, where, "denied commands are checked only before the start");
  if (!network.allowAllUnixSockets)
    note(
      draft,
      where,
      "sockets are not hidden: below Landlock ABI 9 the program can connect to each that it may reach",
    );
}
