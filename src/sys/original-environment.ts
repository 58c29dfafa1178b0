/**
 * The environment that fence was started with, as the program is to have it.
 *
 * Runs:     host, in the launcher. Pure.
 * Promises: every variable as it was given, also those that are hidden from this Node.
 * Source:   proc_pid_environ(5); native/stub/node.c hides some
 */
import { isUtf8 } from "node:buffer";
import { FenceError } from "../base/errors.ts";

export type Variables = readonly (readonly [name: string, value: string])[];

/** In the order of the block; what has no `=` is no variable. Throws FENCE_USAGE for bytes that are not UTF-8. */
export function originalEnvironment(bytes: Buffer): Variables {
  const isValid = isUtf8(bytes);
  const variables = new Map<string, string>();
  for (const entry of bytes.toString(isValid ? "utf8" : "latin1").split("\0")) {
    const equals = entry.indexOf("=", 1);
    if (equals === -1) continue;
    const name = isValid ? entry.slice(0, equals) : utf8(entry.slice(0, equals), "the name of a variable");
    if (variables.has(name)) continue; // getenv(3) finds the first of a name
    const value = entry.slice(equals + 1);
    variables.set(name, isValid ? value : utf8(value, `the variable ${name}`));
  }
  return [...variables];
}

/** `bytes`: each as a letter. */
function utf8(bytes: string, what: string): string {
  const encoded = Buffer.from(bytes, "latin1");
  if (isUtf8(encoded)) return encoded.toString("utf8");
  throw new FenceError("FENCE_USAGE", `${what} must be valid UTF-8`, {
    step: "environment",
    hint: "remove it with env -u NAME before fence: what is passed to the sandbox must not be changed on the way",
  });
}
