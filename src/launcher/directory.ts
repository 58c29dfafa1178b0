/**
 * Directories that several fences share: opened without following links, locked while they are used.
 *
 * Runs:     host.
 * Promises: answers for what the descriptor is open on, whatever takes the path's place meanwhile.
 * Source:   flock(2): the kernel drops a lock when its holder has ended, however it did; the numbers are asm-generic's.
 *           systemd-tmpfiles(8) leaves locked directories alone, too
 */
import { closeSync, constants, fstatSync, lstatSync, opendirSync, openSync, rmdirSync, type Stats } from "node:fs";

/** The addon's lock() never waits: -EAGAIN when others hold it. */
export const LOCK_SH = 1;
export const LOCK_EX = 2;

const openFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** An open directory, and what it is. The caller closes it. */
export interface OpenDirectory {
  readonly path: string;
  readonly fd: number;
}

/** Throws Node's error. */
export function openDirectory(path: string): OpenDirectory {
  return { path, fd: openSync(path, openFlags) };
}

export function closeDirectory({ fd }: OpenDirectory): void {
  closeSync(fd);
}

/** Whether the path still leads to this directory. */
export function isStillThere({ path, fd }: OpenDirectory): boolean {
  const [here, held] = [look(path), fstatSync(fd)];
  return here !== null && here.dev === held.dev && here.ino === held.ino;
}

/** lstat(2); null: there is nothing, or nothing for us. */
export function look(path: string): Stats | null {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? null;
  } catch {
    return null; // ENOTDIR, EACCES, ELOOP
  }
}

/** False: it is not empty, is gone, or is not ours to remove. */
export function removeEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}

/** At most so many; none when the directory cannot be read. */
export function namesIn(path: string, limit: number): readonly string[] {
  const found: string[] = [];
  try {
    const directory = opendirSync(path, { bufferSize: 256 });
    try {
      for (let entry = directory.readSync(); entry !== null && found.length < limit; entry = directory.readSync()) {
        found.push(entry.name);
      }
    } finally {
      directory.closeSync();
    }
  } catch {
    // What was read counts.
  }
  return found;
}
