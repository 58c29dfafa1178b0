import { beforeEach, expect, test } from "vitest";
import type { Way } from "../kit/faults.ts";
import { launchCases, sweepLaunch } from "../kit/faults-launch.ts";
import { requires } from "../kit/requires.ts";

/** Every errno of every call, and a kill at each of them: several minutes. */
const isLong = process.env["FENCE_TEST_FAULTS"] === "all";

beforeEach(requires("root", "bwrap", "unshare"));

test.for<Way>(["launched", "standalone"])(
  "%s: a system call of the front or of the sandbox's stub that fails, or a kill at one, leaves no program and nothing else",
  { timeout: isLong ? 3_600_000 : 300_000 },
  async (way) => {
    const cases = await launchCases(way, isLong);
    expect(cases.length).toBeGreaterThan(way === "launched" ? 180 : 80);
    expect(await sweepLaunch(way, cases)).toEqual([]);
  },
);
