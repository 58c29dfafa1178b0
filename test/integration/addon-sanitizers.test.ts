import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SanitizedTree, sanitizedTree } from "../kit/sanitized-addon.ts";

/**
 * Not here: tests of memory (the sanitizers' own counts), of many connections (for their time), and of filters that are
 * there before Node, which deny the sanitizers' start.
 */
const files = [
  "answer",
  "back-pressure",
  "connect",
  "delivery",
  "half-close",
  "inherited",
  "listener",
  "relay-calls",
  "reset",
  "run-bridge",
  "watch",
].map((name) => `test/integration/bridge/${name}.test.ts`);
const landlock = ["addon", "files", "network"].map((name) => `test/integration/landlock-${name}.test.ts`);
const paths = "test/integration/path-calls.test.ts";

describe("the addon under AddressSanitizer and UndefinedBehaviorSanitizer", { timeout: 300_000 }, () => {
  let tree: SanitizedTree;
  beforeAll(() => {
    tree = sanitizedTree();
  }, 120_000);
  afterAll(() => tree.remove());

  test("is the one that is loaded, and its memory is watched", () => {
    const { status, output } = tree.script(`
      import { readFileSync } from "node:fs";
      import addon from "landlock-napi/addon";
      const maps = readFileSync("/proc/self/maps", "utf8");
      console.log(typeof addon.sendMessage, maps.includes("libasan"), maps.includes(process.cwd() + "/native"));
    `);
    expect({ status, output }).toEqual({ status: 0, output: "function true true\n" });
  });

  test("passes the tests of bridges, of Landlock and of paths without a finding", () => {
    const { status, output } = tree.test([...files, ...landlock, paths]);
    expect(output).not.toMatch(/AddressSanitizer|runtime error:/);
    expect({ status, output: status === 0 ? "" : output }).toEqual({ status: 0, output: "" });
    expect(output).toMatch(/Test Files +15 passed/);
  });
});
