/**
 * Other names of one place: what is mounted twice on the host.
 *
 * Runs:     host. Pure.
 * Source:   proc_pid_mountinfo(5), fields root and mount point
 */
import type { HostMount, HostView } from "../base/host.ts";
import { isWithin } from "../base/paths.ts";

/** Where else a resolved path, or a part of what is below it, can be reached. */
export function aliasesOf(view: Pick<HostView, "mounts">, path: string): readonly string[] {
  const own = mountOf(view.mounts, path);
  if (own === null) return [];
  const inner = joined(own.root, below(path, own.point));
  return view.mounts.flatMap((mount) => {
    if (mount === own || mount.device !== own.device || isWithin(mount.point, path)) return [];
    if (isWithin(mount.root, inner)) return [mount.point];
    if (!isWithin(inner, mount.root)) return [];
    const alias = joined(mount.point, below(inner, mount.root));
    return alias !== path && mountOf(view.mounts, alias) === mount ? [alias] : [];
  });
}

/** The topmost mount that shows a path. */
function mountOf(mounts: readonly HostMount[], path: string): HostMount | null {
  return mounts.reduce<HostMount | null>((best, mount) => {
    if (!isWithin(path, mount.point)) return best;
    return best === null || mount.point.length >= best.point.length ? mount : best;
  }, null);
}

function below(path: string, directory: string): string {
  return directory === "/" ? path : path.slice(directory.length);
}

function joined(directory: string, rest: string): string {
  if (rest === "" || rest === "/") return directory;
  return directory === "/" ? rest : `${directory}${rest}`;
}
