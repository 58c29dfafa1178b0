/**
 * What is mounted in the sandbox: the list that the planner makes and bubblewrap gets.
 *
 * Runs:     host. Pure: types alone.
 * Promises: the order of a list is the order of mounting; what comes later lies over what came before.
 * Source:   bwrap(1); docs/mounts.md
 */
import type { HostPath, SandboxPath } from "../base/paths.ts";

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

/**
 * Why something is mounted, and who wins where two want the same path: the later phase. Between a path and one below it
 * the narrower wins, whatever its phase: mounting goes from parents to children (docs/mounts.md).
 */
export const mountPhases = [
  "base",
  "devices",
  "temporary",
  "resolver",
  "rebind",
  "writable",
  "deny-read",
  "mask",
  "decoy",
  "dangerous",
  "deny-write",
  "deny-exec",
  "restore",
  "bootstrap",
  "sockets",
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
  /** Unix sockets of the host that the policy shows: for rules that resolve them, Landlock ABI 9. */
  readonly allowedSockets: readonly SandboxPath[];
  /**
   * Directories that must be made on the host before mounting, since the host's own directory is shown there, and removed
   * at the end: parents first. MountPoints of left-behind.ts makes and removes them.
   */
  readonly leftBehind: readonly HostPath[];
  /** Paths that are to stay as they are, do not exist and could be made by the program: whether they were is seen at its end. */
  readonly unprotected: readonly HostPath[];
}
