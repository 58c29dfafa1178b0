/**
 * Runs the same actions in a child with a ruleset and in one without, each in a fresh copy of the same files.
 *
 * Runs:     in the Landlock tests.
 * Promises: the files are removed when the test ends; no test shares them with another.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import addon from "landlock-napi/addon";
import { onTestFinished, type TestContext } from "vitest";
import { emptyRequest, type RulesetRequest } from "../../../src/landlock/request.ts";
import { chooseRuleset } from "../../../src/landlock/ruleset.ts";
import type { Restriction, Try } from "./restricted-child.ts";

const child = fileURLToPath(new URL("restricted-child.ts", import.meta.url));

export const kernelAbi: number = addon.landlockAbi();

/** Ends the test, and says so, when the kernel is too old for it. */
export function needsAbi(abi: number, context: TestContext): void {
  if (kernelAbi >= abi) return;
  console.log(`not run: needs ABI ${abi}, this kernel has ${kernelAbi}: ${context.task.name}`);
  context.skip(`not run: needs ABI ${abi}`);
}

/** A fresh directory with `a/file`, `a/sub/`, `b/file`, and `file`. */
function freshFiles(): string {
  const directory = mkdtempSync(join(tmpdir(), "ll-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const path of ["a", "a/sub", "b"]) mkdirSync(join(directory, path));
  for (const path of ["a/file", "b/file", "file"]) writeFileSync(join(directory, path), "content");
  return directory;
}

/** What each action gives without Landlock and with it: "ok" or the errno's name. */
export interface Outcomes {
  readonly free: readonly string[];
  readonly fenced: readonly string[];
}

/** `abi` emulates an older kernel: the ruleset is chosen for it. */
export async function outcomesOf(
  request: (files: string) => Partial<RulesetRequest>,
  tries: (files: string) => readonly Try[],
  { abi = kernelAbi } = {},
): Promise<Outcomes> {
  return outcomesUnder((files) => {
    const choice = chooseRuleset({ ...emptyRequest, ...request(files) }, Math.min(abi, kernelAbi), "best-effort");
    return choice.kind === "ruleset" ? choice : null;
  }, tries);
}

export async function outcomesUnder(
  restriction: (files: string) => Restriction | null,
  tries: (files: string) => readonly Try[],
): Promise<Outcomes> {
  const [own, twin] = [freshFiles(), freshFiles()];
  const [fenced, free] = await Promise.all([inChild(restriction(own), tries(own)), inChild(null, tries(twin))]);
  return { free, fenced };
}

async function inChild(restriction: Restriction | null, tries: readonly Try[]): Promise<string[]> {
  const args = [child, JSON.stringify(restriction), JSON.stringify(tries)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout);
}
