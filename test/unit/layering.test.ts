import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { posix, resolve } from "node:path";
import { describe, expect, test } from "vitest";

/** STYLE section 1: an import may only go to a higher row or stay in its own folder. */
const rows: Readonly<Record<string, number>> = {
  "main.ts": 1,
  "packed-commands.ts": 1.2,
  "packed-launch.ts": 1.2,
  "packed-set-up.ts": 1.2,
  "packed-relays.ts": 1.2,
  "packed-part.ts": 1.3,
  "commands.ts": 1.6,
  "launch.ts": 1.5,
  "set-up.ts": 1.5,
  "relays.ts": 1.5,
  library: 1.5,
  service: 1.7,
  cli: 2,
  launcher: 2,
  bootstrap: 2,
  network: 2.3,
  inside: 2.5,
  config: 3,
  proxy: 3,
  bridge: 3,
  plan: 4,
  landlock: 5,
  seccomp: 5,
  sys: 5,
  base: 6,
};
const pureParts = ["plan", "landlock", "seccomp", "base"];

interface SourceFile {
  /** Relative to src/. */
  readonly path: string;
  readonly text: string;
}

/** Every break of the layering rules, as "path: what is wrong". */
function findBreaks(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    const code = withoutComments(file.text);
    const breaks = [...placeBreaks(file.path), ...importBreaks(file.path, code), ...wordBreaks(file.path, code)];
    return breaks.map((what) => `${file.path}: ${what}`);
  });
}

function placeBreaks(path: string): readonly string[] {
  const breaks = partOf(path) in rows ? [] : [`${partOf(path)} has no row`];
  return posix.basename(path) === "index.ts" ? [...breaks, "is a barrel"] : breaks;
}

function importBreaks(path: string, code: string): readonly string[] {
  return importsOf(code).flatMap((specifier) => {
    if (specifier.startsWith(".")) return relativeImportBreaks(path, specifier);
    if (!isBuiltin(specifier) || !isPure(path) || specifier === "node:path/posix") return [];
    return [`is pure but imports ${specifier}`];
  });
}

function relativeImportBreaks(path: string, specifier: string): readonly string[] {
  const target = posix.join(posix.dirname(path), specifier);
  const [from, to] = [partOf(path), partOf(target)];
  if (from === to) return [];
  if (isPure(path) && to === "sys") return ["is pure but imports sys"];
  const [fromRow, toRow] = [rows[from], rows[to]];
  if (toRow === undefined) return [`imports ${target}, which is in no row`];
  return fromRow !== undefined && toRow <= fromRow ? [`row ${fromRow} imports ${target} of row ${toRow}`] : [];
}

