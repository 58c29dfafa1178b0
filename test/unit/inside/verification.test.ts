import { describe, expect, test } from "vitest";
import { attemptsOf, type Check, judge } from "../../../src/inside/verification.ts";

const check = (changes: Partial<Check>): Check => ({
  what: "do it",
  expected: "denied",
  by: "somebody",
  attempts: [{ number: 1, args: [] }],
  denials: [13],
  value: null,
  inconclusive: [22],
  ...changes,
});

const verdict = (of: Check, ...results: number[]) => judge([of], results)[0]?.verdict;

describe("what must be denied", () => {
  test("is proved by the errno of its denial", () => {
    expect(judge([check({})], [-13])).toEqual([
      { what: "do it", expected: "denied", by: "somebody", result: "EACCES", verdict: "proved" },
    ]);
  });

  test("is inconclusive when the kernel cannot be asked", () => {
    expect(verdict(check({}), -22)).toBe("inconclusive");
  });

  test.for([0, 7, -2, -1])("is refuted by %d", (result) => {
    expect(() => judge([check({})], [result])).toThrow(
      expect.objectContaining({ code: "FENCE_VERIFY", message: expect.stringContaining("must not be able to do it") }),
    );
  });
});

describe("what must be allowed", () => {
  const allowed = check({ expected: "allowed", denials: [] });

  test("is proved by any success, or by the one value that it must have", () => {
    expect(verdict(allowed, 5)).toBe("proved");
    expect(verdict({ ...allowed, value: 1 }, 1)).toBe("proved");
  });

  test("is refuted by an error or another value", () => {
    expect(() => judge([allowed], [-13])).toThrow("the program must be able to do it (somebody), but that gave EACCES");
    expect(() => judge([{ ...allowed, value: 1 }], [0])).toThrow(expect.objectContaining({ code: "FENCE_VERIFY" }));
  });
});

test("a child that ended early has proved nothing of what was left", () => {
  expect(() => judge([check({}), check({ what: "do more" })], [-13])).toThrow(/do more .* gave no answer/);
});

test("a check is judged by its last attempt, and its attempts refer to each other wherever they stand", () => {
  const two = check({
    attempts: [
      { number: 41, args: [] },
      { number: 42, args: [{ resultOf: 0 }, 5] },
    ],
  });
  expect(attemptsOf([check({}), two]).map(({ args }) => args)).toEqual([[], [], [{ resultOf: 1 }, 5]]);
  expect(judge([check({}), two], [-13, 3, -13]).map(({ verdict }) => verdict)).toEqual(["proved", "proved"]);
});
