/**
 * Reads JSON values into strong types, and says exactly where and why it cannot.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: an unknown key is an error that names the nearest known one; no value is ever coerced; no message is longer
 *           than a few lines, or shows what `secretText` reads.
 */
import { FenceError } from "../base/errors.ts";
import { wordHint } from "../base/nearest-word.ts";
import { quoted } from "../base/quote.ts";

/** Reads `value`, which stands at `where`, or throws FENCE_PLAN. */
export type Parse<T> = (value: unknown, where: string) => T;

export const text: Parse<string> = (value, where) => {
  const expected = textMismatch(value);
  if (expected === null) return value as string;
  throw mismatch(where, expected, value);
};

/** Like text, for what no message may show. */
export const secretText: Parse<string> = (value, where) => {
  const expected = textMismatch(value);
  if (expected === null) return value as string;
  throw new FenceError("FENCE_PLAN", `${where} must be ${expected}`, { hint: "its value is not shown" });
};

function textMismatch(value: unknown): string | null {
  if (typeof value !== "string") return "a string";
  if (value.includes("\0")) return "a string without NUL";
  return value.isWellFormed() ? null : "a string of whole characters";
}

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

/** Exactly this number, such as a version. */
export function exactly(number: number): Parse<number> {
  return (value, where) => {
    if (value === number) return number;
    throw mismatch(where, String(number), value);
  };
}

export function word<const W extends string>(words: readonly W[]): Parse<W> {
  return (value, where) => {
    const found = words.find((candidate) => candidate === value);
    if (found !== undefined) return found;
    const hint = typeof value === "string" ? wordHint(value, words) : undefined;
    throw mismatch(where, words.map(quoted).join(" or "), value, hint);
  };
}

/** What `read` makes of a string; its FENCE_USAGE becomes FENCE_PLAN. */
export function textAs<T>(read: (value: string, where: string) => T): Parse<T> {
  return (value, where) => {
    const given = text(value, where);
    return fromUsage(() => read(given, where));
  };
}

/** What `read` makes of words that may also stand on the command line: its FENCE_USAGE becomes FENCE_PLAN. */
export function fromUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FenceError) || error.code !== "FENCE_USAGE") throw error;
    throw new FenceError("FENCE_PLAN", error.message, error.details);
  }
}

export function list<T>(item: Parse<T>): Parse<readonly T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) throw mismatch(where, "a list", value);
    return value.map((element, i) => item(element, `${where}[${i}]`));
  };
}

/** An object whose keys are the user's. */
export function dictionary<K extends string, T>(key: Parse<K>, item: Parse<T>): Parse<readonly (readonly [K, T])[]> {
  return (value, where) =>
    Object.entries(object(value, where)).map(([name, element]) => [
      key(name, `a key of ${where}`),
      item(element, `${where}[${quoted(name)}]`),
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
        throw new FenceError("FENCE_PLAN", `${where} has the unknown key ${quoted(key)}`, {
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

export function mismatch(where: string, expected: string, got: unknown, hint?: string): FenceError {
  const message = `${where} must be ${expected}, got ${described(got)}`;
  return new FenceError("FENCE_PLAN", message, hint === undefined ? {} : { hint });
}

/** Never the inside of a list or an object, which may be large, deep or secret. */
function described(value: unknown): string {
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
