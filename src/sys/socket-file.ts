/**
 * The files that Unix sockets leave in a directory: looks at them and removes our own.
 *
 * Runs:     host and sandbox.
 * Promises: follows no symbolic link, removes no file but the one that was named by its inode.
 * Source:   unix(7): the file stays after the socket is closed
 */
import { lstatSync, type Stats, unlinkSync } from "node:fs";

/** A Unix socket's file, told apart from any other that may take its place. */
export interface SocketFile {
  readonly path: string;
  readonly device: number;
  readonly inode: number;
}

export interface FoundFile extends SocketFile {
  readonly type: "socket" | "symbolic link" | "other";
  /** The permission bits. */
  readonly mode: number;
}

/** What is at the path, or null for nothing. */
export function findFile(path: string): FoundFile | null {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return null;
  return { path, device: stats.dev, inode: stats.ino, type: typeOf(stats), mode: stats.mode & 0o7777 };
}

/** Removes the file unless another has taken its place. */
export function removeSocketFile({ path, device, inode }: SocketFile): void {
  const found = findFile(path);
  if (found === null || found.device !== device || found.inode !== inode) return;
  unlinkSync(path);
}

function typeOf(stats: Stats): FoundFile["type"] {
  if (stats.isSocket()) return "socket";
  return stats.isSymbolicLink() ? "symbolic link" : "other";
}
