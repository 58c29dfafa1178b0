/**
 * What is mounted in the sandbox: the list that the planner makes and bubblewrap gets.
 *
 * Runs:     host. Pure: types alone.
 * Promises: the order of a list is the order of mounting; what comes later lies over what came before.
 * Source:   bwrap(1)
 */
import type { HostPath, SandboxPath } from "../base/paths.ts";

/** What the planner asks the host about. Fixtures of other hosts answer the same questions in tests. */
export interface HostView {
  /** lstat(2): of the path itself, not of what a symlink leads to. null: there is nothing, or it cannot be reached. */
  readonly entry: (path: string) => HostEntry | null;
  /** Names in a directory, sorted; null: it cannot be read. */
  readonly names: (directory: string) => readonly string[] | null;
  /** Of /proc/self/mountinfo: where something is mounted. */
  readonly mountPoints: readonly string[];
}

export type HostEntry =
  | { readonly type: "symlink"; readonly target: string }
  | {
      readonly type: "file" | "directory" | "socket" | "device" | "fifo";
      readonly uid: number;
      /** Permission bits, stat(2). */
      readonly mode: number;
      /** st_dev and st_ino: the names of a multicall binary may be one file. */
      readonly device: number;
      readonly inode: number;
    };

/** What else decides where things are. */
export interface HostFacts {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** The program's working directory, as the kernel names it. */
  readonly directory: string;
  /** PATH, TMPDIR, XDG_RUNTIME_DIR and others that name places. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** fence itself. */
  readonly executable: HostPath;
  /** Sockets of the host's bridges, by their names in the sandbox: /tmp/fence/run/NAME. */
  readonly bridgeSockets: readonly { readonly name: string; readonly path: HostPath }[];
}

export type MountStep =
  | {
      readonly kind: "bind";
      readonly from: HostPath;
      readonly to: SandboxPath;
      /** devices: read-write, and device nodes work. */
      readonly access: "read-only" | "read-write" | "devices";
    }
  /** Empty, regular and read-only: what a mask puts over a file. */
  | { readonly kind: "empty-file"; readonly to: SandboxPath }
  /** A decoy: the launcher makes the content up. */
  | { readonly kind: "decoy"; readonly to: SandboxPath; readonly decoy: string }
  | { readonly kind: "tmpfs"; readonly to: SandboxPath; readonly mode: number; readonly sizeBytes: number | null }
  | { readonly kind: "directory"; readonly to: SandboxPath; readonly mode: number }
  | { readonly kind: "symlink"; readonly target: string; readonly to: SandboxPath }
  /** bwrap's own small /dev. */
  | { readonly kind: "dev"; readonly to: SandboxPath }
  | { readonly kind: "proc"; readonly to: SandboxPath }
  /** What was mounted there becomes read-only, without what is mounted beneath. */
  | { readonly kind: "remount-read-only"; readonly to: SandboxPath };

/** Why a step is there, for --dry-run: the phase and what the user wrote. */
export interface PlannedMount {
  readonly step: MountStep;
  readonly phase: MountPhase;
  /** The key or default that asked for it: `filesystem.denyRead "~/.ssh"`. */
  readonly because: string;
}

/** In the order of mounting. */
export const mountPhases = [
  "base",
  "devices",
  "temporary",
  "resolver",
  "writable",
  "rebind",
  "deny-read",
  "mask",
  "decoy",
  "dangerous",
  "deny-write",
  "deny-exec",
  "restore",
  "sockets",
  "bootstrap",
] as const;
export type MountPhase = (typeof mountPhases)[number];

/** Something the user should know about the plan, such as a pattern that matched nothing. */
export interface PlanNote {
  /** The key it is about. */
  readonly where: string;
  readonly says: string;
}

/** The same policy once more for Landlock: what is granted, as the program sees it. */
export interface GrantedPath {
  readonly access: "ro" | "rox" | "rw" | "rwx";
  readonly path: SandboxPath;
}

export interface MountPlan {
  readonly mounts: readonly PlannedMount[];
  readonly grants: readonly GrantedPath[];
  readonly notes: readonly PlanNote[];
  /** Where the host's bridge sockets are in the sandbox, in the order of HostFacts.bridgeSockets. */
  readonly bridgeSockets: readonly SandboxPath[];
  /** Directories on the host that mounting would leave behind unless they are removed; see docs/mounts.md. */
  readonly leftBehind: readonly HostPath[];
}
