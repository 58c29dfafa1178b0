import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { root } from "../../build/paths.ts";
import { docTable, docText } from "../kit/docs.ts";
import { requires } from "../kit/requires.ts";
import { fence } from "../kit/sandbox.ts";
import { workplace } from "../kit/workplace.ts";

beforeEach(requires("bwrap"));

const sections = docText("library.md").split(/^(?=# |## )/m);
const examples = sections.flatMap((section) => {
  const [title = ""] = section.split("\n");
  const found = [...section.matchAll(/^```js\n(.*?)^```\n\n```text\n(.*?)^```$/gms)];
  return found.map(([, program = "", prints = ""]) => ({ title: title.replace(/^#+ /, ""), program, prints }));
});

test("every example says what it prints, and is tried", () => {
  expect(examples.map(({ title }) => title)).toEqual([
    ...["The library", "A sandbox", "Commands", "Errors", "Time and cancellation"],
  ]);
  expect(docText("library.md").match(/^```js$/gm)).toHaveLength(examples.length);
});

test.for(examples)("the example of $title prints what it says", ({ program, prints }) => {
  const { home, project } = workplace("root");
  mkdirSync(join(home, ".ssh"));
  mkdirSync(join(project, "node_modules"));
  symlinkSync(root, join(project, "node_modules", "fence"));
  writeFileSync(join(project, "example.mjs"), program);
  const env = { HOME: home, PATH: process.env["PATH"], FENCE_EXECUTABLE: fence };
  const { stdout, stderr } = spawnSync(process.execPath, ["example.mjs"], { cwd: project, env, encoding: "utf8" });
  expect({ stdout, stderr }).toEqual({ stdout: prints, stderr: "" });
});

test.for([
  ["option", "SandboxOptions"],
  ["option of `run()`", "RunOptions"],
  ["option of both", "CommandOptions"],
  ["of a command", "Command"],
  ["event", "SandboxEvents"],
] as const)("the table of each %s has every one of %s", ([head, type]) => {
  const files = ["options", "command", "sandbox"].map((name) => resolve(root, `src/library/${name}.ts`));
  const source = files.map((file) => readFileSync(file, "utf8")).join("\n");
  const [, body = ""] = new RegExp(`export interface ${type}\\b[^{]*\\{\\n(.*?)^\\}`, "ms").exec(source) ?? [];
  const members = [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map(([, name]) => name);
  const rows = docTable("library.md", head).flatMap(([cell = ""]) => [...cell.matchAll(/\w+/g)].map(([name]) => name));
  expect(members.length).toBeGreaterThan(2);
  expect(rows).toEqual(expect.arrayContaining(members));
});
