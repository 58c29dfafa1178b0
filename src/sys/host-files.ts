/**
 * The door to small files that describe the host, such as those of /proc.
 *
 * Runs:     host.
 * Promises: what cannot be read is null, whatever the reason: who asks has an answer for that.
 */
import { accessSync, constants, readFileSync, readlinkSync, statSync } from "node:fs";

export interface FileFacts {
  readonly uid: number;
  /** Permission and set-ID bits, stat(2). */
  readonly mode: number;
  readonly isFile: boolean;
  /** Whether we may execute it, access(2). */
  readonly executable: boolean;
}

export interface HostFiles {
  readonly text: (path: string) => string | null;
  readonly link: (path: string) => string | null;
  readonly facts: (path: string) => FileFacts | null;
}

/** Without one of them nobody may, path_resolution(7); and a denial costs as much as an absent file. */
const anyExecute = 0o111;

export const hostFiles: HostFiles = {
  text: (path) => orNull(() => readFileSync(path, "utf8")),
  link: (path) => orNull(() => readlinkSync(path)),
  facts: (path) =>
    orNull(() => {
      const stats = statSync(path, { throwIfNoEntry: false }); // an error is some 0.3 ms when there was none before
      if (stats === undefined) return null;
      const executable = (stats.mode & anyExecute) !== 0 && mayExecute(path);
      return { uid: stats.uid, mode: stats.mode & 0o7777, isFile: stats.isFile(), executable };
    }),
};

function mayExecute(path: string): boolean {
  return orNull(() => accessSync(path, constants.X_OK) ?? true) ?? false;
}

function orNull<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch {
    return null;
  }
}
