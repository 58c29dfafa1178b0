/**
 * Reads and creates settings files.
 *
 * Runs:     host.
 * Promises: what is looked at is what is read: one descriptor; a fifo or a device never blocks; a file that exists is
 *           never written to.
 * Source:   open(2), fstat(2)
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { nodeError } from "./errno.ts";

/** As src/config/files.ts has it. */
type Found =
  | { readonly kind: "absent" }
  | { readonly kind: "file"; readonly bytes: Uint8Array; readonly owners: readonly number[] }
  | { readonly kind: "other"; readonly is: string }
  | { readonly kind: "too-large" };

/** A symlink that leads nowhere is a mistake, not an absent file. */
export function readSettingsFile(path: string, mostBytes: number): Found {
  const tried = `cannot read ${path}`;
  try {
    const link = lstatSync(path, { throwIfNoEntry: false });
    if (link === undefined) return { kind: "absent" };
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      return contentOf(fd, link.uid, mostBytes);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR" && syscall === "lstat") return { kind: "absent" };
    // A socket cannot be opened at all.
    if (code === "ENXIO") return { kind: "other", is: "a socket or a device" };
    throw nodeError("FENCE_CONFIG", tried, error, { path });
  }
}

function contentOf(fd: number, linkOwner: number, mostBytes: number): Found {
  const file = fstatSync(fd);
  if (!file.isFile()) return { kind: "other", is: kindOf(file) };
  const bytes = readUpTo(fd, mostBytes + 1);
  if (bytes.length > mostBytes) return { kind: "too-large" };
  return { kind: "file", bytes, owners: [...new Set([file.uid, linkOwner])] };
}

function readUpTo(fd: number, most: number): Uint8Array {
  const buffer = Buffer.alloc(most);
  let length = 0;
  while (length < most) {
    const read = readSync(fd, buffer, length, most - length, null);
    if (read === 0) break;
    length += read;
  }
  return buffer.subarray(0, length);
}

function kindOf(file: Stats): string {
  if (file.isDirectory()) return "a directory";
  return file.isFIFO() ? "a fifo" : "a device";
}

/** Creates the file, and the directory it is in. Throws FENCE_CONFIG when something is there, also a broken symlink. */
export function createSettingsFile(path: string, directory: string, text: string): void {
  const tried = `cannot create ${path}`;
  let fd: number;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o644);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const details =
      code === "EEXIST" ? { path, hint: "fence never overwrites settings: edit the file, or remove it" } : { path };
    throw nodeError("FENCE_CONFIG", tried, error, details);
  }
  try {
    writeFileSync(fd, text);
    fsyncSync(fd);
  } catch (error) {
    rmSync(path, { force: true });
    throw nodeError("FENCE_CONFIG", tried, error, { path });
  } finally {
    closeSync(fd);
  }
}
