/**
 * What is asked about the host's disk, and what it answers.
 *
 * Runs:     host. Pure: types alone.
 * Promises: an answer is a fact of the moment it was asked for, and stays the same for one view.
 * Source:   stat(2), proc_pid_mountinfo(5)
 */

/** What the planner asks the host about. Fixtures of other hosts answer the same questions in tests. */
export interface HostView {
  /** lstat(2): of the path itself, not of what a symlink leads to. null: there is nothing, or it cannot be reached. */
  readonly entry: (path: string) => HostEntry | null;
  /** Those of `names` that are in a real directory or, with slashes, below it: for many of which few are there. */
  readonly present: (directory: string, names: readonly string[]) => readonly string[];
  /** What a directory holds, sorted by name; null: it cannot be read. */
  readonly list: (directory: string) => readonly ListedEntry[] | null;
  /** A small text file, such as the `.git` of a worktree; null: it cannot be read, or is longer than 4 KiB. */
  readonly text: (file: string) => string | null;
  /** Of /proc/self/mountinfo, in its order. */
  readonly mounts: readonly HostMount[];
}

export type HostEntry = HostSymlink | HostFile;

export interface HostSymlink {
  readonly type: "symlink";
  readonly target: string;
}

export interface HostFile {
  readonly type: "file" | "directory" | "socket" | "device" | "fifo";
  readonly uid: number;
  /** Permission bits, stat(2). */
  readonly mode: number;
  /** st_dev and st_ino: the names of a multicall binary may be one file. */
  readonly device: bigint;
  readonly inode: bigint;
  /** st_nlink. */
  readonly links: number;
}

export interface ListedEntry {
  readonly name: string;
  readonly type: HostEntry["type"];
}

export interface HostMount {
  readonly point: string;
  /** The directory of the file system that is mounted there: with `device` it tells two names of one place. */
  readonly root: string;
  /** Major and minor number, as the kernel writes them. */
  readonly device: string;
  /** Of the file system: `ext4`. */
  readonly type: string;
}
