import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { maxDepth, parseJson } from "../../../src/plan/json.ts";

const refusal = (json: string) => {
  try {
    parseJson(json, "the plan");
  } catch (error) {
    if (error instanceof FenceError && error.code === "FENCE_PLAN") return error.message;
    throw error;
  }
  throw new Error("it was accepted");
};

test("valid JSON means what JSON.parse makes of it", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat({ max: 3 }), (value, indent) => {
      const json = JSON.stringify(value, null, indent);
      expect(parseJson(json, "it")).toEqual(JSON.parse(json));
    }),
  );
});

test("any text is JSON or FENCE_PLAN", () => {
  const pieces = fc.constantFrom(
    '"',
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    '"a"',
    '"b"',
    "1",
    "null",
    " ",
    "\\u0061",
    "é",
  );
  fc.assert(
    fc.property(
      fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join("")),
      (text) => {
        try {
          parseJson(text, "it");
        } catch (error) {
          expect(error).toMatchObject({ name: "FenceError", code: "FENCE_PLAN" });
        }
      },
    ),
    { numRuns: 5000 },
  );
});

describe("a key that one object has twice is refused:", () => {
  test.for([
    ['{"a": 1, "a": 2}', "a"],
    ['{"a": {"b": 1}, "b": {"c": 1, "c": 1}}', "c"],
    ['[{"x": 1, "\\u0078": 2}]', "x"],
    ['{"\\"": 1, "\\"": 2}', '\\"'],
    ['{"": 1, "": 2}', ""],
    ['{"__proto__": 1, "__proto__": 2}', "__proto__"],
    ['{"a": ["a", "a"], "b" : "a", "a" \n\t\r : 1}', "a"],
  ])("%s", ([json = "", key = ""]) => {
    expect(refusal(json)).toBe(`the plan has the key "${key}" twice in one object`);
  });

  test("one key in several objects, and the same word as key and value, are not", () => {
    for (const json of ['[{"a":1},{"a":1}]', '{"a":{"a":{"a":1}}}', '{"a":"a","b":["a","a"]}', '{"a}":1,"a":"{"}']) {
      expect(parseJson(json, "it")).toEqual(JSON.parse(json));
    }
  });
});

describe("what is not JSON", () => {
  test("is refused with what is wrong and where", () => {
    expect(refusal('{"a":1,}')).toMatch(/^the plan is not JSON: expected double-quoted property name .* position 7/);
    expect(refusal("")).toBe("the plan is not JSON: unexpected end of JSON input");
    expect(refusal("[yes]")).toBe("the plan is not JSON: a value is malformed, or strings lack their double quotes");
  });

  test.for([
    '{"env": {"TOKEN": hunter2}}',
    '{"env": {"TOKEN": "hunter2}}',
    '{"env": {"TOKEN": "hunter2"}',
    '{"env": {"TOKEN": "hunter2\\x"}}',
    '{"env": {"TOKEN": "hunter2"}} hunter2',
    "{'TOKEN': 'hunter2'}",
    "hunter2",
  ])("is not quoted in the message: %s", (json) => {
    expect(refusal(json)).not.toContain("hunter");
    expect(refusal(json)).toMatch(/^the plan is not JSON: /);
  });
});

const nested = (depth: number) => `${'[{"a":'.repeat(depth / 2)}1${"}]".repeat(depth / 2)}`;

test("lists and objects may stand in each other, but not without end", () => {
  expect(parseJson(nested(maxDepth), "it")).toEqual(JSON.parse(nested(maxDepth)));
  expect(parseJson(`["${"[".repeat(100)}", "\\"[[[[[[[[[[[[[[[[["]`, "it")).toHaveLength(2);
  const message = "the plan must have lists and objects in each other at most 16 deep";
  for (const json of [nested(maxDepth + 2), "[".repeat(maxDepth + 1), "[".repeat(16_000_000)]) {
    expect(refusal(json)).toBe(message);
  }
});

test("many small objects and long strings of escapes are read", () => {
  expect(parseJson(`[${'{"a":{}},'.repeat(300_000)}0]`, "it")).toHaveLength(300_001);
  expect(parseJson(`{"a":"${"\\n".repeat(1_000_000)}"}`, "it")).toEqual({ a: "\n".repeat(1_000_000) });
});
