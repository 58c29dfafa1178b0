/**
 * Makes what a plan of mounts needs before bubblewrap starts: empty files, decoys, mount points on the host.
 *
 * Runs:     host.
 * Promises: all of it or an error that names the step and the path, never a content; nothing secret touches a disk; close()
 *           takes everything back.
 * Source:   docs/mounts.md, "Preparation"
 */
import { lstatSync, mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { bug } from "../base/errors.ts";
import type { HostPath } from "../base/paths.ts";
import { isPrepared, type PreparedStep } from "../plan/bwrap-argv.ts";
import type { MountPlan } from "../plan/mounts.ts";
import { decoyKinds } from "../plan/policy.ts";
import type { Addon } from "../sys/addon.ts";
import { nodeError, systemError } from "../sys/errno.ts";
import { sealedInput } from "../sys/sealed-input.ts";
import { makeDecoy } from "./decoys.ts";

export interface PreparedFile {
  readonly step: PreparedStep;
  /** Close-on-exec; bwrap must inherit it under a number of its own and reads it to its end. */
  readonly descriptor: number;
}

export interface Preparation {
  /** In the order of the plan's steps. */
  readonly files: readonly PreparedFile[];
  /** Once bwrap has ended. Throws FENCE_PREPARE when a directory on the host cannot be removed. */
  readonly close: () => void;
}

export type PrepareDoors = Pick<Addon, "sealedFile" | "closeDescriptor">;

/** Throws FENCE_PREPARE. */
export function prepare(plan: Pick<MountPlan, "mounts" | "leftBehind">, doors: PrepareDoors): Preparation {
  const files: PreparedFile[] = [];
  const marks: Mark[] = [];
  try {
    for (const { step } of plan.mounts) if (isPrepared(step)) files.push({ step, descriptor: contentOf(step, doors) });
    for (const directory of plan.leftBehind) marks.push(makeShared(directory));
  } catch (error) {
    closeFiles(files, doors);
    marks.forEach(removeShared);
    throw error;
  }
  return {
    files,
    close: () => {
      closeFiles(files.splice(0), doors);
      marks.splice(0).forEach(removeShared);
    },
  };
}

/** Which of `paths` exist now: what could not be protected and was made while the program ran. */
export function madeSince(paths: readonly HostPath[]): readonly HostPath[] {
  return paths.filter((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined);
}

function closeFiles(files: readonly PreparedFile[], doors: PrepareDoors): void {
  for (const { descriptor } of files) doors.closeDescriptor(descriptor);
}

function contentOf(step: PreparedStep, doors: PrepareDoors): number {
  const details = { step: step.kind === "decoy" ? "prepare-decoy" : "prepare-mask", path: step.to };
  const tried = `cannot make the ${step.kind === "decoy" ? "decoy" : "empty file"} for ${step.to}`;
  const content = step.kind === "decoy" ? decoyContent(step.decoy) : Buffer.alloc(0);
  const descriptor = orPrepareError(tried, details, () => sealedInput(doors, content));
  if (descriptor < 0) throw systemError("FENCE_PREPARE", tried, "memfd_create", descriptor, details);
  return descriptor;
}

function decoyContent(name: string): Buffer {
  const kind = decoyKinds.find((candidate) => candidate === name);
  if (kind === undefined) throw bug("a decoy of no kind is in the plan");
  return Buffer.from(makeDecoy(kind).reveal());
}

/** A directory that several launchers may need at once: each has a directory in it, so that only the last one removes it. */
interface Mark {
  readonly directory: HostPath;
  readonly mark: string;
}

const attempts = 16;
let marksMade = 0;

function makeShared(directory: HostPath): Mark {
  marksMade += 1;
  const mark = `${directory}/launcher-${process.pid}-${marksMade}`;
  const details = { step: "prepare-directory", path: directory };
  return orPrepareError(`cannot make ${directory}`, details, () => {
    for (let attempt = 1; ; attempt += 1) {
      ignoring("EEXIST", () => mkdirSync(directory, { mode: 0o755 }));
      ignoring("ENOENT", () => removeAbandoned(directory));
      // Another launcher may have removed the directory just now.
      if (ignoring(attempt < attempts ? "ENOENT" : "", () => mkdirSync(mark, { mode: 0o700 })))
        return { directory, mark };
    }
  });
}

/** The marks of launchers that were killed. */
function removeAbandoned(directory: HostPath): void {
  for (const name of readdirSync(directory)) {
    const pid = /^launcher-(\d+)-\d+$/.exec(name)?.[1];
    if (pid !== undefined && lstatSync(`/proc/${pid}`, { throwIfNoEntry: false }) === undefined)
      ignoring("ENOENT", () => rmdirSync(`${directory}/${name}`));
  }
}

function removeShared({ directory, mark }: Mark): void {
  orPrepareError(`cannot remove ${directory}`, { step: "remove-directory", path: directory }, () => {
    ignoring("ENOENT", () => rmdirSync(mark));
    ignoring("ENOENT", () => ignoring("ENOTEMPTY", () => rmdirSync(directory)));
  });
}

/** Whether `act` was done. */
function ignoring(code: string, act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== code) throw error;
    return false;
  }
}

function orPrepareError<Result>(tried: string, details: { step: string; path: string }, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    throw nodeError("FENCE_PREPARE", tried, error, details);
  }
}
