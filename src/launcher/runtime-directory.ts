/**
 * The directory of one sandbox's sockets on the host: made, locked while it is used, removed, and swept when its owner
 * was killed.
 *
 * Runs:     host.
 * Promises: nobody but this user can enter it; no symbolic link is followed to it; nothing is removed but directories that
 *           fence has made for this user and whose owner is gone, with the sockets and temporary files in them; one sweep
 *           does a bounded amount.
 * Source:   docs/host-bridges.md; flock(2): the kernel drops the lock when its holder has ended, however it did
 */
import { chmodSync, fstatSync, lstatSync, mkdirSync, type Stats, unlinkSync } from "node:fs";
import { FenceError } from "../base/errors.ts";
import { type HostPath, hostPath } from "../base/paths.ts";
import { maxSocketPathBytes } from "../bridge/address.ts";
import type { Addon } from "../sys/addon.ts";
import { nodeError, systemError } from "../sys/errno.ts";
import { randomBytes } from "../sys/random.ts";
import {
  closeDirectory,
  isStillThere,
  LOCK_EX,
  look,
  namesIn,
  type OpenDirectory,
  openDirectory,
  removeEmpty,
} from "./directory.ts";
import { removeTemporary, temporaryName } from "./landlock-backend-temporary.ts";

export interface RuntimeDirectoryOptions {
  /** Of this process: XDG_RUNTIME_DIR is looked at. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The effective user ID of this process. */
  readonly uid: number;
  /** Where it is made when XDG_RUNTIME_DIR cannot be used. */
  readonly fallback?: string;
}

const step = "runtime-directory";
const prefix = "fence-";
const namePattern = /^fence-[0-9a-f]{16}$/;
const randomPartBytes = 8;
/** Of a socket in the directory. */
export const maxSocketNameBytes = 24;
const maxTries = 16;
/** Of one sweep, for each of the places. */
const limits = { namesRead: 10_000, directoriesSwept: 64, filesRemoved: 256, temporaryRemoved: 20_000 } as const;
const eexist = -17;
const ewouldblock = -11;

export class RuntimeDirectory {
  readonly path: HostPath;
  readonly #directory: OpenDirectory;
  #isClosed = false;
  readonly #onExit = (): void => this.close();

  /** Fresh, with mode 0700, and locked until close() or the end of this process. Throws FENCE_LISTEN. */
  static make(addon: Addon, options: RuntimeDirectoryOptions): RuntimeDirectory {
    const base = place(options);
    for (let tries = 0; tries < maxTries; tries++) {
      const made = tryToMake(addon, base, options.uid);
      if (made !== null) return new RuntimeDirectory(made);
    }
    throw new FenceError("FENCE_LISTEN", `cannot make a directory for sockets in ${base}: each one was taken`, {
      step,
      path: base,
      hint: "another process of this user removes or locks them",
    });
  }

