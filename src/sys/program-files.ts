/**
 * The door to the program's file, and to those that it needs to start.
 *
 * Runs:     wherever a program is searched for or explained.
 * Promises: never fails: what cannot be looked at is missing or unknown, and nothing of it is told.
 * Source:   path_resolution(7)
 */
import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";

export interface ProgramFile {
  /** "special": a device, a pipe or a socket. */
  readonly type: "file" | "directory" | "special";
  /** Whether anybody may execute it. */
  readonly hasExecuteBit: boolean;
}

export interface ProgramFiles {
  /** What the path leads to. "missing": nothing. "unknown": a folder cannot be searched, links are a loop, and the like. */
  readonly find: (path: string) => ProgramFile | "missing" | "unknown";
  /** Whether this process may execute it, access(2). */
  readonly mayExecute: (path: string) => boolean;
  /** Where a symbolic link points; null for what is none. */
  readonly linkTarget: (path: string) => string | null;
  /** At most so many bytes from its beginning; none of what cannot be read. */
  readonly head: (path: string, sizeBytes: number) => Buffer;
  /** The path without symbolic links; null when it leads nowhere. */
  readonly realPath: (path: string) => string | null;
}

/** As this process sees them. */
export const ownFiles: ProgramFiles = {
  find: (path) => {
    try {
      const stats = statSync(path, { throwIfNoEntry: false });
      return stats === undefined ? "missing" : programFile(stats);
    } catch {
      return "unknown";
    }
  },
  mayExecute: (path) => orElse(false, () => accessSync(path, constants.X_OK) === undefined),
  linkTarget: (path) => orElse(null, () => readlinkSync(path)),
  head: (path, sizeBytes) => orElse(Buffer.alloc(0), () => readHead(path, sizeBytes)),
  realPath: (path) => orElse(null, () => realpathSync.native(path)),
};

export function programFile(stats: Stats): ProgramFile {
  const type = stats.isDirectory() ? "directory" : stats.isFile() ? "file" : "special";
  return { type, hasExecuteBit: (stats.mode & 0o111) !== 0 };
}

/** Throws Node's errors. */
export function readHead(path: string, sizeBytes: number): Buffer {
  const file = openSync(path, "r");
  try {
    const head = Buffer.alloc(sizeBytes);
    return head.subarray(0, readSync(file, head));
  } finally {
    closeSync(file);
  }
}

/** What is not there, or cannot be looked at, has another answer; whoever asks explains a failure that is known. */
export function orElse<Value>(otherwise: Value, look: () => Value): Value {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
