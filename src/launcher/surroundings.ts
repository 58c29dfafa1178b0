/**
 * Facts about this process and its user that decide what a sandbox is.
 *
 * Runs:     host, in the launcher, which has them from the process that the user started.
 */
import { readlinkSync } from "node:fs";
import { FenceError } from "../base/errors.ts";
import { type HostPath, hostPath } from "../base/paths.ts";
import { nodeError } from "../sys/errno.ts";

export interface Surroundings {
  /** Effective IDs. */
  readonly uid: number;
  readonly gid: number;
  /** HOME, else what the user database says; empty: nobody knows. */
  readonly home: string;
  /** As the kernel names it: without symlinks. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** fence itself. */
  readonly executable: HostPath;
}

/** Throws FENCE_LAUNCH. */
export function surroundings(): Surroundings {
  return {
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    home: process.env["HOME"] ?? homeOfUser(),
    directory: linkTarget("/proc/self/cwd", "the working directory", "change to a directory that exists"),
    environment: process.env,
    executable: hostPath(linkTarget("/proc/self/exe", "fence itself", "start fence again by its path")),
  };
}

/** Not every user is in the database: containers have numbers without names. */
function homeOfUser(): string {
  try {
    return process.getBuiltinModule("node:os").userInfo().homedir;
  } catch {
    return "";
  }
}

/** The kernel marks what was removed meanwhile, proc_pid_exe(5). */
function linkTarget(link: string, what: string, hint: string): string {
  let path: string;
  try {
    path = readlinkSync(link);
  } catch (error) {
    throw nodeError("FENCE_LAUNCH", `cannot find ${what}`, error, { step: "surroundings", path: link });
  }
  if (path.startsWith("/") && !path.endsWith(" (deleted)")) return path;
  throw new FenceError("FENCE_LAUNCH", `${what} has no path any more, it was ${path}`, { step: "surroundings", hint });
}
