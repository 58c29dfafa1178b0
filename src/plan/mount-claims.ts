/**
 * What a policy and the defaults want of one path each, before it is known who wins.
 *
 * Runs:     host. Pure.
 * Promises: a claim's path is resolved: it is the same on the host and in the sandbox.
 * Source:   docs/mounts.md
 */
import type { HostFile } from "../base/host.ts";
import type { HostPath } from "../base/paths.ts";
import type { MountPhase } from "./mounts.ts";

export type Effect =
  /** Shown read-only where it was not shown at all; takes nothing away. */
  | "show"
  | "show-writable"
  /** With working device nodes. */
  | "show-devices"
  /** Something empty is there instead. */
  | "hide"
  /** What is writable no longer is. */
  | "protect"
  /** Shown again, whatever hides it. */
  | "restore"
  | "decoy"
  /** An empty directory of the sandbox's own, that the program can write to. */
  | "private"
  | "dev"
  | "proc"
  /** A directory where nothing else is: a HOME. */
  | "exist"
  /** A symlink where what is above it is not the host's. */
  | "link"
  /** A mount point of its own, so that it cannot be renamed; otherwise as what is above it. */
  | "pin"
  | "bootstrap"
  | "bridge-socket";

export interface Claim {
  readonly path: string;
  readonly effect: Effect;
  readonly phase: MountPhase;
  /** The key or default: `filesystem.denyRead "~/.ssh"`. */
  readonly because: string;
  /** Nobody asked for it: it shows nothing that the user denies, however narrow it is. */
  readonly isDefault: boolean;
  /** Of what is there on the host. */
  readonly type: HostFile["type"];
  /** What is bound, where it is not the path itself; a link's target; a decoy's kind. */
  readonly from?: HostPath;
  readonly target?: string;
}
