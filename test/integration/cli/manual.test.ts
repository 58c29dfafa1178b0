import { execFileSync, spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { manual, shownOptions } from "../../../build/manual.ts";
import { withRunTable } from "../../../build/reference.ts";
import { type OptionTable, optionNames } from "../../../src/base/command-line.ts";
import { errorCodes } from "../../../src/base/errors.ts";
import { configOptions } from "../../../src/cli/config-options.ts";
import { runOptions } from "../../../src/launcher/run-options.ts";
import { docText } from "../../kit/docs.ts";
import { requires } from "../../kit/requires.ts";

const page = resolve(import.meta.dirname, "../../../docs/fence.1");

test("the page and the table of docs/run.md are the present ones; npm run schema writes them", () => {
  expect(docText("fence.1")).toBe(manual);
  expect(docText("run.md")).toBe(withRunTable(docText("run.md")));
});

const tables: readonly [string, OptionTable<string>][] = [["run", runOptions], ...Object.entries(configOptions)];

test.for(tables)("every option of %s has a text, a value when it takes one, and its place", ([, table]) => {
  const shown = shownOptions(table);
  expect(shown.map(({ words }) => words.at(-1)).toSorted()).toEqual(
    optionNames(table)
      .map((name) => `--${name}`)
      .toSorted(),
  );
  for (const { words, value, says } of shown) {
    const name = (words.at(-1) ?? "").slice(2);
    expect({ name, takesValue: value !== "" }).toEqual({ name, takesValue: table.kinds[name] !== "flag" });
    expect(says).toMatch(/^[a-z].*[^.]$/);
  }
});

describe("as groff prints it", () => {
  beforeEach(requires("groff"));

  test("the page has no warnings", () => {
    const { status, stderr, stdout } = spawnSync("groff", ["-man", "-Tutf8", "-ww", "-z", page], { encoding: "utf8" });
    expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: "", stdout: "" });
  });

  test("it names every option of run and every code", () => {
    const text = execFileSync("groff", ["-man", "-Tascii", "-P-c", page], { encoding: "utf8" }).replace(/.[\b]/g, "");
    for (const { words } of shownOptions(runOptions))
      expect(text).toMatch(new RegExp(`^ +${words.join(", ")}\\b`, "m"));
    for (const code of Object.keys(errorCodes)) expect(text).toContain(code);
  });
});
