import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import * as pack from "../../../build/pack.ts";
import { readHeader } from "../../kit/c-header.ts";

const { macros, enums, structs } = readHeader("stub/pack-index.h");
const source = readFileSync(resolve(import.meta.dirname, "../../../build/pack.ts"), "utf8");

test("the kinds of parts are those of pack-index.h, each and no other", () => {
  const names = Object.entries(pack.kinds).map(([kind, number]) => [`PACK_${kind.toUpperCase()}`, number]);
  expect(Object.fromEntries(names)).toEqual(enums["pack_kind"]);
});

test("the index is written where struct pack_index has its members", () => {
  const [index, part] = [structs["pack_index"], structs["pack_part"]];
  expect(pack.index).toEqual({
    buildId: index?.offsets["build_id"],
    partCount: index?.offsets["part_count"],
    parts: index?.offsets["parts"],
    partSize: part?.sizeBytes,
    nameSize: (part?.sizeBytes ?? 0) - (part?.offsets["name"] ?? 0),
    maxParts: macros["PACK_MAX_PARTS"],
  });
  for (const [member, offset] of Object.entries({ size: 8, kind: 16, name: 24 })) {
    expect(part?.offsets[member]).toBe(offset);
    expect(source).toMatch(new RegExp(`\\bat \\+ ${offset}\\b`));
  }
});

test("the magic is that of pack-index.h with its terminating NUL", () => {
  expect(pack.magic.toString("latin1")).toBe(`${macros["PACK_MAGIC"]}\0`);
});
