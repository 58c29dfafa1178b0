/**
 * Reads the numbers of our C headers: macros, enumerators, and where the members of a structure are.
 *
 * Runs:     in tests, which compare them with TypeScript's.
 * Promises: throws on what it does not understand; knows only what our own headers use.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
const sizes: Readonly<Record<string, number>> = {
  ...{ char: 1, uint8_t: 1, uint16_t: 2, uint32_t: 4, int32_t: 4, uint64_t: 8 },
};

export interface CStruct {
  readonly sizeBytes: number;
  readonly offsets: Readonly<Record<string, number>>;
}

export interface CHeader {
  /** Of macros that are numbers or strings. */
  readonly macros: Readonly<Record<string, number | string>>;
  /** Each enumeration's enumerators. */
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly structs: Readonly<Record<string, CStruct>>;
}

/** `path` is relative to native/; the macros of `included` are known to it. */
export function readHeader(path: string, ...included: readonly CHeader[]): CHeader {
  const text = readFileSync(`${root}/native/${path}`, "utf8").replace(/\/\*.*?\*\//gs, "");
  const macros: Record<string, number | string> = Object.assign({}, ...included.map((header) => header.macros));
  for (const [, name = "", value = ""] of text.matchAll(/^#define (\w+) (.+)$/gm))
    macros[name] = macroValue(value.trim());
  const enums: Record<string, Record<string, number>> = {};
  for (const [, name = "", body = ""] of text.matchAll(/^enum (\w+) \{(.*?)^\};/gms)) {
    const enumerators = [...body.matchAll(/(\w+) = (\w+),/g)];
    enums[name] = Object.fromEntries(enumerators.map(([, enumerator = "", value]) => [enumerator, Number(value)]));
  }
  const structs: Record<string, CStruct> = {};
  for (const [, name = "", body = ""] of text.matchAll(/^struct (\w+) \{(.*?)^\};/gms)) {
    structs[name] = layout(body, macros, structs);
  }
  return { macros, enums, structs };
}

/** A string, a number, or a number that is shifted. */
function macroValue(text: string): number | string {
  const string = /^"(.*)"$/.exec(text)?.[1];
  if (string !== undefined)
    return string.replace(/\\([0-7]+)/g, (_, octal) => String.fromCharCode(Number(`0o${octal}`)));
  const [, number, shift = "0"] = /^\(?(0x[0-9a-f]+|\d+)u?(?: << (\d+))?\)?$/.exec(text) ?? [];
  if (number === undefined) throw new Error(`unknown macro value ${text}`);
  return Number(number) * 2 ** Number(shift);
}

/** Members stand at multiples of their own size, as all ABIs do for these types. */
function layout(body: string, macros: CHeader["macros"], structs: CHeader["structs"]): CStruct {
  const offsets: Record<string, number> = {};
  let end = 0;
  let alignment = 1;
  for (const [, nested, type = "", name = "", count = "1"] of body.matchAll(
    /^\t(struct )?(\w+) (\w+)(?:\[(\w+)\])?;/gm,
  )) {
    const sizeBytes = nested === undefined ? sizes[type] : structs[type]?.sizeBytes;
    if (sizeBytes === undefined) throw new Error(`unknown type ${type}`);
    const own = nested === undefined ? sizeBytes : 8;
    offsets[name] = roundUp(end, own);
    end = (offsets[name] ?? 0) + sizeBytes * Number(macros[count] ?? count);
    alignment = Math.max(alignment, own);
  }
  return { sizeBytes: roundUp(end, alignment), offsets };
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
