import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/{unit,integration,e2e}/**/*.test.ts"],
    globalSetup: ["test/kit/global-setup.ts"],
    pool: "forks",
    testTimeout: 60_000,
    // Tests of signals, kills and terminals depend on what a shared machine lets run first. What needed a second or third try is
    // printed as such: a fault to be mended, of the test or of fence.
    retry: 2,
  },
});
