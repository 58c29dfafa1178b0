/**
 * Makes the files that a plan of mounts needs before bubblewrap starts: empty ones and decoys.
 *
 * Runs:     host.
 * Promises: all of it or an error that names the step and the path, never a content; nothing secret touches a disk; close()
 *           takes everything back.
 * Source:   docs/mounts.md, "Preparation"
 */
import { lstatSync } from "node:fs";
import { bug } from "../base/errors.ts";
import type { HostPath } from "../base/paths.ts";
import { isPrepared, type PreparedStep } from "../plan/bwrap-argv.ts";
import type { MountPlan } from "../plan/mounts.ts";
import { decoyKinds } from "../plan/policy.ts";
import type { Addon } from "../sys/addon.ts";
import { systemError } from "../sys/errno.ts";
import { makeDecoy } from "./decoys.ts";

export interface PreparedFile {
  readonly step: PreparedStep;
  /** Close-on-exec; bwrap must inherit it under a number of its own and reads it to its end. All empty files are one. */
  readonly descriptor: number;
}

export interface Preparation {
  /** In the order of the plan's steps. */
  readonly files: readonly PreparedFile[];
  /** Once they have been passed on. */
  readonly close: () => void;
}

export type PrepareDoors = Pick<Addon, "sealedFile" | "closeDescriptor">;

/** Throws FENCE_PREPARE. */
export function prepare({ mounts }: Pick<MountPlan, "mounts">, doors: PrepareDoors): Preparation {
  const files: PreparedFile[] = [];
  const open = new Map<PreparedStep["kind"] | PreparedStep, number>();
  const close = () => {
    for (const descriptor of open.values()) doors.closeDescriptor(descriptor);
    open.clear();
  };
  try {
    for (const { step } of mounts) {
      if (!isPrepared(step)) continue;
      const content = step.kind === "empty-file" ? step.kind : step;
      const descriptor = open.get(content) ?? contentOf(step, doors);
      open.set(content, descriptor);
      files.push({ step, descriptor });
    }
  } catch (error) {
    close();
    throw error;
  }
  return { files, close };
}

/** Which of `paths` exist now: what could not be protected and was made while the program ran. */
export function madeSince(paths: readonly HostPath[]): readonly HostPath[] {
  return paths.filter((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined);
}

function contentOf(step: PreparedStep, doors: PrepareDoors): number {
  const details = { step: step.kind === "decoy" ? "prepare-decoy" : "prepare-mask", path: step.to };
  const tried = `cannot make the ${step.kind === "decoy" ? "decoy" : "empty file"} for ${step.to}`;
  const content = step.kind === "decoy" ? decoyContent(step.decoy) : Buffer.alloc(0);
  const descriptor = doors.sealedFile(content);
  if (descriptor < 0) throw systemError("FENCE_PREPARE", tried, "memfd_create", descriptor, details);
  return descriptor;
}

function decoyContent(name: string): Buffer {
  const kind = decoyKinds.find((candidate) => candidate === name);
  if (kind === undefined) throw bug("a decoy of no kind is in the plan");
  return Buffer.from(makeDecoy(kind).reveal());
}
