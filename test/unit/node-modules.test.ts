import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { resolve } from "node:path";
import { expect, test } from "vitest";

const src = resolve(import.meta.dirname, "../../src");
/** They are in Node's own snapshot, or take next to nothing. node:net takes 3 ms, node:crypto 5, node:child_process 1. */
const cheap = ["node:buffer", "node:fs", "node:path", "node:path/posix", "node:sea", "node:util", "node:vm"];

/** What a file loads as soon as it is loaded itself: neither types, nor what is imported on demand. */
function importsOf(file: string): readonly string[] {
  const code = readFileSync(file, "utf8").replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const statements = code.matchAll(/^(?:import|export)\s+(?!type\b)(?:[^"';]*\sfrom\s+)?"([^"]+)"/gm);
  return [...statements].map(([, specifier = ""]) => specifier);
}

/** Which file loads which module of Node, on the way from `entry`. */
function nodeModules(entry: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  const left = [resolve(src, entry)];
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    if (found.has(file)) continue;
    const imports = importsOf(file);
    found.set(file, imports.filter(isBuiltin));
    left.push(...imports.filter((name) => name.startsWith(".")).map((name) => resolve(file, "..", name)));
  }
  return found;
}

test.for(["main.ts", "launch.ts", "commands.ts", "set-up.ts", "relays.ts"])(
  "%s loads no module of Node that delays its start",
  (entry) => {
    const files = nodeModules(entry);
    expect(files.size).toBeGreaterThan(5);
    const slow = [...files].flatMap(([file, modules]) =>
      modules.filter((name) => !cheap.includes(name)).map((name) => `${file.slice(src.length + 1)}: ${name}`),
    );
    expect(slow).toEqual([]);
  },
);
