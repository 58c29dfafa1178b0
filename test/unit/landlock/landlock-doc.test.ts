import { expect, test } from "vitest";
import { linuxOf, newestAbi, rights } from "../../../src/landlock/abi.ts";
import { areaRights, logWords, type OptionName, optionNeeds, options } from "../../../src/landlock/options.ts";
import { noteIds } from "../../../src/landlock/report.ts";
import { describeProgramFilter } from "../../../src/seccomp/program-filter.ts";
import { docTable } from "../../kit/docs.ts";

/** What stands in backquotes; those around a whole cell were taken off. */
const words = (cell = "") => `\`${cell}\``.match(/(?<=`)\w+(?=`)/g) ?? [];
/** `--scope signal` of `--scope signal`, `--ro` of `--ro PATH`. */
const optionOf = (cell = "") => cell.replace(/ [A-Z].*/, "") as OptionName;

test("docs/landlock.md gives each option the ABI and the Linux that the code asks for", () => {
  const listed = docTable("landlock.md", "option").map(([cell, abi, linux]) => [
    optionOf(cell),
    { abi: Number(abi), linux },
  ]);
  expect(Object.fromEntries(listed)).toEqual(optionNeeds);
  expect(listed).toHaveLength(Object.keys(optionNeeds).length);
});

test("docs/landlock.md names what each option handles and allows", () => {
  for (const [cell, , , handles, allows] of docTable("landlock.md", "option")) {
    const { area, grants } = options[optionOf(cell)];
    if (area === "files" || area === "quiet" || logWords.some((word) => word === area)) continue;
    expect(words(handles), cell).toEqual(areaRights[area]);
    const same = allows?.startsWith("the same") === true ? words(handles) : words(allows);
    expect(same.slice(0, grants.length), cell).toEqual(grants);
  }
});

test("docs/landlock.md says of every ABI what is missing below it", () => {
  const expected = Array.from({ length: newestAbi }, (_, index) => [
    String(index + 1),
    linuxOf(index + 1),
    rights.filter(({ firstAbi }) => firstAbi === index + 1).map(({ name }) => name),
  ]);
  expect(docTable("landlock.md", "below ABI").map(([abi, linux, missing]) => [abi, linux, words(missing)])).toEqual(
    expected,
  );
});

test("docs/landlock.md lists the report's notes", () => {
  expect(docTable("landlock.md", "note").map(([id]) => id)).toEqual(noteIds);
});

test("docs/landlock.md lists the detours that the filter denies, with their errnos", () => {
  const detours = describeProgramFilter("default", ["tcp-detours"]).denied.slice(
    describeProgramFilter("default", []).denied.length,
  );
  const listed = docTable("landlock.md", "call").map(([calls = "", , errno]) => [words(calls), errno]);
  expect(listed).toEqual(detours.map(({ syscalls, errno }) => [syscalls, errno]));
});

test("docs/landlock.md says which flag each word sets", () => {
  const expected = logWords.map((word) => [word, `LANDLOCK_RESTRICT_SELF_${areaRights[word][0]}`]);
  expect(docTable("landlock.md", "flag").map(([word, sets]) => [word, sets])).toEqual(expected);
});
