import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { asFenceError, bug, errorCodes, FenceError, type FenceErrorCode } from "../../../src/base/errors.ts";
import { errorText } from "../../../src/cli/error-text.ts";

test("an error is printed as what failed, the step, the hint and the code", () => {
  const error = new FenceError(
    "FENCE_RULE_PATH",
    "cannot open /srv for a rule: open: ENOENT (no such file or directory)",
    {
      step: "enforce-landlock",
      path: "/srv",
      hint: "add --ignore-missing",
    },
  );
  expect(errorText(error)).toBe(
    [
      "fence: cannot open /srv for a rule: open: ENOENT (no such file or directory)",
      "  step:  enforce-landlock",
      "  hint:  add --ignore-missing",
      "  code:  FENCE_RULE_PATH",
      "",
    ].join("\n"),
  );
});

test("what is not known, or empty, has no line", () => {
  expect(errorText(new FenceError("FENCE_USAGE", "no command was given"))).toBe(
    "fence: no command was given\n  code:  FENCE_USAGE\n",
  );
  expect(errorText(new FenceError("FENCE_USAGE", "x", { step: "", hint: "" }))).toBe(
    "fence: x\n  code:  FENCE_USAGE\n",
  );
});

describe("a name of a file", () => {
  test.for([
    ["/a\nb", "/a\\u{a}b"],
    ["/\u001b[2J", "/\\u{1b}[2J"],
    ["/\u009b2J", "/\\u{9b}2J"],
    ["/\r", "/\\u{d}"],
    ["/\u202ecod.exe", "/\\u{202e}cod.exe"],
    ["/\u2028", "/\\u{2028}"],
    ["/é \u{1f600}", "/é \u{1f600}"],
  ])("%j is printed as %j", ([name, printed]) => {
    expect(errorText(new FenceError("FENCE_PLAN", `cannot read ${name}`))).toContain(`fence: cannot read ${printed}\n`);
  });

  test("can forge no line: an error has one line for each of its parts", () => {
    const text = fc.string({ unit: "binary", minLength: 1 });
    fc.assert(
      fc.property(
        text,
        text,
        text,
        fc.constantFrom(...(Object.keys(errorCodes) as FenceErrorCode[])),
        (message, step, hint, code) => {
          if (code === "FENCE_BUG") return;
          const lines = errorText(new FenceError(code, message, { step, hint })).split(/\n|\r|\u2028|\u2029|\u0085/);
          expect(lines.length).toBe(5);
          expect(lines.map((line) => line.slice(0, 9))).toMatchObject({
            1: "  step:  ",
            2: "  hint:  ",
            3: "  code:  ",
            4: "",
          });
        },
      ),
    );
  });
});

describe("our own mistake", () => {
  test("is whatever is thrown and is no FenceError; it is printed with where it happened", () => {
    const printed = errorText(asFenceError(new TypeError("x is not a function")));
    expect(printed).toMatch(
      /^fence: TypeError: x is not a function\n {2}hint: {2}.*report it\n {2}code: {2}FENCE_BUG\n {4}at /,
    );
    expect(printed).toContain("error-text.test.ts");
    expect(printed.endsWith("\n")).toBe(true);
  });

  test("is also what bug() makes", () => {
    expect(errorText(bug("a list is empty"))).toMatch(/^fence: a list is empty\n.*\n {2}code: {2}FENCE_BUG\n {4}at /);
  });

  test.for(["a string", undefined, null, 5])("may be anything: %o", (thrown) => {
    expect(asFenceError(thrown)).toMatchObject({ code: "FENCE_BUG", message: String(thrown) });
  });
});

test("a FenceError stays the one it is", () => {
  const error = new FenceError("FENCE_PLAN", "x");
  expect(asFenceError(error)).toBe(error);
});
