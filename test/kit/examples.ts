/**
 * The examples of docs/examples, as users would have them: copied to a folder of their own, beside the files that they
 * ask for.
 *
 * Runs:     in tests.
 * Promises: every user can read the copy, whoever may enter the checkout.
 */
import { copyFileSync, linkSync, mkdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fence, folder } from "./sandbox.ts";

const examples = resolve(import.meta.dirname, "../../docs/examples");

/** The static program of the examples; build/setup.sh installs it. */
export const busybox = "/bin/busybox";

export function exampleText(path: string): string {
  return readFileSync(join(examples, path), "utf8");
}

/** The example's path in a fresh folder. */
export function exampleFile(path: string): string {
  const copy = join(folder(), basename(path));
  copyFileSync(join(examples, path), copy);
  return copy;
}

/** Puts a program where an image has it. fence itself is not copied: it is large. */
export function putProgram(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  if (from === fence) linkSync(from, to);
  else copyFileSync(from, to);
}
