/**
 * Directories that must be on the host for a sandbox that shows the host's own /tmp, because something is mounted on them:
 * makes them, keeps them while any sandbox uses them, and removes them.
 *
 * Runs:     host, in the launcher, before bwrap starts and after it has ended.
 * Promises: mounts nothing over what is another user's, and follows no symbolic link; removes only empty directories of this
 *           user, and only when no other sandbox uses them; one that a killed launcher left is removed by the next that
 *           uses it.
 * Source:   docs/host-bridges.md; mount_namespaces(7): since Linux 3.18 the removal of a mount point unmounts what other
 *           mount namespaces have there, so that the removal must wait for the last of them
 */
import { fstatSync, mkdirSync, type Stats } from "node:fs";
import { FenceError } from "../base/errors.ts";
import type { HostPath } from "../base/paths.ts";
import type { Addon } from "../sys/addon.ts";
import { nodeError, systemError } from "../sys/errno.ts";
import {
  closeDirectory,
  isStillThere,
  LOCK_EX,
  LOCK_SH,
  look,
  type OpenDirectory,
  openDirectory,
  removeEmpty,
} from "./directory.ts";

const step = "mount-points";
/** As bwrap makes them. */
const mode = 0o755;
const maxTries = 200;
/** Whoever has it alone is about to remove it. */
const pauseMs = 5;
const eexist = -17;
const ewouldblock = -11;

export class MountPoints {
  readonly #addon: Addon;
  readonly #uid: number;
  readonly #held: OpenDirectory[] = [];
  readonly #onExit = (): void => this.release();

  /** From here on they are there until release() or the end of this process. `uid` is effective. Throws FENCE_MOUNTS. */
  constructor(addon: Addon, paths: readonly HostPath[], uid: number) {
    this.#addon = addon;
    this.#uid = uid;
    try {
      for (const path of paths) this.#held.push(hold(addon, path, uid));
    } catch (error) {
      this.release();
      throw error;
    }
    if (paths.length > 0) process.once("exit", this.#onExit);
  }

  /** Removes those that nobody uses any more, the last one first. What cannot be removed stays. */
  release(): void {
    process.off("exit", this.#onExit);
    for (const directory of this.#held.splice(0).reverse()) {
      const isLast = this.#addon.lock(directory.fd, LOCK_EX) === 0;
      const isOurs = fstatSync(directory.fd).uid === this.#uid;
      if (isLast && isOurs && isStillThere(directory)) removeEmpty(directory.path);
      closeDirectory(directory);
    }
  }
}

function hold(addon: Addon, path: string, uid: number): OpenDirectory {
  for (let tries = 0; tries < maxTries; tries++) {
    const directory = makeAndOpen(path, uid);
    if (directory === null) continue;
    const result = addon.lock(directory.fd, LOCK_SH);
    const problem = problemWith(fstatSync(directory.fd), uid);
    if (result === 0 && problem === null && isStillThere(directory)) return directory;
    closeDirectory(directory);
    if (problem !== null) throw unfit(path, problem);
    if (result === ewouldblock) pause();
    else if (result < 0) throw systemError("FENCE_MOUNTS", `cannot lock ${path}`, "flock", result, { step, path });
  }
  throw new FenceError("FENCE_MOUNTS", `cannot use ${path} as a mount point: another process keeps it locked`, {
    step,
    path,
    hint: `find out which one: fuser -v ${path}`,
  });
}

/** null: it has just been removed. */
function makeAndOpen(path: string, uid: number): OpenDirectory | null {
  try {
    make(path);
    const found = look(path);
    if (found === null) return null;
    const problem = problemWith(found, uid);
    if (problem !== null) throw unfit(path, problem);
    return openDirectory(path);
  } catch (error) {
    if (error instanceof FenceError) throw error;
    if (look(path) === null && (error as NodeJS.ErrnoException).syscall === "open") return null;
    throw nodeError("FENCE_MOUNTS", `cannot make the mount point ${path}`, error, { step, path });
  }
}

function make(path: string): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).errno !== eexist) throw error;
  }
}

function problemWith(found: Stats, uid: number): string | null {
  if (found.isSymbolicLink()) return "it is a symbolic link";
  if (!found.isDirectory()) return "it is no directory";
  if (found.uid !== uid && found.uid !== 0) return `it belongs to the user ${found.uid}`;
  return (found.mode & 0o022) === 0 ? null : "others can write to it";
}

function unfit(path: string, problem: string): FenceError {
  return new FenceError("FENCE_MOUNTS", `cannot use ${path} as a mount point: ${problem}`, {
    step,
    path,
    hint: "remove it, or do not show the host's own directory in the sandbox",
  });
}

/** Of this thread: the launcher has nothing else to do yet. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
}
