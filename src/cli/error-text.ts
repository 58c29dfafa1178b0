/**
 * Turns an error into the report that the user reads.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: every FenceError is printed the same way: what failed, the step, the remedy, the code; no name of a file can
 *           forge a line or steer the terminal.
 * Source:   docs/errors.md
 */
import type { FenceError } from "../base/errors.ts";

export function errorText(error: FenceError): string {
  const { step, hint } = error.details;
  return [
    `fence: ${printable(error.message)}`,
    ...line("step", step),
    ...line("hint", hint),
    ...line("code", error.code),
    ...(error.code === "FENCE_BUG" ? stackLines(error) : []),
    "",
  ].join("\n");
}

function line(label: string, value: string | undefined): string[] {
  return value === undefined || value === "" ? [] : [`  ${label}:  ${printable(value)}`];
}

/** Where it happened, for whoever looks for our mistake. */
function stackLines({ cause, stack }: FenceError): string[] {
  const where = cause instanceof Error ? cause.stack : stack;
  return (where ?? "")
    .split("\n")
    .filter((frame) => frame.startsWith("    at "))
    .map(printable);
}

/** Control characters, and those that reorder or hide text, as escapes. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${character.codePointAt(0)?.toString(16)}}`;
  });
}