  private constructor(directory: OpenDirectory) {
    this.path = hostPath(directory.path);
    this.#directory = directory;
    process.once("exit", this.#onExit);
  }

  /** Where a socket of this name is to be. */
  socket(name: string): HostPath {
    return hostPath(`${this.path}/${name}`);
  }

  /** Removes it with the sockets in it. What cannot be removed stays, and the next sweep tries again. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    process.off("exit", this.#onExit);
    removeHeld(this.#directory);
    closeDirectory(this.#directory);
  }
}

/**
 * Removes the directories of sandboxes whose launcher was killed. Not needed for a start: it may wait until the program
 * runs. Answers how many there were. What fails is left for the next time.
 */
export function sweepRuntimeDirectories(addon: Addon, options: RuntimeDirectoryOptions): number {
  const { given, fallback } = everyPlace(options);
  const bases = new Set([given ?? fallback, fallback]);
  return [...bases].reduce((sum, base) => sum + sweep(addon, base, options.uid), 0);
}

/** The best place that is fit for it. Throws FENCE_LISTEN. */
function place(options: RuntimeDirectoryOptions): string {
  const { given, fallback } = everyPlace(options);
  if (given !== null && isPrivate(given, options.uid) && fits(given)) return given;
  const problem = fallbackProblem(fallback, options.uid);
  if (problem === null) return fallback;
  throw new FenceError("FENCE_LISTEN", `cannot make a directory for sockets in ${fallback}: ${problem}`, {
    step,
    path: fallback,
    hint: "set XDG_RUNTIME_DIR to a directory of yours with mode 0700",
  });
}

/** Where directories of ours may be, whether or not they can be made there now. */
function everyPlace({ environment, fallback = "/tmp" }: RuntimeDirectoryOptions) {
  const given = environment["XDG_RUNTIME_DIR"] ?? "";
  return { given: given.startsWith("/") && !given.includes("\0") ? hostPath(given) : null, fallback };
}

function isPrivate(path: string, uid: number): boolean {
  const found = look(path);
  return found?.isDirectory() === true && found.uid === uid && (found.mode & 0o777) === 0o700;
}

function fits(base: string): boolean {
  const longest = `${base}/${prefix}${"0".repeat(2 * randomPartBytes)}/`;
  return Buffer.byteLength(longest) + maxSocketNameBytes <= maxSocketPathBytes;
}

/** Others must not be able to put something else in our directory's place. */
function fallbackProblem(path: string, uid: number): string | null {
  const found = look(path);
  if (found?.isDirectory() !== true) return "it is no directory";
  const isTrusted = found.uid === uid || found.uid === 0;
  const isSticky = (found.mode & 0o1000) !== 0;
  if (isTrusted && ((found.mode & 0o022) === 0 || isSticky)) return null;
  return "others can replace what is in it";
}

/** null: a sweep has taken it for an abandoned one, or the name was taken. */
function tryToMake(addon: Addon, base: string, uid: number): OpenDirectory | null {
  const path = `${base}/${prefix}${randomBytes(randomPartBytes).toString("hex")}`;
  const directory = makeAndOpen(path);
  if (directory === null) return null;
  const result = addon.lock(directory.fd, LOCK_EX);
  if (result === 0 && isStillThere(directory) && isOurs(fstatSync(directory.fd), uid)) return directory;
  closeDirectory(directory);
  if (result === 0 || result === ewouldblock) return null;
  removeEmpty(path);
  throw systemError("FENCE_LISTEN", `cannot lock the directory ${path}`, "flock", result, { step, path });
}

function makeAndOpen(path: string): OpenDirectory | null {
  try {
    mkdirSync(path, 0o700);
    // A umask may have taken bits away. Nobody else can have replaced it: see fallbackProblem().
    if ((lstatSync(path).mode & 0o777) !== 0o700) chmodSync(path, 0o700);
    return openDirectory(path);
  } catch (error) {
    const { errno, syscall } = error as NodeJS.ErrnoException;
    if (errno === eexist || (syscall !== "mkdir" && look(path) === null)) return null;
    throw nodeError("FENCE_LISTEN", `cannot make the directory ${path} for sockets`, error, { step, path });
  }
}

function sweep(addon: Addon, base: string, uid: number): number {
  let swept = 0;
  for (const name of namesIn(base, limits.namesRead)) {
    if (!namePattern.test(name)) continue;
    if (swept === limits.directoriesSwept) break;
    if (sweepOne(addon, `${base}/${name}`, uid)) swept++;
  }
  return swept;
}

/** True when it was an abandoned one and is gone. */
function sweepOne(addon: Addon, path: string, uid: number): boolean {
  const directory = openOurs(path, uid);
  if (directory === null) return false;
  try {
    // The lock first: whoever makes a directory looks, when it has the lock, whether it is still there.
    return addon.lock(directory.fd, LOCK_EX) === 0 && removeHeld(directory, limits.temporaryRemoved);
  } finally {
    closeDirectory(directory);
  }
}

/** null: it is gone, or not ours. */
function openOurs(path: string, uid: number): OpenDirectory | null {
  const found = look(path);
  if (found === null || !isOurs(found, uid)) return null;
  try {
    const directory = openDirectory(path);
    if (isOurs(fstatSync(directory.fd), uid)) return directory;
    closeDirectory(directory);
    return null;
  } catch {
    return null;
  }
}

/** By the descriptor that holds the lock: what is at the path may be another directory by now. */
function removeHeld(directory: OpenDirectory, mostTemporary = Number.POSITIVE_INFINITY): boolean {
  if (!isStillThere(directory)) return false;
  const inside = `/proc/self/fd/${directory.fd}`;
  for (const name of namesIn(inside, limits.filesRemoved)) {
    if (name === temporaryName) removeTemporary(inside, mostTemporary);
    else removeSocket(`${inside}/${name}`);
  }
  return removeEmpty(directory.path);
}

function removeSocket(path: string): void {
  try {
    if (lstatSync(path).isSocket()) unlinkSync(path);
  } catch {
    // It is gone, or it stays, and the directory with it.
  }
}

function isOurs(found: Stats, uid: number): boolean {
  return found.isDirectory() && found.uid === uid && (found.mode & 0o777) === 0o700;
}
