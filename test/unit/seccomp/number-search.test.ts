import fc from "fast-check";
import { expect, test } from "vitest";
import { assemble, type Decision } from "../../../src/seccomp/bpf.ts";
import { type NumberRange, searchNumber } from "../../../src/seccomp/number-search.ts";
import { runFilter } from "../../kit/bpf-interpreter.ts";

const greatest = 0xffff_ffff;
const [otherwise, first, second] = [0, 1, 2].map((action): Decision => ({ kind: "answer", action })) as [
  Decision,
  Decision,
  Decision,
];

function answer(ranges: readonly NumberRange[], number: number) {
  const filter = assemble({ kind: "load", offset: 0, next: searchNumber(ranges, otherwise) });
  return runFilter(filter, { architecture: 0, number, arguments: [] });
}

test("without ranges every number gets the default decision", () => {
  for (const number of [0, 1, greatest]) expect(answer([], number)).toEqual({ action: 0, steps: 2 });
});

test("ranges may touch 0, the greatest number and each other, and come in any order", () => {
  const ranges = [
    { first: 5, last: greatest, decision: second },
    { first: 0, last: 1, decision: first },
    { first: 4, last: 4, decision: first },
  ];
  const expected = new Map([[0, 1], [1, 1], [2, 0], [3, 0], [4, 1], [5, 2], [greatest, 2]]); // biome-ignore format: a table
  for (const [number, action] of expected) expect(answer(ranges, number).action, String(number)).toBe(action);
});

test("neighbours that decide alike cost one comparison", () => {
  const ranges = [1, 2, 3].map((number) => ({ first: number, last: number, decision: first }));
  expect(assemble(searchNumber(ranges, otherwise)).length / 8).toBe(4);
});

test.for([
  [
    { first: 1, last: 3, decision: first },
    { first: 3, last: 4, decision: second },
  ],
  [{ first: 2, last: 1, decision: first }],
])("ranges that overlap or are empty are a bug", (ranges) => {
  expect(() => searchNumber(ranges, otherwise)).toThrow(expect.objectContaining({ code: "FENCE_BUG" }));
});

test("every number gets the decision of its range, after at most log2 comparisons", () => {
  fc.assert(
    fc.property(rangeLists, fc.nat(100), (ranges, number) => {
      const inside = ranges.find((range) => range.first <= number && number <= range.last);
      const { action, steps } = answer(ranges, number);
      expect(action).toBe(inside === undefined ? 0 : inside.decision === first ? 1 : 2);
      expect(steps).toBeLessThanOrEqual(2 + Math.ceil(Math.log2(2 * ranges.length + 1)));
    }),
  );
});

const rangeLists = fc
  .uniqueArray(fc.nat(100), { minLength: 0, maxLength: 30 })
  .map((numbers) => numbers.toSorted((a, b) => a - b))
  .chain((ends) =>
    fc.array(fc.constantFrom(first, second), { minLength: ends.length, maxLength: ends.length }).map((decisions) =>
      decisions.flatMap((decision, index): NumberRange[] => {
        const [from, to] = [ends[2 * index], ends[2 * index + 1]];
        return from === undefined || to === undefined ? [] : [{ first: from, last: to, decision }];
      }),
    ),
  );
