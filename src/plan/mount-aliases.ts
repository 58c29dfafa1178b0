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
  const inner = pathInFileSystem(own, path);
  return view.mounts.flatMap((mount) => {
    if (mount === own || mount.device !== own.device || isWithin(mount.point, path)) return [];
    if (isWithin(mount.root, inner)) return [mount.point];
    if (!isWithin(inner, mount.root)) return [];
    const alias = joined(mount.point, below(inner, mount.root));
    return alias !== path && mountOf(view.mounts, alias) === mount ? [alias] : [];
  });
}

/**
 * The mount of a file system that may take a name in any case without telling the kernel, so that a mask holds for one
 * spelling alone; null where it is another one, or the mount point itself, whose name is the kernel's.
 */
export function caselessMountOf(view: Pick<HostView, "mounts">, path: string): HostMount | null {
  const mount = mountOf(view.mounts, path);
  return mount !== null && mount.point !== path && caseless.has(mount.type) ? mount : null;
}

/** Another machine's, or Windows's: WSL's drives, folders that virtual machines share. */
const caseless: ReadonlySet<string> = new Set([
  "9p",
  "drvfs",
  "virtiofs",
  "vboxsf",
  "prl_fs",
  "fuse.grpcfuse",
  "fuse.osxfs",
  "fuse.vmhgfs-fuse",
]);

/** What a path below the mount's point is called in the file system itself. */
export function pathInFileSystem({ root, point }: HostMount, path: string): string {
  return joined(root, below(path, point));
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
