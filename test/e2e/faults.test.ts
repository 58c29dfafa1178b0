import { beforeEach, describe, expect, test } from "vitest";
import { casesOf, sweep } from "../kit/faults-sweep.ts";
import { requires } from "../kit/requires.ts";

/** Every errno of every call, and a kill at each of them: several minutes. */
const isLong = process.env["FENCE_TEST_FAULTS"] === "all";
const timeout = isLong ? 3_600_000 : 300_000;

const bridges = ["--bridge", "unix:/w/l=tcp:127.0.0.1:9", "--http-proxy", "unix:/w/target"];
const rules = ["--ro", "/proc", "--rox", "/probe", "--chdir", "/"];

describe("a system call that fails, or a process that is killed at it,", () => {
  beforeEach(requires("bwrap"));

  test("keeps the program from starting, with a message that says why, and leaves nothing behind", {
    timeout,
  }, async () => {
    const options = [...rules, ...bridges];
    const cases = await casesOf(options, isLong);
    expect(cases.length).toBeGreaterThan(250);
    expect(await sweep(options, cases)).toEqual([]);
  });
});
