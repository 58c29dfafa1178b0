/**
 * Answers what the program may do at a path of a planned sandbox: for its working directory, TMPDIR and the like.
 *
 * Runs:     host. Pure.
 * Promises: says what mounts give; permissions of the files themselves may give less.
 * Source:   docs/mounts.md
 */
import type { HostView } from "../base/host.ts";
import { isWithin } from "../base/paths.ts";
import { followPath } from "./mount-paths.ts";
import type { MountPlan, MountStep } from "./mounts.ts";

export type MountAccess = "none" | "read-only" | "read-write";

/** `path` without symlinks: where it leads on the host. A directory that only holds mount points is read-only. */
export function accessAt({ mounts }: Pick<MountPlan, "mounts">, path: string): MountAccess {
  const steps = mounts.map(({ step }) => step);
  const holdsMounts = steps.some(({ to }) => isWithin(to, path));
  const topmost = steps.findLast((step) => step.kind !== "remount-read-only" && isWithin(path, step.to));
  if (topmost === undefined) return holdsMounts ? "read-only" : "none";
  if (topmost.to !== path && isOwn(topmost)) return holdsMounts ? "read-only" : ownAccess(topmost, steps);
  return accessOf(topmost, steps);
}

/** Whether a path that exists on the host exists in the sandbox; `path` without symlinks. */
export function isThere(mounts: MountPlan["mounts"], path: string): boolean {
  if (path === "/" || mounts.some(({ step }) => isWithin(step.to, path))) return true;
  const topmost = mounts.findLast(({ step }) => step.kind !== "remount-read-only" && isWithin(path, step.to));
  return topmost !== undefined && !isOwn(topmost.step);
}

/** Whether the program could put something else in the place of a file of the host, or of a symlink on the way to it. */
export function isReplaceable({ mounts }: Pick<MountPlan, "mounts">, view: HostView, path: string): boolean {
  const place = followPath(view, path);
  if (place === null) return false;
  return [place.path, ...place.links.map(({ at }) => at)].some((each) => {
    const topmost = mounts.findLast(({ step }) => step.kind !== "remount-read-only" && isWithin(each, step.to));
    return topmost?.step.kind === "bind" && topmost.step.access !== "read-only";
  });
}

function isOwn({ kind }: MountStep): boolean {
  return kind === "tmpfs" || kind === "directory";
}

/** Of what does not exist yet in a file system of the sandbox's own. */
function ownAccess(step: MountStep, steps: readonly MountStep[]): MountAccess {
  return accessOf(step, steps) === "read-write" ? "read-write" : "none";
}

function accessOf(step: MountStep, steps: readonly MountStep[]): MountAccess {
  switch (step.kind) {
    case "bind":
      return step.access === "read-only" ? "read-only" : "read-write";
    case "tmpfs":
      return steps.some(({ kind, to }) => kind === "remount-read-only" && to === step.to) ? "read-only" : "read-write";
    case "dev":
    case "proc":
      return "read-write";
    default:
      return "read-only";
  }
}
