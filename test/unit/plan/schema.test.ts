import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bug, FenceError } from "../../../src/base/errors.ts";
import {
  absolutePath,
  dictionary,
  exactly,
  flag,
  integer,
  list,
  optional,
  type Parse,
  record,
  required,
  secretText,
  text,
  textAs,
  word,
} from "../../../src/plan/schema.ts";

function refusal(parse: Parse<unknown>, value: unknown): FenceError {
  try {
    parse(value, "plan.it");
  } catch (error) {
    if (error instanceof FenceError && error.code === "FENCE_PLAN") return error;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("a value of another kind is refused and named", () => {
  test.for<[Parse<unknown>, unknown, string]>([
    [text, 5, "plan.it must be a string, got 5"],
    [text, null, "plan.it must be a string, got null"],
    [text, ["a"], "plan.it must be a string, got a list"],
    [text, { a: 1 }, "plan.it must be a string, got an object"],
    [text, "a\0b", 'plan.it must be a string without NUL, got "a\\u0000b"'],
    [text, "\ud800", 'plan.it must be a string of whole characters, got "\\ud800"'],
    [text, undefined, "plan.it must be a string, got undefined"],
    [absolutePath, "a/b", 'plan.it must be an absolute path, got "a/b"'],
    [absolutePath, "", 'plan.it must be an absolute path, got ""'],
    [flag, "true", 'plan.it must be true or false, got "true"'],
    [flag, 1, "plan.it must be true or false, got 1"],
    [integer(1, 9), 10, "plan.it must be an integer from 1 to 9, got 10"],
    [integer(1, 9), 1.5, "plan.it must be an integer from 1 to 9, got 1.5"],
    [integer(1, 9), "5", 'plan.it must be an integer from 1 to 9, got "5"'],
    [exactly(1), 2, "plan.it must be 1, got 2"],
    [exactly(1), "1", 'plan.it must be 1, got "1"'],
    [word(["on", "off"]), "of", 'plan.it must be "on" or "off", got "of"'],
    [word(["on", "off"]), { toString: 1 }, 'plan.it must be "on" or "off", got an object'],
    [list(flag), {}, "plan.it must be a list, got an object"],
    [list(flag), [true, 1], "plan.it[1] must be true or false, got 1"],
    [dictionary(text, flag), [], "plan.it must be an object, got a list"],
    [dictionary(text, flag), { a: 1 }, 'plan.it["a"] must be true or false, got 1'],
    [dictionary(absolutePath, flag), { a: true }, 'a key of plan.it must be an absolute path, got "a"'],
    [record({ a: required(flag) }), null, "plan.it must be an object, got null"],
    [record({ a: required(flag) }), {}, "plan.it.a is missing"],
    [record({ a: required(flag) }), { a: 1 }, "plan.it.a must be true or false, got 1"],
    [record({ a: required(flag) }), { a: true, b: 1 }, 'plan.it has the unknown key "b"'],
  ])("%#", ([parse, value, message]) => {
    expect(refusal(parse, value).message).toBe(message);
  });

  test("with the nearest valid word as a hint", () => {
    expect(refusal(word(["required", "off"]), "requird").details.hint).toBe("did you mean required?");
    expect(refusal(record({ bridges: required(flag) }), { bridge: true }).details.hint).toBe("did you mean bridges?");
  });
});

test("absent keys stand for their default, and only they do", () => {
  const parse = record({ a: optional(flag, true), b: required(text) });
  expect(parse({ b: "x" }, "plan")).toEqual({ a: true, b: "x" });
  expect(parse({ a: false, b: "x" }, "plan")).toEqual({ a: false, b: "x" });
  expect(() => parse({ a: null, b: "x" }, "plan")).toThrow("plan.a must be true or false, got null");
});

test("keys that every object inherits are absent and unknown as any other", () => {
  const parse = record({ a: optional(flag, true) });
  for (const key of ["constructor", "toString", "__proto__"]) {
    expect(() => parse(JSON.parse(`{"${key}": 1}`), "plan")).toThrow(`unknown key "${key}"`);
  }
  expect(dictionary(text, text)(JSON.parse('{"__proto__": "x"}'), "plan")).toEqual([["__proto__", "x"]]);
});

test("a reader of option values gives FENCE_PLAN, its own mistakes stay ours", () => {
  const usage = textAs((_, where) => {
    throw new FenceError("FENCE_USAGE", `${where} is wrong`, { hint: "do better" });
  });
  expect(refusal(usage, "x")).toMatchObject({ message: "plan.it is wrong", details: { hint: "do better" } });
  const ours = textAs(() => {
    throw bug("impossible");
  });
  expect(() => ours("x", "plan")).toThrow(expect.objectContaining({ code: "FENCE_BUG" }));
});

test("a secret is in no message", () => {
  for (const secret of ["hunter2\0", "hunter2\ud800", ["hunter2"], { hunter2: 1 }, 1234567]) {
    const error = refusal(secretText, secret);
    expect(`${error.message} ${error.details.hint}`).not.toMatch(/hunter|1234567/);
  }
  expect(secretText("hunter2", "plan")).toBe("hunter2");
});

test("any value is read or gives FENCE_PLAN, in a short message", () => {
  const parsers: readonly Parse<unknown>[] = [
    text,
    secretText,
    absolutePath,
    flag,
    integer(0, 9),
    exactly(1),
    word(["required", "best-effort", "off"]),
    list(text),
    dictionary(text, flag),
    record({ a: optional(list(record({ b: required(text) })), []) }),
  ];
  fc.assert(
    fc.property(fc.constantFrom(...parsers), fc.jsonValue(), (parse, value) => {
      try {
        parse(value, "plan");
      } catch (error) {
        expect(error).toMatchObject({ name: "FenceError", code: "FENCE_PLAN" });
        expect((error as FenceError).message.length).toBeLessThan(1000);
      }
    }),
    { numRuns: 2000 },
  );
});

test("endless and deeply nested values are refused in a short message", () => {
  const endless = "x".repeat(4_000_000);
  let deep: unknown = [];
  for (let i = 0; i < 100_000; i++) deep = [deep];
  for (const value of [endless, deep, { [endless]: 1 }]) {
    for (const parse of [word(["on", "off"]), record({ a: optional(flag, true) }), integer(0, 1)]) {
      expect(refusal(parse, value).message.length).toBeLessThan(300);
    }
  }
});
