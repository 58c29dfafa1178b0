/**
 * Finds what a path with wildcards names on the host.
 *
 * Runs:     host. Pure: the disk is asked through a HostView.
 * Promises: looks only below the part before the first wildcard, at no more than `bounds` says; more is an error, never
 *           a part of the matches. Symlinked directories are not walked.
 * Source:   glob(7); docs/mounts.md
 */
import { FenceError } from "../base/errors.ts";
import type { HostView, ListedEntry } from "../base/host.ts";
import { quoted } from "../base/quote.ts";
import { childOf, partsOf, resolvePath } from "./mount-paths.ts";

export const bounds = { entries: 20_000, matches: 1_000, depth: 32 } as const;

/** What `**` does not walk into, unless the pattern names it: too large, and nobody's own files. */
export const notWalked: ReadonlySet<string> = new Set(["node_modules", ".git", ".hg", ".svn", ".jj"]);

export interface Expansion {
  /** Sorted. Each may be a symlink at its end. */
  readonly paths: readonly string[];
  /** Whether `**` passed over something that it does not walk into. */
  readonly isPartial: boolean;
}

/** Whether it stands for more than one path. `x/**` is x with all that is in it: the same as x. */
export function isPattern(path: string): boolean {
  return /[*?[]/.test(path);
}

/** Without the `/**` at its end. */
export function withoutTrailingStars(path: string): string {
  return path.replace(/(?:\/\*\*)+$/, "") || "/";
}

/** `key` names whose pattern it is, for errors. Throws FENCE_MOUNTS. */
export function expandPattern(view: HostView, pattern: string, key: string): Expansion {
  const walk = new Walk(view, pattern, key);
  const parts = partsOf(pattern);
  const fixed = parts.findIndex((part) => isPattern(part));
  const prefix = resolvePath(view, `/${parts.slice(0, fixed).join("/")}`, key);
  const literal = view.entry(pattern) === null ? [] : [pattern]; // [id].tsx is a name, too
  if (prefix.entry?.type === "directory") walk.match(prefix.path, parts.slice(fixed), 0);
  return { paths: [...new Set([...literal, ...walk.found])].sort(), isPartial: walk.isPartial };
}

class Walk {
  readonly found: string[] = [];
  isPartial = false;
  readonly #view: HostView;
  readonly #pattern: string;
  readonly #key: string;
  readonly #expressions = new Map<string, RegExp>();
  readonly #seen = new Set<string>();
  #entries = 0;

  constructor(view: HostView, pattern: string, key: string) {
    this.#view = view;
    this.#pattern = pattern;
    this.#key = key;
  }

  /** What `parts` match in the real directory `place`. */
  match(place: string, parts: readonly string[], depth: number): void {
    const [part = "", ...others] = parts;
    if (depth > bounds.depth) throw this.#tooMuch(`is deeper than ${bounds.depth} directories`);
    if (part === "**") this.#matchAnyDepth(place, others, depth);
    else if (isPattern(part)) this.#matchNames(place, part, others, depth);
    else this.#matchName(place, part, others, depth);
  }

  #matchNames(place: string, part: string, others: readonly string[], depth: number): void {
    const expression = this.#expression(part);
    for (const entry of this.#list(place)) {
      if (expression.test(entry.name)) this.#step(childOf(place, entry.name), entry, others, depth);
    }
  }

  #matchName(place: string, name: string, others: readonly string[], depth: number): void {
    const path = childOf(place, name);
    if (others.length === 0) {
      if (this.#view.entry(path) !== null) this.#add(path);
      return;
    }
    const directory = resolvePath(this.#view, path, this.#key);
    if (directory.entry?.type === "directory") this.match(directory.path, others, depth + 1);
  }

  #matchAnyDepth(place: string, others: readonly string[], depth: number): void {
    if (others.length > 0) this.match(place, others, depth);
    for (const entry of this.#list(place)) {
      const path = childOf(place, entry.name);
      if (others.length === 0) this.#add(path);
      if (entry.type !== "directory") continue;
      if (notWalked.has(entry.name)) this.isPartial = true;
      else this.match(path, ["**", ...others], depth + 1);
    }
  }

  #step(path: string, { type }: ListedEntry, others: readonly string[], depth: number): void {
    if (others.length === 0) this.#add(path);
    else if (type === "directory") this.match(path, others, depth + 1);
  }

  #add(path: string): void {
    if (path.includes("\uFFFD")) throw this.#cannot("names a file whose name is not UTF-8");
    this.found.push(path);
    if (this.found.length > bounds.matches) throw this.#tooMuch(`names more than ${bounds.matches} paths`);
  }

  #list(place: string): readonly ListedEntry[] {
    const entries = this.#view.list(place) ?? [];
    if (!this.#seen.has(place)) this.#entries += entries.length;
    this.#seen.add(place);
    if (this.#entries > bounds.entries)
      throw this.#tooMuch(`would have fence look at more than ${bounds.entries} files`);
    return entries;
  }

  #expression(part: string): RegExp {
    const before = this.#expressions.get(part);
    if (before !== undefined) return before;
    const expression = nameExpression(part);
    if (expression === null) throw this.#cannot(`has a range that ends before it begins: ${quoted(part)}`);
    this.#expressions.set(part, expression);
    return expression;
  }

  #tooMuch(what: string): FenceError {
    return this.#error(what, "name directories rather than files, or begin the pattern with a longer fixed path");
  }

  #cannot(what: string): FenceError {
    return this.#error(what, "name the directory that it is in, or correct the pattern");
  }

  #error(what: string, hint: string): FenceError {
    const message = `${this.#key} ${quoted(this.#pattern)} ${what}`;
    return new FenceError("FENCE_MOUNTS", message, { step: "plan-mounts", path: this.#pattern, hint });
  }
}

/** `*`, `?` and `[...]` within one name, a leading dot included; everything else stands for itself. null: a wrong range. */
export function nameExpression(part: string): RegExp | null {
  const source = part.replace(
    /\*+|\?|\[([!^]?)(\]?[^\]]*)\]|[\\^$.|+(){}[\]/]/gu,
    (what, not?: string, set?: string) => {
      if (what.startsWith("*")) return ".*";
      if (what === "?") return ".";
      if (set === undefined || set === "") return what.replace(/./gu, "\\$&");
      return `[${not === "" ? "" : "^"}${set.replace(/[\\\][^]/gu, "\\$&")}]`;
    },
  );
  try {
    return new RegExp(`^${source}$`, "su");
  } catch {
    return null;
  }
}
