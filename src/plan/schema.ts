/**
 * Says what JSON values must be, once: reads them into strong types, and describes them as JSON Schema.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: an unknown key is an error that names the nearest known one; no value is ever coerced; no message is longer
 *           than a few lines, or shows what `secretText` reads; the description accepts whatever is read.
 * Source:   JSON Schema, draft 2020-12
 */
import { FenceError } from "../base/errors.ts";
import { wordHint } from "../base/nearest-word.ts";
import { quoted } from "../base/quote.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonSchema = Readonly<Record<string, Json>>;

export interface Schema<T> {
  /** Reads `value`, which stands at `where`, or throws FENCE_PLAN. */
  readonly parse: (value: unknown, where: string) => T;
  /** Made only when it is asked for: to publish it. */
  readonly describe: () => JsonSchema;
}

/** What a schema reads. */
export type Infer<S> = S extends Schema<infer T> ? T : never;

/** PATH_MAX without its NUL, limits.h. */
export const maxPathBytes = 4095;

/** For patterns: any regular expression dialect knows `\x00`. */
const anyText = "[^\\x00]*";

export const text: Schema<string> = {
  parse(value, where) {
    const expected = textMismatch(value);
    if (expected === null) return value as string;
    throw mismatch(where, expected, value);
  },
  describe: describeText,
};

/** Like text, for what no message may show. */
export const secretText: Schema<string> = {
  parse(value, where) {
    const expected = textMismatch(value);
    if (expected === null) return value as string;
    throw new FenceError("FENCE_PLAN", `${where} must be ${expected}`, { hint: "its value is not shown" });
  },
  describe: describeText,
};

function describeText(): JsonSchema {
  return { type: "string", pattern: `^${anyText}$` };
}

function textMismatch(value: unknown): string | null {
  if (typeof value !== "string") return "a string";
  if (value.includes("\0")) return "a string without NUL";
  return value.isWellFormed() ? null : "a string of whole characters";
}

export const absolutePath: Schema<string> = {
  parse(value, where) {
    const path = text.parse(value, where);
    const expected = pathMismatch(path);
    if (expected === null) return path;
    throw mismatch(where, expected, value);
  },
  describe: () => ({ type: "string", pattern: `^/${anyText}$`, maxLength: maxPathBytes }),
};

/** What a path must be that is none; null when it is one. */
export function pathMismatch(path: string): string | null {
  if (!path.startsWith("/")) return "an absolute path";
  return Buffer.byteLength(path) > maxPathBytes ? `a path of at most ${maxPathBytes} bytes` : null;
}

export const flag: Schema<boolean> = {
  parse(value, where) {
    if (typeof value !== "boolean") throw mismatch(where, "true or false", value);
    return value;
  },
  describe: () => ({ type: "boolean" }),
};

export function integer(low: number, high: number): Schema<number> {
  return {
    parse(value, where) {
      if (typeof value === "number" && Number.isInteger(value) && value >= low && value <= high) return value;
      throw mismatch(where, `an integer from ${low} to ${high}`, value);
    },
    describe: () => ({ type: "integer", minimum: low, maximum: high }),
  };
}

/** Exactly this number, such as a version. */
export function exactly<const N extends number>(number: N): Schema<N> {
  return {
    parse(value, where) {
      if (value === number) return number;
      throw mismatch(where, String(number), value);
    },
    describe: () => ({ const: number }),
  };
}

export function word<const W extends string>(words: readonly W[]): Schema<W> {
  return {
    parse(value, where) {
      const found = words.find((candidate) => candidate === value);
      if (found !== undefined) return found;
      const hint = typeof value === "string" ? wordHint(value, words) : undefined;
      throw mismatch(where, words.map(quoted).join(" or "), value, hint);
    },
    describe: () => ({ enum: words }),
  };
}

