/**
 * Reads the values of options: numbers, words, variables.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: a bad value is FENCE_USAGE and names its option; no message shows the value of a variable.
 * Source:   docs/options.md
 */
import type { GivenOptions } from "./command-line.ts";
import { FenceError } from "./errors.ts";
import { wordHint } from "./nearest-word.ts";
import { quoted } from "./quote.ts";

/** The kernel's own default limit is the same, proc(5): /proc/sys/fs/nr_open. */
export const maxDescriptor = 2 ** 20;

/** A variable of the program's environment. */
export interface Variable {
  readonly name: string;
  readonly value: string;
}

/** U+FFFD is what Node makes of bytes that are not UTF-8: the value that was meant is lost. */
export function refuseOtherBytes(given: GivenOptions<string>): void {
  const lost = given.all.find(({ value }) => value.includes("\uFFFD"));
  if (lost === undefined) return;
  throw new FenceError("FENCE_USAGE", `--${lost.name} must be valid UTF-8 without U+FFFD, got other bytes`);
}

export function variable(assignment: string): Variable {
  const equals = assignment.indexOf("=");
  // Without the word that was given: it may be a secret.
  if (equals === -1) throw new FenceError("FENCE_USAGE", "--env must be NAME=VALUE, got a word without =");
  if (equals === 0) throw new FenceError("FENCE_USAGE", "--env must be NAME=VALUE, got an empty NAME");
  return { name: assignment.slice(0, equals), value: assignment.slice(equals + 1) };
}

export function variableName(name: string, where: string): string {
  const equals = name.indexOf("=");
  // Without what follows the =: it may be a secret.
  if (equals !== -1) throw usage(where, "the name of a variable", `${name.slice(0, equals)}=…`);
  if (name === "") throw usage(where, "the name of a variable", name);
  return name;
}

interface NamedVariables {
  readonly set: string;
  readonly unset: string;
}

/** A variable that is both set and removed is a contradiction. Throws FENCE_USAGE. */
export function refuseSetAndUnset(set: readonly Variable[], unset: readonly string[], names: NamedVariables): void {
  const known = new Set(set.map(({ name }) => name));
  const both = unset.find((name) => known.has(name));
  if (both === undefined) return;
  throw new FenceError("FENCE_USAGE", `${names.set} and ${names.unset} both name the variable ${quoted(both)}`, {
    hint: `${names.set} alone replaces an inherited value`,
  });
}

export function integer(value: string, low: number, high: number, where: string): number {
  if (/^(?:0|[1-9]\d{0,6})$/.test(value) && Number(value) >= low && Number(value) <= high) return Number(value);
  throw usage(where, `an integer from ${low} to ${high}`, value);
}

export function oneOf<const W extends string>(value: string, words: readonly W[], where: string): W {
  const found = words.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw new FenceError("FENCE_USAGE", `${where} must be ${words.join(" or ")}, got ${quoted(value)}`, {
    hint: wordHint(value, words),
  });
}

export function usage(where: string, expected: string, got: string): FenceError {
  return new FenceError("FENCE_USAGE", `${where} must be ${expected}, got ${quoted(got)}`);
}
