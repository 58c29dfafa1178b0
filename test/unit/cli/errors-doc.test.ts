import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { errorCodes } from "../../../src/base/errors.ts";
import { docTable } from "../../kit/docs.ts";

const root = resolve(import.meta.dirname, "../../..");
const rows = docTable("errors.md", "code");

test("docs/errors.md lists the codes of the table, each and no other, with their exit status and meaning", () => {
  const listed = rows.map(([code, exit, meaning]) => [code, exit, meaning]);
  const known = Object.entries(errorCodes).map(([code, { exit, says }]) => [code, String(exit), says]);
  expect(listed).toEqual(known);
});

test("it says for each what to do", () => {
  for (const [, , , remedy = ""] of rows) expect(remedy).toMatch(/^[A-Z].+\.$/);
});

test("every code that the sources name is in the table, and every code of the table is used", () => {
  const files = globSync(["src/**/*.ts", "native/stub/*.c"], { cwd: root }).filter(
    (file) => file !== "src/base/errors.ts",
  );
  const text = files.map((file) => readFileSync(`${root}/${file}`, "utf8")).join("\n");
  const used = new Set([...text.matchAll(/"(FENCE_[A-Z_]+)"/g)].map(([, code]) => code));
  for (const variable of ["FENCE_SANDBOX", "FENCE_EXECUTABLE"]) used.delete(variable);
  expect([...used].filter((code) => code !== undefined && !(code in errorCodes))).toEqual([]);
  expect(Object.keys(errorCodes).filter((code) => !used.has(code) && code !== "FENCE_BUG")).toEqual([]);
});