/** What `read` makes of a string; its FENCE_USAGE becomes FENCE_PLAN. `pattern` matches all that it accepts. */
export function textAs<T>(read: (value: string, where: string) => T, pattern: string): Schema<T> {
  return {
    parse(value, where) {
      const given = text.parse(value, where);
      return fromUsage(() => read(given, where));
    },
    describe: () => ({ type: "string", pattern }),
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

/** The value, or null for none. */
export function orNone<T>(schema: Schema<T>): Schema<T | null> {
  return {
    parse: (value, where) => (value === null ? null : schema.parse(value, where)),
    describe: () => ({ anyOf: [schema.describe(), { type: "null" }] }),
  };
}

export function list<T>(item: Schema<T>, most = Number.POSITIVE_INFINITY): Schema<readonly T[]> {
  return {
    parse(value, where) {
      if (!Array.isArray(value)) throw mismatch(where, "a list", value);
      if (value.length > most) {
        throw new FenceError("FENCE_PLAN", `${where} must be a list of at most ${most}, got ${value.length}`);
      }
      return value.map((element, i) => item.parse(element, `${where}[${i}]`));
    },
    describe: () => ({
      type: "array",
      items: item.describe(),
      ...(Number.isFinite(most) && { maxItems: most }),
    }),
  };
}

/** An object whose keys are the user's. */
export function dictionary<K extends string, T>(key: Schema<K>, item: Schema<T>): Schema<readonly (readonly [K, T])[]> {
  return {
    parse: (value, where) =>
      Object.entries(object(value, where)).map(([name, element]) => [
        key.parse(name, `a key of ${where}`),
        item.parse(element, `${where}[${quoted(name)}]`),
      ]),
    describe: () => ({ type: "object", propertyNames: key.describe(), additionalProperties: item.describe() }),
  };
}

export interface Field<T> {
  readonly schema: Schema<T>;
  /** One sentence for whoever writes the value. */
  readonly description: string;
  /** What an absent key stands for; none: the key is required. */
  readonly absent:
    | { readonly kind: "required" }
    | { readonly kind: "default"; readonly value: Json }
    /** Read as null: `value` holds unless something else says more. */
    | { readonly kind: "unsaid"; readonly value: Json };
}

export function required<T>(schema: Schema<T>, description: string): Field<T> {
  return { schema, description, absent: { kind: "required" } };
}

export function optional<T>(schema: Schema<T>, value: Json, description: string): Field<T> {
  return { schema, description, absent: { kind: "default", value } };
}

export function unsaid<T>(schema: Schema<T>, value: Json, description: string): Field<T | null> {
  return { schema, description, absent: { kind: "unsaid", value } };
}

type Fields<T> = { readonly [K in keyof T]: Field<T[K]> };

/** An object with exactly these keys. */
export function record<T extends object>(fields: Fields<T>): Schema<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return {
    parse(value, where) {
      const given = object(value, where);
      for (const key of Object.keys(given)) {
        if (!names.some((name) => name === key)) {
          throw new FenceError("FENCE_PLAN", `${where} has the unknown key ${quoted(key)}`, {
            hint: wordHint(key, names),
          });
        }
      }
      return Object.fromEntries(
        names.map((name) => [name, parseField(fields[name], given[name], `${where}.${name}`)]),
      ) as T;
    },
    describe: () => describeRecord(Object.entries(fields)),
  };
}

function parseField<T>({ schema, absent }: Field<T>, value: unknown, where: string): T {
  if (value !== undefined) return schema.parse(value, where);
  if (absent.kind === "default") return schema.parse(absent.value, where);
  if (absent.kind === "unsaid") return null as T;
  throw new FenceError("FENCE_PLAN", `${where} is missing`);
}

function describeRecord(fields: readonly (readonly [string, Field<unknown>])[]): JsonSchema {
  const properties = fields.map(([name, { schema, description, absent }]) => {
    const described = { description, ...schema.describe() };
    return [name, absent.kind === "required" ? described : { ...described, default: absent.value }] as const;
  });
  const needed = fields.filter(([, { absent }]) => absent.kind === "required").map(([name]) => name);
  return {
    type: "object",
    properties: Object.fromEntries(properties),
    required: needed,
    additionalProperties: false,
  };
}

/** What `schema` reads, unless `mistake` says what it must be; a description cannot say that. */
export function checked<T>(schema: Schema<T>, mistake: (value: T) => string | null): Schema<T> {
  return {
    parse(value, where) {
      const read = schema.parse(value, where);
      const expected = mistake(read);
      if (expected === null) return read;
      throw new FenceError("FENCE_PLAN", `${where}${expected}`);
    },
    describe: schema.describe,
  };
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
