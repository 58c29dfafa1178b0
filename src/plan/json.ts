/**
 * Reads JSON text.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: refuses an object that has a key twice, of which JSON.parse() drops one in silence, and endless nesting
 *           before it costs memory; no message quotes the text, which may hold secrets.
 * Source:   RFC 8259
 */
import { FenceError } from "../base/errors.ts";
import { quoted } from "../base/quote.ts";

/** Of lists and objects in each other: far more than any of our formats has. */
export const maxDepth = 16;

/** Throws FENCE_PLAN; `where` names the text. */
export function parseJson(json: string, where: string): unknown {
  if (isDeeper(json, maxDepth)) {
    throw new FenceError("FENCE_PLAN", `${where} must have lists and objects in each other at most ${maxDepth} deep`);
  }
  const value = parse(json, where);
  const key = repeatedKey(json);
  if (key !== null) throw new FenceError("FENCE_PLAN", `${where} has the key ${quoted(key)} twice in one object`);
  return value;
}

function parse(json: string, where: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    // Without the cause: its message quotes the text.
    throw new FenceError("FENCE_PLAN", `${where} is not JSON: ${withoutQuotes((error as Error).message)}`);
  }
}

/** V8 says what is wrong and where, or quotes the text around it in double quotes. */
function withoutQuotes(message: string): string {
  if (message.includes('"')) return "a value is malformed, or strings lack their double quotes";
  return message.charAt(0).toLowerCase() + message.slice(1);
}

/** For any text, valid or not. */
function isDeeper(text: string, most: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') at = stringEnd(text, at) - 1;
    else if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") depth--;
    if (depth > most) return true;
  }
  return false;
}

/** A key that one object of valid JSON text has twice, or null. */
function repeatedKey(json: string): string | null {
  const open: Set<string>[] = [];
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (character === "{" || character === "[") open.push(new Set());
    if (character === "}" || character === "]") open.pop();
    if (character !== '"') continue;
    const end = stringEnd(json, at);
    if (isBeforeColon(json, end)) {
      const key: string = JSON.parse(json.slice(at, end));
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
    at = end - 1;
  }
  return null;
}

/** Where the string ends that starts at `start`: after its closing quote, or beyond the text without one. */
function stringEnd(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at + 1;
}

function isBeforeColon(json: string, start: number): boolean {
  let at = start;
  while (" \t\r\n".includes(json[at] ?? ":")) at++;
  return json[at] === ":";
}
