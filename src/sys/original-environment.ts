/**
 * The environment that fence was started with, as the program is to have it.
 *
 * Runs:     host, in the launcher. Pure.
 * Promises: every variable as it was given, also those that are hidden from this Node.
 * Source:   proc_pid_environ(5); native/stub/node.c hides some
 */
import { FenceError } from "../base/errors.ts";

export type Variables = readonly (readonly [name: string, value: string])[];

/** In the order of the block; what has no `=` is no variable. Throws FENCE_USAGE for bytes that are not UTF-8. */
export function originalEnvironment(bytes: Buffer): Variables {
  const variables = new Map<string, string>();
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0, start);
    const entry = bytes.subarray(start, end === -1 ? bytes.length : end);
    start += entry.length + 1;
    const equals = entry.indexOf("=", 1);
    if (equals === -1) continue;
    const name = utf8(entry.subarray(0, equals), "the name of a variable");
    // getenv(3) finds the first of a name.
    if (!variables.has(name)) variables.set(name, utf8(entry.subarray(equals + 1), `the variable ${name}`));
  }
  return [...variables];
}

function utf8(bytes: Buffer, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new FenceError("FENCE_USAGE", `${what} must be valid UTF-8`, {
      step: "environment",
      hint: "remove it with env -u NAME before fence: what is passed to the sandbox must not be changed on the way",
      cause,
    });
  }
}
