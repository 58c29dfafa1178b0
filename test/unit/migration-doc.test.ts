import { expect, test } from "vitest";
import { generalKeys, keyGroups, settingsSchema } from "../../src/config/keys.ts";
import { runOptions } from "../../src/launcher/run-options.ts";
import { docExamples, docText } from "../kit/docs.ts";

const page = "migration.md";
const keys = [
  ...Object.keys(generalKeys),
  ...Object.entries(keyGroups).flatMap(([group, names]) => [group, ...Object.keys(names)]),
];

test("every key of ours that the page names exists", () => {
  const [, fromGo = "", fromSrt = ""] = docText(page).split(/^## /m);
  const goKeys = /^### Keys\n(.*?)^### /ms.exec(fromGo)?.[1] ?? "";
  const firstCells = [...goKeys.matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell = ""]) => cell);
  const secondCells = [...fromSrt.matchAll(/^\| `[^|]* \| ([^|]*) \|/gm)].map(([, cell = ""]) => cell);
  const notOurs = [
    "~/.fence.json",
    "fence.json",
    "fence.jsonc",
    "0",
    '""',
    "macos",
    "fence PROGRAM",
    "fence -c COMMAND",
    "createSandbox()",
  ];
  const named = [...firstCells, ...secondCells]
    .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word))
    .filter((word) => !notOurs.includes(word) && !word.startsWith("-"));
  expect(named).not.toEqual([]);
  for (const word of named) {
    for (const part of (/^"?([\w.]+)/.exec(word)?.[1] ?? "").split(".").filter((each) => each !== "")) {
      if (part !== "fence") expect(keys, word).toContain(part);
    }
  }
});

test("every option of ours that the page names exists", () => {
  const known = [...Object.keys(runOptions.kinds).map((name) => `--${name}`), ...Object.keys(runOptions.elsewhere)];
  const theirs = ["--shell", "--shell-login", "--control-fd", "--version", "--port"];
  const named = [...docText(page).matchAll(/--[a-z][a-z-]+/g)].map(([word]) => word);
  expect(named.filter((word) => !known.includes(word) && !theirs.includes(word))).toEqual([]);
});

test("the settings at the end can be read", () => {
  expect(() => settingsSchema.parse(docExamples(page).at(-1), page)).not.toThrow();
});
