/**
 * The built library, and sandboxes that end with their test.
 *
 * Runs:     in tests.
 * Promises: it is dist/library that is tested, with the executable of the same build; HOME is a fresh directory, where
 *           commands start.
 */
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { library } from "../../build/paths.ts";
import type * as Library from "../../src/library/library.ts";
import { homeFolder } from "./launched.ts";
import { fence, folder } from "./sandbox.ts";
import { testFolder } from "./test-folder.ts";

if (!existsSync(library)) throw new Error("dist/library is missing: run npm run build first");

export const { createSandbox, FenceError } = (await import(library)) as typeof Library;

export type { Library };

/** The library where every user can read it, the checkout may lie in a home directory. */
export function libraryCopy(): string {
  const copy = join(folder(), "index.mjs");
  copyFileSync(library, copy);
  return copy;
}

/** Its programs can be read inside, as the tests' own are. */
export async function sandboxOf(options: Library.SandboxOptions = {}): Promise<Library.Sandbox> {
  const home = homeFolder();
  const { settings = {} } = options;
  const readable = { filesystem: { allowRead: [testFolder()] } };
  const sandbox = await createSandbox({
    cwd: home,
    env: { HOME: home, PATH: process.env["PATH"] },
    executable: fence,
    ...options,
    ...(typeof settings === "object" && !("template" in options) && { settings: { ...readable, ...settings } }),
  });
  onTestFinished(() => sandbox.close());
  return sandbox;
}

/** What it is rejected with, which is to be a FenceError. */
export async function failureOf(promise: Promise<unknown>): Promise<Library.FenceError> {
  const error = await promise.then(
    (value) => new Error(`it did not fail: ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  if (error instanceof FenceError) return error;
  throw error;
}
