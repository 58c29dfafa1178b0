/**
 * The program's variables as they are of use in the sandbox: what was inherited from the host may name what is not there.
 *
 * Runs:     host. Pure: the disk is asked through a HostView.
 * Promises: what the user sets or removes is never changed; a variable that is of use keeps its value.
 * Source:   docs/environment.md, which says the same of the bootstrap, that has inherited nothing here
 */
import type { HostView } from "../base/host.ts";
import { accessAt, isThere } from "../plan/mount-access.ts";
import { followPath } from "../plan/mount-paths.ts";
import type { MountPlan } from "../plan/mounts.ts";
import type { Variables } from "../sys/original-environment.ts";
import type { LaunchEnvironment } from "./request.ts";

export interface InsidePlaces {
  readonly mounts: MountPlan["mounts"];
  readonly view: HostView;
  /** Whether the sandbox has a proxy: one that was inherited is then out of reach. */
  readonly hasProxy: boolean;
}

/** The bootstrap sets its own where they are missing. */
const proxyVariables = "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy".split(" ");
/** Programs do well without. */
const directoryVariables = ["TMPDIR", "XDG_RUNTIME_DIR"];
const temporary = "/tmp";

export function insideEnvironment(
  variables: Variables,
  { set }: Pick<LaunchEnvironment, "set">,
  { mounts, view, hasProxy }: InsidePlaces,
): Variables {
  const named = new Set(set.map(({ name }) => name));
  const isOfUse = (name: string, value: string): boolean => {
    if (named.has(name)) return true;
    if (name === "FENCE_SANDBOX") return false;
    if (proxyVariables.includes(name)) return !hasProxy;
    return !directoryVariables.includes(name) || isWritable(value, mounts, view);
  };
  const homeless = (name: string, value: string): boolean =>
    name === "HOME" && !named.has(name) && !isDirectory(value, mounts, view) && isWritable(temporary, mounts, view);
  return variables
    .filter(([name, value]) => isOfUse(name, value))
    .map(([name, value]) => [name, homeless(name, value) ? temporary : value] as const);
}

function isDirectory(path: string, mounts: MountPlan["mounts"], view: HostView): boolean {
  const place = path.startsWith("/") ? followPath(view, path) : null;
  return place?.entry?.type === "directory" && isThere(mounts, place.path);
}

function isWritable(path: string, mounts: MountPlan["mounts"], view: HostView): boolean {
  const place = path.startsWith("/") ? followPath(view, path) : null;
  return isDirectory(path, mounts, view) && place !== null && accessAt({ mounts }, place.path) === "read-write";
}
