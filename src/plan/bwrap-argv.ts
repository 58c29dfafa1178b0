/**
 * Mounts as arguments of bubblewrap.
 *
 * Runs:     host. Pure.
 * Promises: what came from a user or a disk stands only where bwrap takes a value, never where it takes an option.
 * Source:   bwrap(1)
 */
import { unreachable } from "../base/errors.ts";
import type { MountStep } from "./mounts.ts";

/** A step whose content bwrap reads from a descriptor. */
export type PreparedStep = Extract<MountStep, { kind: "empty-file" | "decoy" }>;

export function isPrepared(step: MountStep): step is PreparedStep {
  return step.kind === "empty-file" || step.kind === "decoy";
}

/** Readable by the program, executable by nobody, even root. */
const fileMode = 0o444;

const bindOptions = { "read-only": "--ro-bind", "read-write": "--bind", devices: "--dev-bind" } as const;

/** One step. `descriptorOf`: where the content of a prepared file is read; bwrap closes it, so each step has its own. */
export function mountArgs(step: MountStep, descriptorOf: (step: PreparedStep) => number): readonly string[] {
  switch (step.kind) {
    case "bind":
      return [bindOptions[step.access], step.from, step.to];
    case "empty-file":
    case "decoy":
      return ["--perms", octal(fileMode), "--ro-bind-data", String(descriptorOf(step)), step.to];
    case "tmpfs":
      return [...permissions(step.mode), ...size(step.sizeBytes), "--tmpfs", step.to];
    case "directory":
      return [...permissions(step.mode), "--dir", step.to];
    case "symlink":
      return ["--symlink", step.target, step.to];
    case "dev":
      return ["--dev", step.to];
    case "proc":
      return ["--proc", step.to];
    case "remount-read-only":
      return ["--remount-ro", step.to];
    default:
      return unreachable(step);
  }
}

/** bwrap's own default is 0755. */
function permissions(mode: number): readonly string[] {
  return mode === 0o755 ? [] : ["--perms", octal(mode)];
}

function size(sizeBytes: number | null): readonly string[] {
  return sizeBytes === null ? [] : ["--size", String(sizeBytes)];
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}
