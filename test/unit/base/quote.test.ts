import fc from "fast-check";
import { expect, test } from "vitest";
import { quoted } from "../../../src/base/quote.ts";

test("text is quoted with its control characters escaped", () => {
  expect(quoted('a "b"\n\u001b')).toBe('"a \\"b\\"\\n\\u001b"');
});

test("long text is cut", () => {
  expect(quoted("x".repeat(80))).toBe(`"${"x".repeat(80)}"`);
  expect(quoted("x".repeat(81))).toBe(`"${"x".repeat(80)}…"`);
});

test("any text fits a line or a few", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      expect(quoted(text).length).toBeLessThan(500);
      expect(quoted(text)).not.toMatch(/[\n\r]/);
    }),
  );
});
