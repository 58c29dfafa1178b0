/**
 * The temporary directory of a program that has no /tmp of its own: made on the host, and removed with all that is in it.
 *
 * Runs:     host, in the launcher.
 * Promises: nobody but this user can enter it; removing it follows no symbolic link, whatever still runs in it, and removes
 *           nothing outside it. What a killed launcher leaves, the next one sweeps.
 * Source:   docs/backend-landlock.md; the directory is one of runtime-directory.ts, with its lock
 */
import {
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from "node:fs";
import { type HostPath, hostPath } from "../base/paths.ts";
import { nodeError } from "../sys/errno.ts";

/** In a runtime directory. */
export const temporaryName = "tmp";
/** Not among Node's constants, open(2). */
const O_PATH = 0o10000000;
const mode = 0o700;
/** A descriptor is open for each level. */
const mostLevels = 64;

/** Without symlinks. Throws FENCE_PREPARE. */
export function makeTemporary(directory: HostPath): HostPath {
  const path = `${directory}/${temporaryName}`;
  try {
    mkdirSync(path, { mode });
    chmodSync(path, mode); // a umask may have taken bits away
    return hostPath(realpathSync(path));
  } catch (error) {
    throw nodeError("FENCE_PREPARE", `cannot make the temporary directory ${path}`, error, {
      step: "prepare-temporary",
      path,
    });
  }
}

/** Removes `directory`/tmp, at most so many entries. Whether it is gone. */
export function removeTemporary(directory: string, mostEntries = Number.POSITIVE_INFINITY): boolean {
  const removal = new Removal(mostEntries);
  return removal.remove(Buffer.from(directory), Buffer.from(temporaryName), 0);
}

class Removal {
  #left: number;
  #top: Buffer | null = null;
  #moved = 0;

  constructor(mostEntries: number) {
    this.#left = mostEntries;
  }

  /** The directory `name` of `above`, which is reached by a descriptor that is open. */
  remove(above: Buffer, name: Buffer, level: number): boolean {
    const path = joined(above, name);
    try {
      const fd = openSync(path, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
      try {
        const inside = Buffer.from(`/proc/self/fd/${fd}`);
        chmodSync(inside, mode);
        this.#empty(inside, level);
      } finally {
        closeSync(fd);
      }
      rmdirSync(path);
      return true;
    } catch {
      return false; // it stays, and what is above it
    }
  }

  #empty(inside: Buffer, level: number): void {
    this.#top ??= inside;
    // What is too deep was moved to the top meanwhile.
    for (let before = this.#moved - 1; before !== this.#moved; ) {
      before = this.#moved;
      for (const name of readdirSync(inside, { encoding: "buffer" })) {
        if (this.#left <= 0) return;
        this.#left -= 1;
        if (!isUnlinked(joined(inside, name))) this.#removeDirectory(inside, name, level + 1);
      }
      if (level > 0) return;
    }
  }

  #removeDirectory(inside: Buffer, name: Buffer, level: number): void {
    if (level < mostLevels || this.#top === null) {
      this.remove(inside, name, level);
      return;
    }
    this.#moved += 1;
    renameSync(joined(inside, name), joined(this.#top, Buffer.from(`.fence-deep-${this.#moved}`)));
  }
}

function joined(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.from("/"), name]);
}

/** unlink(2) never removes a directory. */
function isUnlinked(path: Buffer): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}
