import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { fence, run } from "../kit/sandbox.ts";
import { tool, workplace } from "../kit/workplace.ts";

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

test("the README's example of the library prints what it says", () => {
  const readme = readFileSync(resolve(root, "README.md"), "utf8");
  const [, program = "", prints] = /^```js\n(.*? \/\/ (.*?)\n.*?)^```$/ms.exec(readme) ?? [];
  const { home, project } = workplace("root");
  mkdirSync(join(project, "node_modules"));
  symlinkSync(root, join(project, "node_modules", "fence"));
  writeFileSync(join(project, "example.mjs"), program);
  const env = { HOME: home, PATH: process.env["PATH"], FENCE_EXECUTABLE: fence };
  const { stdout, stderr } = spawnSync(process.execPath, ["example.mjs"], { cwd: project, env, encoding: "utf8" });
  expect({ stdout, stderr }).toEqual({ stdout: `${prints}\n`, stderr: "" });
});

test("where there is no bubblewrap the demo shows --backend landlock, and says what it could not show", async () => {
  const bwrap = realpathSync(tool(["which", "bwrap"], "/").trim());
  const without = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", "/dev/null", bwrap, "--"];
  const outcome = await run([...without, ...demo], { env: { HOME: "/nonexistent" } });
  expect(outcome).toMatchObject({ status: 0, stderr: "" });
  for (const said of [
    "with --backend landlock only",
    "fence run --backend landlock --allow-write .",
    "id_ed25519: Permission denied",
    "Not shown: a published port, which needs a network namespace.",
    "Not shown: bubblewrap cannot make a sandbox here",
    "As promised",
  ])
    expect(outcome.stdout).toContain(said);
});
