/**
 * Finds and reads settings files.
 *
 * Runs:     host. Pure: files are read through a door.
 * Promises: a file that cannot be read, or that somebody else may have put there, is FENCE_CONFIG, never skipped; what a
 *           link leads to is read, and both owners count.
 * Source:   docs/configuration.md; XDG Base Directory Specification
 */
import { FenceError } from "../base/errors.ts";
import { plainPath } from "../base/paths.ts";
import { childOf, parentOf } from "../plan/mount-paths.ts";
import { parseJsonc } from "./jsonc.ts";
import { type Settings, settingsSchema } from "./keys.ts";

export const maxFileBytes = 1 << 20;
export const fileNames = ["fence.jsonc", "fence.json"] as const;

/** What is at a path, symlinks followed. */
export type FoundFile =
  | { readonly kind: "absent" }
  /** `owners`: of the file, and of the symlink when the path is one. */
  | { readonly kind: "file"; readonly bytes: Uint8Array; readonly owners: readonly number[] }
  /** `is`: a directory, a socket, ... */
  | { readonly kind: "other"; readonly is: string }
  | { readonly kind: "too-large" };

/** The host, as reading settings needs it. */
export interface SettingsDoors {
  /** Throws FENCE_CONFIG for what cannot be read. */
  readonly read: (path: string, mostBytes: number) => FoundFile;
  /** The user who runs fence. */
  readonly uid: number;
}

export interface SettingsFile {
  readonly path: string;
  readonly settings: Settings;
}

/** The nearest one in `directory`, which is absolute and normalised, and above; null: none. */
export function nearestFile(doors: SettingsDoors, directory: string): SettingsFile | null {
  const found = fileIn(doors, directory);
  const parent = parentOf(directory);
  return found !== null || parent === directory ? found : nearestFile(doors, parent);
}

/** The user's own; null: none. */
export function userFile(
  doors: SettingsDoors,
  home: string,
  environment: Readonly<Record<string, string | undefined>>,
): SettingsFile | null {
  const directory = userDirectory(home, environment);
  return directory === null ? null : fileIn(doors, directory);
}

/** Where the user's own settings are; null: there is no home directory. */
export function userDirectory(home: string, environment: Readonly<Record<string, string | undefined>>): string | null {
  const configured = environment["XDG_CONFIG_HOME"];
  if (configured?.startsWith("/")) return plainPath(`${configured}/fence`);
  return home.startsWith("/") ? plainPath(`${home}/.config/fence`) : null;
}

/** The settings file at `path`, which the user named. */
export function namedFile(doors: SettingsDoors, path: string): SettingsFile {
  const file = read(doors, path);
  if (file === null) {
    throw new FenceError("FENCE_CONFIG", `${path} does not exist`, { path, syscall: "open", errno: "ENOENT" });
  }
  return { path, settings: parse(path, file.bytes) };
}

function fileIn(doors: SettingsDoors, directory: string): SettingsFile | null {
  const found = fileNames.flatMap((name) => {
    const path = childOf(directory, name);
    const file = read(doors, path);
    return file === null ? [] : [{ path, ...file }];
  });
  const [file, other] = found;
  if (file === undefined) return null;
  if (other !== undefined) {
    throw new FenceError("FENCE_CONFIG", `both ${file.path} and ${other.path} exist`, {
      hint: "remove one of them, or name one with --settings",
    });
  }
  refuseStrangers(doors, file.path, file.owners);
  return { path: file.path, settings: parse(file.path, file.bytes) };
}

/** Whoever can write above the working directory could loosen the sandboxes of others. */
function refuseStrangers(doors: SettingsDoors, path: string, owners: readonly number[]): void {
  const stranger = owners.find((owner) => owner !== doors.uid && owner !== 0);
  if (stranger === undefined) return;
  throw new FenceError("FENCE_CONFIG", `${path} belongs to another user (uid ${stranger})`, {
    path,
    hint: `look at it; if you trust it, name it: --settings ${path}`,
  });
}

function read(doors: SettingsDoors, path: string): { bytes: Uint8Array; owners: readonly number[] } | null {
  const found = doors.read(path, maxFileBytes);
  switch (found.kind) {
    case "absent":
      return null;
    case "file":
      return found;
    case "other":
      throw new FenceError("FENCE_CONFIG", `${path} must be a regular file, but is ${found.is}`, { path });
    case "too-large":
      throw new FenceError("FENCE_CONFIG", `${path} must be a file of at most ${maxFileBytes} bytes`, { path });
  }
}

function parse(path: string, bytes: Uint8Array): Settings {
  return parseJsonc(decoded(path, bytes), path, settingsSchema);
}

function decoded(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FenceError("FENCE_CONFIG", `${path} must be UTF-8, got other bytes`, { path, cause });
  }
}
