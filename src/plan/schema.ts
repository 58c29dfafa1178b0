/**
 * Reads JSON values into strong types, and says exactly where and why it cannot.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: an unknown key is an error that names the nearest known one; no value is ever coerced.
 */
import { FenceError } from "../base/errors.ts";
import { wordHint } from "../base/nearest-word.ts";

/** Reads `value`, which stands at `where`, or throws FENCE_PLAN. */
export type Parse<T> = (value: unknown, where: string) => T;

export const text: Parse<string> = (value, where) => {
  if (typeof value !== "string") throw mismatch(where, "a string", value);
  if (value.includes("\0")) throw mismatch(where, "a string without NUL", value);
  if (!value.isWellFormed()) throw mismatch(where, "a string of whole characters", value);
  return value;
};

export const absolutePath: Parse<string> = (value, where) => {
  const path = text(value, where);
  if (!path.startsWith("/")) throw mismatch(where, "an absolute path", value);
  return path;
};

export const flag: Parse<boolean> = (value, where) => {
  if (typeof value !== "boolean") throw mismatch(where, "true or false", value);
  return value;
};

export function integer(low: number, high: number): Parse<number> {
  return (value, where) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= low && value <= high) return value;
    throw mismatch(where, `an integer from ${low} to ${high}`, value);
  };
}

export function word<const W extends string>(words: readonly W[]): Parse<W> {
  return (value, where) => {
    const found = words.find((candidate) => candidate === value);
    if (found !== undefined) return found;
    throw mismatch(where, words.map((w) => JSON.stringify(w)).join(" or "), value, wordHint(String(value), words));
  };
}

/** What `read` makes of a string; its FENCE_USAGE becomes FENCE_PLAN. */
export function textAs<T>(read: (value: string, where: string) => T): Parse<T> {
  return (value, where) => {
    const given = text(value, where);
    try {
      return read(given, where);
    } catch (error) {
      if (error instanceof FenceError) throw new FenceError("FENCE_PLAN", error.message, error.details);
      throw error;
    }
  };
}

export function list<T>(item: Parse<T>): Parse<readonly T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) throw mismatch(where, "a list", value);
    return value.map((element, i) => item(element, `${where}[${i}]`));
  };
}

/** An object whose keys are the user's. */
export function dictionary<T>(key: Parse<string>, item: Parse<T>): Parse<readonly (readonly [string, T])[]> {
  return (value, where) =>
    Object.entries(object(value, where)).map(([name, element]) => [
      key(name, `${where}: a key`),
      item(element, `${where}.${name}`),
    ]);
}

export interface Field<T> {
  readonly parse: Parse<T>;
  /** What an absent key stands for; none: the key is required. */
  readonly absent: { readonly kind: "required" } | { readonly kind: "default"; readonly value: T };
}

export function required<T>(parse: Parse<T>): Field<T> {
  return { parse, absent: { kind: "required" } };
}

export function optional<T>(parse: Parse<T>, value: T): Field<T> {
  return { parse, absent: { kind: "default", value } };
}

/** An object with exactly these keys. */
export function record<T extends object>(fields: { readonly [K in keyof T]: Field<T[K]> }): Parse<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return (value, where) => {
    const given = object(value, where);
    for (const key of Object.keys(given)) {
      if (!names.some((name) => name === key)) {
        throw new FenceError("FENCE_PLAN", `${where} has the unknown key ${JSON.stringify(key)}`, {
          hint: wordHint(key, names),
        });
      }
    }
    return Object.fromEntries(names.map((name) => [name, field(fields[name], given[name], `${where}.${name}`)])) as T;
  };
}

function field<T>({ parse, absent }: Field<T>, value: unknown, where: string): T {
  if (value !== undefined) return parse(value, where);
  if (absent.kind === "default") return absent.value;
  throw new FenceError("FENCE_PLAN", `${where} is missing`);
}

function object(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw mismatch(where, "an object", value);
}

const longestQuoted = 80;

function mismatch(where: string, expected: string, got: unknown, hint?: string): FenceError {
  const quoted = JSON.stringify(got);
  const short = quoted.length > longestQuoted ? `${quoted.slice(0, longestQuoted)}…` : quoted;
  return new FenceError("FENCE_PLAN", `${where} must be ${expected}, got ${short}`, hint === undefined ? {} : { hint });
}
