import fc from "fast-check";
import { expect, test } from "vitest";
import { LineSplitter } from "../../../src/base/service-protocol.ts";

test("lines arrive whole, however they are cut", () => {
  const lines = fc.array(fc.string({ unit: "binary" }).map((line) => line.replaceAll("\n", "")));
  const cuts = fc.array(fc.nat());
  fc.assert(
    fc.property(lines, cuts, (given, at) => {
      const bytes = Buffer.from(given.map((line) => `${line}\n`).join(""));
      const splitter = new LineSplitter();
      const ends = [...at.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
      const taken = ends.flatMap((end, i) => splitter.take(bytes.subarray(ends[i - 1] ?? 0, end)));
      expect(taken).toEqual(given.map((line) => Buffer.from(line).toString()));
    }),
  );
});

test("a line has its bound, complete or not", () => {
  expect(new LineSplitter(3).take(Buffer.from("abc\nabc\n"))).toEqual(["abc", "abc"]);
  expect(new LineSplitter(3).take(Buffer.from("abcd\n"))).toBe("too long");
  const splitter = new LineSplitter(3);
  expect(splitter.take(Buffer.from("ab"))).toEqual([]);
  expect(splitter.take(Buffer.from("cd"))).toBe("too long");
});
