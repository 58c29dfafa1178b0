import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { run } from "../kit/sandbox.ts";

beforeEach(requires("bwrap", "busybox"));

const root = resolve(import.meta.dirname, "../..");
const demo = [process.execPath, resolve(root, "build/demo.ts")];

test("the demo goes as promised and prints what the README says, in that order", async () => {
  const outcome = await run(demo, { env: { HOME: "/nonexistent" } });
  expect(outcome).toMatchObject({ status: 0, stderr: "" });
  expect(outcome.stdout).toContain("As promised");
  const [, excerpt = ""] =
    /^```\n( +fence run .*?)^```$/ms.exec(readFileSync(resolve(root, "README.md"), "utf8")) ?? [];
  const said = excerpt.trimEnd().split("\n");
  expect(said.length).toBeGreaterThan(20);
  let at = 0;
  for (const line of said) {
    const found = outcome.stdout.indexOf(`\n${line}\n`, at);
    expect(found, `the demo prints ${JSON.stringify(line)} there`).toBeGreaterThanOrEqual(at);
    at = found + 1;
  }
});
