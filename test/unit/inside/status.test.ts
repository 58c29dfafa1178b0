import { expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { failed, starting, statusReport } from "../../../src/inside/status.ts";

test("a failure says all that is known of it, and null where nothing is", () => {
  const known = { step: "enforce-landlock", syscall: "open", path: "/srv", errno: "ENOENT", hint: "bring it in" };
  expect(failed(new FenceError("FENCE_RULE_PATH", "cannot open /srv", known))).toEqual({
    event: "failed",
    code: "FENCE_RULE_PATH",
    exit: 125,
    message: "cannot open /srv",
    ...known,
  });
  expect(failed(new FenceError("FENCE_PROGRAM_NOT_FOUND", "it is not there", { cause: new Error("why") }))).toEqual({
    event: "failed",
    code: "FENCE_PROGRAM_NOT_FOUND",
    exit: 127,
    message: "it is not there",
    step: null,
    syscall: null,
    path: null,
    errno: null,
    hint: null,
  });
});

test("without a status descriptor nothing is written", () => {
  expect(() => statusReport(null)(starting)).not.toThrow();
});