function wordBreaks(path: string, code: string): readonly string[] {
  const words = withoutStrings(code);
  const rules: readonly (readonly [says: string, pattern: RegExp, applies: boolean])[] = [
    ["is pure but awaits", /\bawait\b/, isPure(path)],
    ["exits the process", /\bprocess\s*\.\s*exit\b/, path !== "main.ts"],
    ["has a default export", /\bexport\s+default\b|\bas\s+default\b/, true],
    ["uses any", /(?<![.\w$])any\b(?!\s*[(:])/, true],
  ];
  return rules.flatMap(([says, pattern, applies]) => (applies && pattern.test(words) ? [says] : []));
}

/** The folder of src/ that a file is in, or the file itself when it is in none. */
function partOf(path: string): string {
  return path.split("/")[0] ?? path;
}

function isPure(path: string): boolean {
  return pureParts.includes(partOf(path));
}

/** What `import ... from`, `export ... from`, `import "..."` and `import("...")` name; types count too. */
function importsOf(code: string): readonly string[] {
  const imports = code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*(["'`])(.+?)\1/g);
  return [...imports].flatMap(([, , specifier]) => (specifier === undefined ? [] : [specifier]));
}

const stringOrComment = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\/.*|\/\*[\s\S]*?\*\//g;

function withoutComments(text: string): string {
  return text.replace(stringOrComment, (found) => (found.startsWith("/") ? " " : found));
}

function withoutStrings(code: string): string {
  return code.replace(stringOrComment, '""');
}

test("nothing in src breaks the layering", () => {
  const src = resolve(import.meta.dirname, "../../src");
  const files = readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path): SourceFile => ({ path, text: readFileSync(`${src}/${path}`, "utf8") }));
  expect(files.length).toBeGreaterThan(5);
  expect(findBreaks(files)).toEqual([]);
});

describe("these are breaks:", () => {
  test.for<[path: string, text: string, what: string]>([
    ["base/a.ts", 'import { b } from "../sys/b.ts";', "is pure but imports sys"],
    ["plan/a.ts", 'import type { B } from "../sys/b.ts";', "is pure but imports sys"],
    ["base/a.ts", 'import { b } from "../plan/b.ts";', "row 6 imports plan/b.ts of row 4"],
    ["seccomp/a.ts", 'import { b } from "../landlock/b.ts";', "row 5 imports landlock/b.ts of row 5"],
    ["bridge/a.ts", 'import { b } from "../proxy/b.ts";', "row 3 imports proxy/b.ts of row 3"],
    ["sys/a.ts", 'import { b } from "../plan/b.ts";', "row 5 imports plan/b.ts of row 4"],
    ["cli/a.ts", 'import { b } from "../main.ts";', "row 2 imports main.ts of row 1"],
    ["config/deep/a.ts", 'import { b } from "../../cli/b.ts";', "row 3 imports cli/b.ts of row 2"],
    ["bridge/a.ts", 'export { b } from "../cli/b.ts";', "row 3 imports cli/b.ts of row 2"],
    ["bridge/a.ts", 'export * from "../cli/b.ts";', "row 3 imports cli/b.ts of row 2"],
    ["bridge/a.ts", 'import "../cli/b.ts";', "row 3 imports cli/b.ts of row 2"],
    ["bridge/a.ts", "const b = await import('../cli/b.ts');", "row 3 imports cli/b.ts of row 2"],
    ["bridge/a.ts", 'let b: import("../cli/b.ts").B;', "row 3 imports cli/b.ts of row 2"],
    ["bridge/a.ts", 'import {\n  b,\n} from\n  "../cli/b.ts";', "row 3 imports cli/b.ts of row 2"],
    ["bridge/a.ts", 'import { b } from "../../native/b.ts";', "imports ../native/b.ts, which is in no row"],
    ["plan/a.ts", 'import { join } from "node:path";', "is pure but imports node:path"],
    ["base/a.ts", 'import type { Stats } from "fs";', "is pure but imports fs"],
    ["landlock/a.ts", "const b = await c();", "is pure but awaits"],
    ["utils/a.ts", "", "utils has no row"],
    ["common/a.ts", "", "common has no row"],
    ["other.ts", "", "other.ts has no row"],
    ["bridge/index.ts", "", "is a barrel"],
    ["cli/a.ts", "process.exit(1);", "exits the process"],
    ["cli/a.ts", "export default function a() {}", "has a default export"],
    ["cli/a.ts", "export { a as default };", "has a default export"],
    ["cli/a.ts", "const a: any = b;", "uses any"],
    ["cli/a.ts", "const a = new Map<string, any>();", "uses any"],
    ["cli/a.ts", "const a = (b: any[]) => b as any;", "uses any"],
  ])("%s with %s", ([path, text, what]) => {
    expect(findBreaks([{ path, text }])).toEqual([`${path}: ${what}`]);
  });
});

describe("these are not:", () => {
  test.for<[path: string, text: string]>([
    ["main.ts", 'import { a } from "./cli/a.ts"; process.exit(await a());'],
    ["bootstrap/a.ts", 'import type { B } from "../sys/b.ts";'],
    ["bridge/a.ts", 'import { b } from "../sys/b.ts"; await b();'],
    ["plan/a.ts", 'import { b } from "../landlock/b.ts"; import { c } from "./c.ts";'],
    ["plan/deep/a.ts", 'import { b } from "../b.ts";'],
    ["plan/a.ts", 'import { join } from "node:path/posix";'],
    ["cli/a.ts", "process.exitCode = 1;"],
    ["cli/a.ts", "// any process.exit(1), export default\n/* import { b } from '../main.ts' */"],
    ["base/a.ts", 'const hint = "await any answer, don\'t process.exit";'],
    ["base/a.ts", "const url = `http://any`; // not a comment before this"],
    ["cli/a.ts", "const first = Promise.any(all); const many = { any: 1 };"],
  ])("%s with %s", ([path, text]) => {
    expect(findBreaks([{ path, text }])).toEqual([]);
  });
});
