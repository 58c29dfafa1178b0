import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bug, FenceError } from "../../../src/base/errors.ts";
import {
  absolutePath,
  checked,
  dictionary,
  exactly,
  flag,
  integer,
  list,
  optional,
  orNone,
  record,
  required,
  type Schema,
  secretText,
  text,
  textAs,
  word,
} from "../../../src/plan/schema.ts";

function refusal(schema: Schema<unknown>, value: unknown): FenceError {
  try {
    schema.parse(value, "plan.it");
  } catch (error) {
    if (error instanceof FenceError && error.code === "FENCE_PLAN") return error;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("a value of another kind is refused and named", () => {
  test.for<[Schema<unknown>, unknown, string | RegExp]>([
    [text, 5, "plan.it must be a string, got 5"],
    [text, null, "plan.it must be a string, got null"],
    [text, ["a"], "plan.it must be a string, got a list"],
    [text, { a: 1 }, "plan.it must be a string, got an object"],
    [text, "a\0b", 'plan.it must be a string without NUL, got "a\\u0000b"'],
    [text, "\ud800", 'plan.it must be a string of whole characters, got "\\ud800"'],
    [text, undefined, "plan.it must be a string, got undefined"],
    [absolutePath, "a/b", 'plan.it must be an absolute path, got "a/b"'],
    [absolutePath, "", 'plan.it must be an absolute path, got ""'],
    [absolutePath, `/${"x".repeat(4095)}`, /^plan.it must be a path of at most 4095 bytes, got "\/xxx/],
    [absolutePath, `/${"é".repeat(2048)}`, /^plan.it must be a path of at most 4095 bytes/],
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
    [list(flag, 1), [true, 1], "plan.it must be a list of at most 1, got 2"],
    [orNone(flag), 1, "plan.it must be true or false, got 1"],
    [list(flag), [true, 1], "plan.it[1] must be true or false, got 1"],
    [dictionary(text, flag), [], "plan.it must be an object, got a list"],
    [dictionary(text, flag), { a: 1 }, 'plan.it["a"] must be true or false, got 1'],
    [dictionary(absolutePath, flag), { a: true }, 'a key of plan.it must be an absolute path, got "a"'],
    [record({ a: required(flag, "") }), null, "plan.it must be an object, got null"],
    [record({ a: required(flag, "") }), {}, "plan.it.a is missing"],
    [record({ a: required(flag, "") }), { a: 1 }, "plan.it.a must be true or false, got 1"],
    [record({ a: required(flag, "") }), { a: true, b: 1 }, 'plan.it has the unknown key "b"'],
  ])("%#", ([schema, value, message]) => {
    const expected = message instanceof RegExp ? expect.stringMatching(message) : message;
    expect(refusal(schema, value).message).toEqual(expected);
  });

  test("with the nearest valid word as a hint", () => {
    expect(refusal(word(["required", "off"]), "requird").details.hint).toBe("did you mean required?");
    expect(refusal(record({ bridges: required(flag, "") }), { bridge: true }).details.hint).toBe(
      "did you mean bridges?",
    );
  });
});

test("absent keys stand for their default, and only they do", () => {
  const { parse } = record({ a: optional(flag, true, ""), b: required(text, "") });
  expect(parse({ b: "x" }, "plan")).toEqual({ a: true, b: "x" });
  expect(parse({ a: false, b: "x" }, "plan")).toEqual({ a: false, b: "x" });
  expect(() => parse({ a: null, b: "x" }, "plan")).toThrow("plan.a must be true or false, got null");
});

test("null stands for none where it may", () => {
  expect(orNone(text).parse(null, "plan")).toBe(null);
  expect(orNone(text).parse("a", "plan")).toBe("a");
});

test("a check that no description can say has its own message", () => {
  const even = checked(integer(0, 9), (value) => (value % 2 === 0 ? null : " must be even"));
  expect(even.parse(4, "plan.it")).toBe(4);
  expect(refusal(even, 5).message).toBe("plan.it must be even");
  expect(even.describe()).toEqual(integer(0, 9).describe());
});

test("a record is described with its descriptions, defaults and required keys", () => {
  const schema = record({
    a: optional(list(absolutePath, 2), ["/x"], "Some paths."),
    b: required(dictionary(text, orNone(flag)), "Some flags."),
  });
  const path = { type: "string", pattern: "^/[^\\x00]*$", maxLength: 4095 };
  const flags = { anyOf: [{ type: "boolean" }, { type: "null" }] };
  const propertyNames = { type: "string", pattern: "^[^\\x00]*$" };
  expect(schema.describe()).toEqual({
    type: "object",
    properties: {
      a: { description: "Some paths.", type: "array", items: path, maxItems: 2, default: ["/x"] },
      b: { description: "Some flags.", type: "object", propertyNames, additionalProperties: flags },
    },
    required: ["b"],
    additionalProperties: false,
  });
});

test("keys that every object inherits are absent and unknown as any other", () => {
  const { parse } = record({ a: optional(flag, true, "") });
  for (const key of ["constructor", "toString", "__proto__"]) {
    expect(() => parse(JSON.parse(`{"${key}": 1}`), "plan")).toThrow(`unknown key "${key}"`);
  }
  expect(dictionary(text, text).parse(JSON.parse('{"__proto__": "x"}'), "plan")).toEqual([["__proto__", "x"]]);
});

test("a reader of option values gives FENCE_PLAN, its own mistakes stay ours", () => {
  const usage = textAs((_, where) => {
    throw new FenceError("FENCE_USAGE", `${where} is wrong`, { hint: "do better" });
  }, ".*");
  expect(refusal(usage, "x")).toMatchObject({ message: "plan.it is wrong", details: { hint: "do better" } });
  const ours = textAs(() => {
    throw bug("impossible");
  }, ".*");
  expect(() => ours.parse("x", "plan")).toThrow(expect.objectContaining({ code: "FENCE_BUG" }));
});

test("a secret is in no message", () => {
  for (const secret of ["hunter2\0", "hunter2\ud800", ["hunter2"], { hunter2: 1 }, 1234567]) {
    const error = refusal(secretText, secret);
    expect(`${error.message} ${error.details.hint}`).not.toMatch(/hunter|1234567/);
  }
  expect(secretText.parse("hunter2", "plan")).toBe("hunter2");
});

test("any value is read or gives FENCE_PLAN, in a short message", () => {
  const parsers: readonly Schema<unknown>[] = [
    text,
    secretText,
    absolutePath,
    flag,
    integer(0, 9),
    exactly(1),
    word(["required", "best-effort", "off"]),
    list(text),
    dictionary(text, flag),
    record({ a: optional(list(record({ b: required(text, "") })), [], "") }),
  ];
  fc.assert(
    fc.property(fc.constantFrom(...parsers), fc.jsonValue(), ({ parse }, value) => {
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
    for (const schema of [word(["on", "off"]), record({ a: optional(flag, true, "") }), integer(0, 1)]) {
      expect(refusal(schema, value).message.length).toBeLessThan(300);
    }
  }
});
