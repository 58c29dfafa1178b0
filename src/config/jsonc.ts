/**
 * Reads the text of a settings file: JSON with comments and trailing commas.
 *
 * Runs:     host. Pure.
 * Promises: refuses a key twice in one object, and endless nesting before it costs memory; errors are FENCE_CONFIG and
 *           name the file, the line and the column; no message quotes the text but names of keys and the wrong value.
 * Source:   RFC 8259; comments and trailing commas as in Visual Studio Code's settings
 */
import { createScanner, type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { FenceError } from "../base/errors.ts";
import { quoted } from "../base/quote.ts";
import type { Infer, Schema } from "../plan/schema.ts";

/** Of lists and objects in each other: far more than the settings have. */
export const maxDepth = 16;
/** What messages of the schema call the whole file. */
const wholeFile = "the settings";

/** What `schema` makes of `text`. `file` is how messages name it. */
export function parseJsonc<S extends Schema<unknown>>(text: string, file: string, schema: S): Infer<S> {
  refuseDeep(text, file);
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true, allowEmptyContent: true });
  const [first] = errors;
  if (first !== undefined) throw syntaxError(text, file, first);
  if (tree === undefined)
    throw new FenceError("FENCE_CONFIG", `${file} is empty`, { hint: "the least settings are {}" });
  refuseRepeatedKeys(tree, text, file);
  try {
    return schema.parse(plainValue(tree), wholeFile) as Infer<S>;
  } catch (error) {
    if (!(error instanceof FenceError) || error.code !== "FENCE_PLAN") throw error;
    const at = placeOf(error.message, tree, wholeFile) ?? tree;
    throw new FenceError("FENCE_CONFIG", `${position(text, file, at.offset)}: ${ofKey(error.message)}`, error.details);
  }
}

/** `the settings.network.x must be` becomes `network.x must be`; a URL that stands where none belongs loses its password. */
function ofKey(message: string): string {
  return message.replace(`${wholeFile}.`, "").replace(/\/\/[^/"]*@/g, "//[secret]@");
}

/** The parser is recursive, so this comes first. */
function refuseDeep(text: string, file: string): void {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (let token = scanner.scan(); token !== 17; token = scanner.scan()) {
    if (token === 1 || token === 3) depth++;
    if (token === 2 || token === 4) depth--;
    if (depth > maxDepth) {
      const where = position(text, file, scanner.getTokenOffset());
      throw new FenceError(
        "FENCE_CONFIG",
        `${where}: lists and objects must be in each other at most ${maxDepth} deep`,
      );
    }
  }
}

function syntaxError(text: string, file: string, { error, offset }: ParseError): FenceError {
  // CommaExpected becomes "comma expected".
  const says = printParseErrorCode(error).replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return new FenceError("FENCE_CONFIG", `${position(text, file, offset)}: not JSON:${says}`, {
    hint: "keys and strings stand in double quotes; comments and trailing commas are allowed",
  });
}

function refuseRepeatedKeys(node: Node, text: string, file: string): void {
  const seen = new Set<string>();
  for (const child of node.children ?? []) {
    if (child.type === "property") {
      const [key, value] = pair(child);
      if (seen.has(key.value)) {
        throw new FenceError(
          "FENCE_CONFIG",
          `${position(text, file, key.offset)}: the key ${quoted(key.value)} stands twice in one object`,
        );
      }
      seen.add(key.value);
      refuseRepeatedKeys(value, text, file);
    } else refuseRepeatedKeys(child, text, file);
  }
}

/** Every key an own property, also `__proto__`, which the library's own function would make a prototype. */
function plainValue(node: Node): unknown {
  if (node.type === "array") return (node.children ?? []).map(plainValue);
  if (node.type !== "object") return node.value;
  return Object.fromEntries(
    (node.children ?? []).map((child) => {
      const [key, value] = pair(child);
      return [key.value, plainValue(value)];
    }),
  );
}

/** The innermost value that `message` begins with the name of, or the key that it calls unknown. */
function placeOf(message: string, node: Node, where: string): Node | null {
  if (!message.startsWith(where)) return null;
  for (const [i, child] of (node.children ?? []).entries()) {
    const inner =
      child.type === "property" ? placeInProperty(message, child, where) : placeOf(message, child, `${where}[${i}]`);
    if (inner !== null) return inner;
  }
  // Behind a dot stands a key that is missing.
  return /[ .]/.test(message.charAt(where.length)) ? node : null;
}

function placeInProperty(message: string, property: Node, where: string): Node | null {
  const [key, value] = pair(property);
  if (message === `${where} has the unknown key ${quoted(key.value)}`) return key;
  return placeOf(message, value, `${where}.${key.value}`);
}

function pair(property: Node): readonly [Node, Node] {
  const [key, value] = property.children ?? [];
  if (key === undefined || value === undefined) throw new FenceError("FENCE_BUG", "a property without a value");
  return [key, value];
}

/** `file:line:column`, both counted from 1. */
function position(text: string, file: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `${file}:${before.length}:${(before.at(-1) ?? "").length + 1}`;
}
