import { describe, expect, test } from "vitest";
import { bug, errorCodes, FenceError, type FenceErrorCode, unreachable } from "../../../src/base/errors.ts";

describe("an error", () => {
  test.for(Object.keys(errorCodes) as FenceErrorCode[])("with code %s has the exit status of the table", (code) => {
    expect(new FenceError(code, "it failed").exitStatus).toBe(errorCodes[code].exit);
  });

  test("carries its message, its details and its cause", () => {
    const cause = new Error("the reason");
    const error = new FenceError("FENCE_RULE_PATH", "cannot open /srv", {
      step: "enforce-landlock",
      path: "/srv",
      cause,
    });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "FenceError", code: "FENCE_RULE_PATH", message: "cannot open /srv", cause });
    expect(error.details).toMatchObject({ step: "enforce-landlock", path: "/srv" });
  });

  test("without details has none", () => {
    const error = new FenceError("FENCE_USAGE", "wrong");
    expect(error.details).toEqual({});
    expect(error.cause).toBeUndefined();
  });
});

describe("the table of codes", () => {
  test.for(Object.entries(errorCodes))("says what %s means", ([, { says }]) => {
    expect(says).toMatch(/^(fence|[A-Z]).+\.$/);
  });

  test("has 126 and 127 only for the program, as env(1)", () => {
    const other = Object.entries(errorCodes).filter(([, { exit }]) => exit !== 125);
    expect(Object.fromEntries(other.map(([code, { exit }]) => [code, exit]))).toEqual({
      FENCE_PROGRAM_CANNOT_RUN: 126,
      FENCE_PROGRAM_NOT_FOUND: 127,
    });
  });
});

test("our own mistakes ask for a report", () => {
  const cause = new Error("the reason");
  const error = bug("a list is empty", cause);
  expect(error).toMatchObject({ code: "FENCE_BUG", message: "a list is empty", exitStatus: 125, cause });
  expect(error.details.hint).toContain("report");
});

test("a value outside its type is our own mistake and named", () => {
  const outside = { kind: "new" } as never;
  expect(() => unreachable(outside)).toThrow(expect.objectContaining({ code: "FENCE_BUG" }));
  expect(() => unreachable(outside)).toThrow('{"kind":"new"}');
});
