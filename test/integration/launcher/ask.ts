/**
 * Runs driver.ts in a place.
 *
 * Runs:     in tests.
 */
import { resolve } from "node:path";
import type { Enter } from "../../kit/places-restricted.ts";
import { fence, type Json, run } from "../../kit/sandbox.ts";

const driver = resolve(import.meta.dirname, "driver.ts");

type Question = "check" | "start" | "namespaces" | "again";

export function driverCommand(question: Question): readonly string[] {
  return [process.execPath, driver, question, fence];
}

/** What the driver says in that place. */
export async function ask(enter: Enter, question: Question): Promise<Json> {
  const { stdout, stderr } = await run(enter(driverCommand(question)));
  if (stdout === "") throw new Error(`no answer: ${stderr}`);
  return JSON.parse(stdout);
}
