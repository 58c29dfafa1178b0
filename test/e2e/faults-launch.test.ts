import { beforeEach, expect, test } from "vitest";
import { launchCases, stubRoles, sweepLaunch } from "../kit/faults-launch.ts";
import { requires } from "../kit/requires.ts";

/** Every errno of every call, and a kill at each of them: several minutes. */
const isLong = process.env["FENCE_TEST_FAULTS"] === "all";

beforeEach(requires("root", "bwrap", "unshare"));

test("a system call of the front or of the sandbox's stub that fails, or a kill at it, leaves no program and nothing else", {
  timeout: isLong ? 3_600_000 : 300_000,
}, async () => {
  const cases = await launchCases(stubRoles, isLong);
  expect(cases.length).toBeGreaterThan(100);
  expect(await sweepLaunch(cases)).toEqual([]);
});
