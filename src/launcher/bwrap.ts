/**
 * Finds bubblewrap and asks it for its version.
 *
 * Runs:     host.
 * Promises: only absolute folders of PATH are searched; what others could have changed, or what would run as another
 *           user, is not started.
 * Source:   bwrap(1); docs/isolation.md
 */
import { FenceError } from "../base/errors.ts";
import { type HostPath, hostPath } from "../base/paths.ts";
import type { RunChild } from "../sys/child.ts";
import type { FileFacts, HostFiles } from "../sys/host-files.ts";

export interface BwrapFile {
  readonly path: HostPath;
  /** Set-user-ID root: it cannot keep the program from making user namespaces. */
  readonly setUserId: boolean;
}

export interface Bwrap extends BwrapFile {
  /** As bwrap prints it: `0.8.0`. */
  readonly version: string;
}

/** --disable-userns came with it. */
export const oldestVersion = "0.8.0";

const step = "find-bwrap";
const setUserIdBit = 0o4000;
const writableByOthers = 0o022;
/** Who owns what belongs to nobody of this user namespace: there set-user-ID has no effect, user_namespaces(7). */
const unmappedUser = 65534;
/** Where NixOS has what needs privileges, and what is installed, also when PATH does not say so. */
const morePlaces = ["/run/wrappers/bin", "/run/current-system/sw/bin", "/usr/bin"];
const timeoutMs = 10_000;

export interface BwrapDoors {
  readonly files: HostFiles;
  readonly run: RunChild;
}

/**
 * Without starting it: one that is too old does not know --disable-userns, and its failure is explained so. `path` is the user's
 * PATH. Throws FENCE_BWRAP.
 */
export function locateBwrap(path: string | undefined, files: HostFiles): BwrapFile {
  const found = locate(path, files);
  return { path: hostPath(found.path), setUserId: refuseUnsafe(found.path, found.facts) };
}

/** The same, with its version, which must be new enough. */
export async function findBwrap(path: string | undefined, doors: BwrapDoors): Promise<Bwrap> {
  const file = locateBwrap(path, doors.files);
  const version = await versionOf(file.path, doors.run);
  if (isOlder(version, oldestVersion)) throw tooOld(file.path, version);
  return { ...file, version };
}

/** The folders that are searched, in order: a relative one would be the program's directory's choice. */
export function searchFolders(path: string | undefined): readonly string[] {
  const given = (path ?? "").split(":").filter((folder) => folder.startsWith("/") && !folder.includes("\0"));
  return [...new Set([...given, ...morePlaces])];
}

function locate(path: string | undefined, files: HostFiles): { readonly path: string; readonly facts: FileFacts } {
  const folders = searchFolders(path);
  for (const folder of folders) {
    const candidate = `${folder}/bwrap`;
    const facts = files.facts(candidate);
    if (facts?.isFile && facts.executable) return { path: candidate, facts };
  }
  throw new FenceError("FENCE_BWRAP", `cannot find bwrap (bubblewrap) in ${folders.join(":")}`, {
    step,
    errno: "ENOENT",
    hint: installHint(files.text("/etc/os-release")),
  });
}

/** Whether it is set-user-ID. */
function refuseUnsafe(path: string, { uid, mode }: FileFacts): boolean {
  if ((mode & writableByOthers) !== 0) {
    throw new FenceError("FENCE_BWRAP", `${path} can be changed by other users, so it is not started`, {
      step,
      path,
      hint: `chmod go-w ${path}, after a look at who has written it`,
    });
  }
  if ((mode & setUserIdBit) === 0 || uid === unmappedUser) {
    refuseStrangers(path, uid);
    return false;
  }
  if (uid === 0) return true;
  throw new FenceError("FENCE_BWRAP", `${path} would run as user ${uid}, so it is not started`, {
    step,
    path,
    hint: `chmod u-s ${path}`,
  });
}

function refuseStrangers(path: string, uid: number): void {
  if (uid === 0 || uid === unmappedUser || uid === process.geteuid?.()) return;
  throw new FenceError("FENCE_BWRAP", `${path} belongs to the user ${uid}, so it is not started`, {
    step,
    path,
    hint: "take its folder out of PATH",
  });
}

/** An earlier run may have made it: outside of every sandbox it would be started with all rights of the user. */
export function replaceableBwrap(path: string): FenceError {
  return new FenceError("FENCE_BWRAP", `${path} is where the program may write, so it is not started`, {
    step,
    path,
    hint: "take its folder out of PATH, or out of what is writable",
  });
}

/** Whether it is where the system has its own: whoever grants writing there trusts the program with the host. */
export function isSystemPlace(path: string): boolean {
  return morePlaces.some((folder) => path === `${folder}/bwrap`);
}

async function versionOf(path: string, run: RunChild): Promise<string> {
  const outcome = await run({ file: path, args: ["--version"], timeoutMs });
  const [, version] = outcome.kind === "ended" ? (/^bubblewrap (\d+\.\d+(?:\.\d+)?)/.exec(outcome.stdout) ?? []) : [];
  if (version !== undefined) return version;
  const why = outcome.kind === "ended" ? outcome.stderr.trim() || "it did not say its version" : describe(outcome);
  throw new FenceError("FENCE_BWRAP", `cannot use ${path}: ${why}`, {
    step,
    path,
    ...(outcome.kind === "not-started" ? { syscall: "execve", errno: outcome.errno } : {}),
    hint: `${path} --version must say bubblewrap ${oldestVersion} or newer: install it again, or raise the limits of this process (ulimit -a)`,
  });
}

function describe(outcome: Exclude<Awaited<ReturnType<RunChild>>, { readonly kind: "ended" }>): string {
  return outcome.kind === "timed-out" ? `it did not end within ${outcome.timeoutMs} ms` : `execve: ${outcome.errno}`;
}

function tooOld(path: string, version: string): FenceError {
  return new FenceError("FENCE_BWRAP", `${path} is bubblewrap ${version}, fence needs ${oldestVersion} or newer`, {
    step,
    path,
    hint: "Debian 12, Ubuntu 23.04, Fedora 38 and newer have one; or build it from https://github.com/containers/bubblewrap and put it first in PATH",
  });
}

/** Compares the numbers, not the letters: 0.11 is newer than 0.8. */
export function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split(".").map(Number));
  for (const [i, wanted] of (b ?? []).entries()) {
    const given = a?.[i] ?? 0;
    if (given !== wanted) return given < wanted;
  }
  return false;
}

const installs: readonly (readonly [ids: RegExp, command: string])[] = [
  [/\b(?:debian|ubuntu)\b/, "sudo apt-get install bubblewrap"],
  [/\b(?:fedora|rhel|centos)\b/, "sudo dnf install bubblewrap"],
  [/\barch\b/, "sudo pacman -S bubblewrap"],
  [/\balpine\b/, "apk add bubblewrap"],
  [/\bsuse\b/, "sudo zypper install bubblewrap"],
  [/\bnixos\b/, "add pkgs.bubblewrap to environment.systemPackages"],
];

function installHint(osRelease: string | null): string {
  const ids = (osRelease ?? "").match(/^ID(?:_LIKE)?=.*$/gm)?.join(" ") ?? "";
  const command = installs.find(([pattern]) => pattern.test(ids))?.[1] ?? "install the package bubblewrap";
  return `${command}; without it --backend landlock confines files and TCP ports, and nothing else`;
}
