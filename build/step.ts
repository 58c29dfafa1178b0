/**
 * Skips the steps of the build whose inputs have not changed.
 *
 * Runs:     on the build machine.
 * Promises: a step that failed runs again; a step runs again when an input's bytes or an output is gone.
 */
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { parts, root } from "./paths.ts";

export interface Step {
  readonly name: string;
  /** Globs from the project's root, or absolute files. Large files count by size and time. */
  readonly inputs: readonly string[];
  /** Anything else that the output depends on. */
  readonly also?: string;
  readonly output: string;
  readonly make: () => void | Promise<void>;
}

const largeFileBytes = 16 << 20;

/** SHA-256 over names and contents of all that `inputs` name. */
export function digest(inputs: readonly string[], also = ""): string {
  const hash = createHash("sha256").update(also);
  for (const path of inputs.flatMap(expand)) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`\0${path.startsWith(root) ? path.slice(root.length) : basename(path)}\0`);
    hash.update(size > largeFileBytes ? `${size} ${mtimeMs}` : readFileSync(path));
  }
  return hash.digest("hex");
}

export async function runStep(step: Step): Promise<void> {
  const stamp = `${parts}/${step.name}.stamp`;
  const now = digest(step.inputs, step.also);
  if (existsSync(step.output) && existsSync(stamp) && readFileSync(stamp, "utf8") === now) return;
  rmSync(stamp, { force: true });
  mkdirSync(dirname(step.output), { recursive: true });
  const started = performance.now();
  await step.make();
  writeFileSync(stamp, now);
  console.log(`build: ${step.name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

function expand(input: string): string[] {
  const found = input.startsWith("/") ? [input] : globSync(input, { cwd: root }).map((path) => `${root}/${path}`);
  if (found.length === 0) throw new Error(`build input ${input} matches nothing`);
  return found.filter((path) => statSync(path).isFile()).sort();
}
