/**
 * The program and its environment, as the sandbox is to have them.
 *
 * Runs:     host.
 * Promises: arguments and variables arrive as they were given, or not at all.
 * Source:   docs/run.md
 */
import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { FenceError } from "../base/errors.ts";
import type { Variables } from "../sys/original-environment.ts";
import type { LaunchEnvironment, LaunchedProgram } from "./request.ts";

/** The shell that -c means: what every system has, when it has one. */
export const shellPath = "/bin/sh";

/** Throws FENCE_USAGE. */
export function programArguments(program: LaunchedProgram): readonly string[] {
  refuseLostBytes();
  return program.kind === "words" ? program.argv : [shellPath, "-c", ...notAnOption(program.command)];
}

/** The shell looks for more options behind -c, sh(1). */
function notAnOption(command: string): readonly string[] {
  return /^[-+]/.test(command) ? ["--", command] : [command];
}

/** `original` throws FENCE_USAGE. */
export function programEnvironment(original: () => Variables, { clear, unset, set }: LaunchEnvironment): Variables {
  const variables = new Map(clear ? [] : original());
  for (const name of unset) variables.delete(name);
  for (const { name, value } of set) variables.set(name, value);
  return [...variables];
}

/** Node has made U+FFFD of bytes that are not UTF-8: what was meant is lost. It may also have been given. */
function refuseLostBytes(): void {
  const mayBeLost = process.argv.some((word) => word.includes("\uFFFD"));
  if (!mayBeLost || isUtf8(readFileSync("/proc/self/cmdline"))) return;
  throw new FenceError("FENCE_USAGE", "the arguments must be valid UTF-8", {
    step: "arguments",
    hint: "the plan of a sandbox is JSON: name files by a path without other bytes, or let a script in the sandbox do it",
  });
}
