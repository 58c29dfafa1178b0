import { closeSync, openSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { readPlan } from "../../../src/inside/json-plan.ts";
import { files } from "./files.ts";

function refusal(from: string | number): FenceError {
  try {
    readPlan(from);
  } catch (error) {
    if (error instanceof FenceError && error.code === "FENCE_PLAN") return error;
    throw error;
  }
  throw new Error("it was read");
}

test("a plan is read from a file, with or without a byte order mark", () => {
  const { make } = files();
  expect(readPlan(make("plan", '{"é": 1}'))).toBe('{"é": 1}');
  expect(readPlan(make("empty", ""))).toBe("");
  expect(readPlan(make("marked", "\ufeff{}"))).toBe("{}");
});

test("a plan is read from a descriptor, which stays open, from where it stands", () => {
  const fd = openSync(files().make("plan", "{}"), "r");
  onTestFinished(() => closeSync(fd));
  expect(readPlan(fd)).toBe("{}");
  expect(readPlan(fd)).toBe("");
});

test("a plan that cannot be read is named with the reason", () => {
  const { directory, make } = files();
  expect(refusal(`${directory}/gone`)).toMatchObject({
    message: `cannot read the plan ${directory}/gone: open: ENOENT (no such file or directory)`,
    details: { step: "read-plan", syscall: "open", errno: "ENOENT" },
  });
  expect(refusal("").details.errno).toBe("ENOENT");
  expect(refusal(directory).details.errno).toBe("EISDIR");
  expect(refusal(1_000_000)).toMatchObject({
    message: expect.stringMatching(/^cannot read the plan descriptor 1000000: read: EBADF/),
  });
  expect(refusal(make("latin1", Buffer.from('{"\xe9": 1}', "latin1"))).message).toMatch(/latin1 is not valid UTF-8$/);
});

test("a descriptor is named as the user knows it", () => {
  expect(() => readPlan(1_000_000, 7)).toThrow("cannot read the plan descriptor 7: read: EBADF");
});

test("a plan that never ends is refused", () => {
  expect(refusal("/dev/zero").message).toBe("/dev/zero must be a plan of at most 16777216 bytes");
});
