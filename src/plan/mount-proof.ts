/**
 * Compares what bubblewrap has mounted with what was planned.
 *
 * Runs:     host. Pure.
 * Promises: finds every mount that shows another place of the host than its plan says, and every planned one that is not there.
 *           Whoever may rename directories on the way, such as the program of another sandbox, can make bubblewrap mount
 *           something else, since it knows both ends by their paths alone.
 * Source:   proc_pid_mountinfo(5); docs/mounts.md, "Symlinks and other names"
 */
import type { HostMount } from "../base/host.ts";
import { isWithin } from "../base/paths.ts";
import { pathInFileSystem } from "./mount-aliases.ts";
import type { MountStep } from "./mounts.ts";

/** Where bubblewrap builds the sandbox's root. */
const newRoot = "/newroot";
/** bwrap's --dev puts the terminal there, whichever it is. */
const console = "/dev/console";

export interface MountProof {
  readonly steps: readonly MountStep[];
  /** Of the launcher. */
  readonly host: readonly HostMount[];
  /** Of the process that is to become the sandbox's first, before it leaves bubblewrap's own root. */
  readonly sandbox: readonly HostMount[];
}

/** A path in the sandbox that is not as planned; null: there is none. */
export function misplacedMount({ steps, host, sandbox }: MountProof): string | null {
  const sources = new Map(steps.flatMap((step) => (step.kind === "bind" ? [[step.to as string, step.from]] : [])));
  const hostDevices = new Set(host.map(({ device }) => device));
  const inside = sandbox.flatMap(({ point, ...mount }) =>
    isWithin(point, newRoot) ? [{ ...mount, point: point.slice(newRoot.length) || "/" }] : [],
  );
  const wrong = inside.find((mount) => {
    const { point, device } = mount;
    if (!hostDevices.has(device) || point === console) return false; // of the sandbox's own
    return !shows(mount, point, host) && !shows(mount, sources.get(point) ?? point, host);
  });
  const points = new Set(inside.map(({ point }) => point));
  const absent = steps.find((step) => isMount(step) && !points.has(step.to));
  return wrong?.point ?? absent?.to ?? null;
}

/** Whether it is what the host has at `path`. */
function shows({ device, root }: HostMount, path: string, host: readonly HostMount[]): boolean {
  return host.some(
    (mount) => mount.device === device && isWithin(path, mount.point) && pathInFileSystem(mount, path) === root,
  );
}

function isMount({ kind }: MountStep): boolean {
  return kind !== "directory" && kind !== "symlink" && kind !== "remount-read-only";
}
