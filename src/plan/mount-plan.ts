/**
 * Plans what is mounted in the sandbox.
 *
 * Runs:     host. Pure: the disk is asked through a HostView.
 * Promises: the same policy, facts and host give the same plan; what is denied is not visible whatever else is granted, but
 *           for a narrower grant; nothing is created on the host but what `leftBehind` names.
 * Source:   docs/mounts.md
 */
import { FenceError } from "../base/errors.ts";
import type { HostView } from "../base/host.ts";
import { hostPath, sandboxPath } from "../base/paths.ts";
import { quoted } from "../base/quote.ts";
import type { Claim } from "./mount-claims.ts";
import { childOf, followPath, parentOf, resolvePath } from "./mount-paths.ts";
import { type MountTree, mountTree } from "./mount-tree.ts";
import type { HostFacts, MountPlan } from "./mounts.ts";
import type { Policy } from "./policy.ts";

/** Throws FENCE_MOUNTS. */
export function planMounts(policy: Policy, facts: HostFacts, view: HostView): MountPlan {
  const temporary = temporaryPlace(view);
  const claims = [...baseClaims(view), ...temporaryClaims(temporary), ...bootstrapClaims(facts, temporary)];
  for (const path of policy.filesystem.allowWrite) {
    const where = "filesystem.allowWrite";
    const { path: place, entry } = resolvePath(view, path, where);
    if (entry === null) continue;
    claims.push({
      path: place,
      effect: "show-writable",
      phase: "writable",
      because: `${where} ${quoted(path)}`,
      type: entry.type,
    });
  }
  const tree = mountTree("read-only", claims);
  return {
    mounts: tree.mounts,
    grants: tree.grants,
    notes: [],
    bridgeSockets: facts.bridgeSockets.map(({ name }) => sandboxPath(`${temporary}/fence/run/${name}`)),
    allowedSockets: [],
    leftBehind: leftBehind(tree, view, facts, temporary),
    unprotected: [],
  };
}

/** /tmp as the host means it: nothing is mounted through a symlink. */
function temporaryPlace(view: HostView): string {
  const resolved = followPath(view, "/tmp");
  return resolved === null || resolved.entry?.type !== "directory" ? "/tmp" : resolved.path;
}

function baseClaims(view: HostView): Claim[] {
  const claim = (path: string, effect: "dev" | "proc"): Claim[] =>
    view.entry(path) === null ? [] : [{ path, effect, phase: "devices", because: "default", type: "directory" }];
  return [...claim("/dev", "dev"), ...claim("/proc", "proc")];
}

function temporaryClaims(temporary: string): Claim[] {
  return [{ path: temporary, effect: "private", phase: "temporary", because: "default", type: "directory" }];
}

function bootstrapClaims(facts: HostFacts, temporary: string): Claim[] {
  const place = childOf(temporary, "fence");
  const common = { effect: "bootstrap", phase: "bootstrap", because: "fence's own files" } as const;
  return [
    { ...common, path: place, type: "directory" },
    { ...common, path: `${place}/bin/fence`, type: "file", from: facts.executable },
    ...facts.bridgeSockets.map(
      ({ name, path }): Claim => ({
        path: `${place}/run/${name}`,
        effect: "bridge-socket",
        phase: "sockets",
        because: `bridge ${name}`,
        type: "socket",
        from: path,
      }),
    ),
  ];
}

/** The host's own /tmp is shown: the mount point must be made there. */
function leftBehind(tree: MountTree, view: HostView, facts: HostFacts, temporary: string) {
  const place = childOf(temporary, "fence");
  const above = tree.sightOf(parentOf(place));
  if (above !== "read-only" && above !== "read-write") return [];
  const entry = view.entry(place);
  if (entry === null) return [hostPath(place)];
  if (entry.type === "directory" && (entry.uid === facts.uid || entry.uid === 0)) return [];
  throw new FenceError(
    "FENCE_MOUNTS",
    `${place} on the host is no directory of ${facts.uid === 0 ? "root" : "yours or root's"}`,
    {
      step: "plan-mounts",
      path: place,
      hint: `remove it, or do not show the host's ${temporary} in the sandbox`,
    },
  );
}
