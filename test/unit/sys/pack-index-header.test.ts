import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { readHeader } from "../../kit/c-header.ts";

const { macros, enums, structs } = readHeader("stub/pack-index.h");
const pack = readFileSync(resolve(import.meta.dirname, "../../../build/pack.ts"), "utf8");

/** The members of `const NAME = { ... } as const;` in build/pack.ts, which does not export them. */
function constants(name: string): Record<string, number> {
  const [, body] = new RegExp(`^const ${name} = \\{(.*?)\\} as const;$`, "ms").exec(pack) ?? [];
  if (body === undefined) throw new Error(`build/pack.ts has no ${name}`);
  return Object.fromEntries([...body.matchAll(/(\w+): (\d+)/g)].map(([, key = "", value]) => [key, Number(value)]));
}

test("the kinds of parts are those of pack-index.h, each and no other", () => {
  const names = Object.entries(constants("kinds")).map(([kind, number]) => [`PACK_${kind.toUpperCase()}`, number]);
  expect(Object.fromEntries(names)).toEqual(enums["pack_kind"]);
});

test("the index is written where struct pack_index has its members", () => {
  const [index, part] = [structs["pack_index"], structs["pack_part"]];
  expect(constants("index")).toEqual({
    buildId: index?.offsets["build_id"],
    partCount: index?.offsets["part_count"],
    parts: index?.offsets["parts"],
    partSize: part?.sizeBytes,
    nameSize: (part?.sizeBytes ?? 0) - (part?.offsets["name"] ?? 0),
    maxParts: macros["PACK_MAX_PARTS"],
  });
  for (const [member, offset] of Object.entries({ size: 8, kind: 16, name: 24 })) {
    expect(part?.offsets[member]).toBe(offset);
    expect(pack).toMatch(new RegExp(`\\bat \\+ ${offset}\\b`));
  }
});

test("the magic is that of pack-index.h with its terminating NUL", () => {
  const [, literal = ""] = /^const magic = Buffer\.from\((".*"), "latin1"\);$/m.exec(pack) ?? [];
  const magic = JSON.parse(literal.replace(/\\x(..)/g, "\\u00$1").replaceAll("\\0", "\\u0000"));
  expect(magic).toBe(`${macros["PACK_MAGIC"]}\0`);
  expect(magic.length).toBe(structs["pack_index"]?.offsets["build_id"]);
});
