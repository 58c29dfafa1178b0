import { expect, test } from "vitest";
import { loadAddon } from "../../src/sys/addon.ts";

test("an addon that cannot be loaded is an error of the place, not a fault of fence's", () => {
  expect(() => loadAddon("/no/such/addon.node")).toThrow(
    expect.objectContaining({ code: "FENCE_STUB", details: expect.objectContaining({ step: "load-addon" }) }),
  );
});
