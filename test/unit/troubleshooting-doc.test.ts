import { expect, test } from "vitest";
import { errorCodes } from "../../src/base/errors.ts";
import { docTable, docText } from "../kit/docs.ts";

const page = "troubleshooting.md";

test("every code has its section", () => {
  const sections = [...docText(page).matchAll(/^### (FENCE_\w+)$/gm)].map(([, code]) => code);
  expect(sections.toSorted()).toEqual(Object.keys(errorCodes).toSorted());
});

test("every error that is shown in a code's section has this code", () => {
  const sections = docText(page)
    .split(/^### (?=FENCE_)/m)
    .slice(1);
  for (const section of sections) {
    const [title = ""] = section.split("\n", 1);
    const shown = [...section.matchAll(/^ {6}code: {2}(\w+)$/gm)].map(([, code]) => code);
    expect(shown, title).toEqual(shown.map(() => title));
  }
});

test("every known failure of bubblewrap is in the table, once", () => {
  const known = docTable("check.md", "failure").map(([failure = ""]) => failure);
  const named = docTable(page, "what you see").flatMap(([, failures = ""]) => failures.replaceAll("`", "").split(" "));
  expect(named.toSorted()).toEqual(known.toSorted());
});
