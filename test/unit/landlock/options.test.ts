import { expect, expectTypeOf, test } from "vitest";
import { maskOf, rightOf, rights } from "../../../src/landlock/abi.ts";
import {
  accessWords,
  areaRights,
  logWords,
  type OptionName,
  optionNeeds,
  options,
  scopeWords,
} from "../../../src/landlock/options.ts";

test("every option needs the ABI that the documentation publishes", () => {
  expect(optionNeeds).toEqual({
    "--ro": { abi: 5, linux: "6.10" },
    "--rox": { abi: 5, linux: "6.10" },
    "--rw": { abi: 5, linux: "6.10" },
    "--rwx": { abi: 5, linux: "6.10" },
    "--unix": { abi: 9, linux: "7.1" },
    "--bind-tcp": { abi: 4, linux: "6.7" },
    "--connect-tcp": { abi: 4, linux: "6.7" },
    "--scope signal": { abi: 6, linux: "6.12" },
    "--scope abstract-unix": { abi: 6, linux: "6.12" },
    "--bind-udp": { abi: 10, linux: "7.2" },
    "--connect-udp": { abi: 10, linux: "7.2" },
    "--quiet": { abi: 10, linux: "7.2" },
    "--landlock-log same-exec-off": { abi: 7, linux: "6.15" },
    "--landlock-log new-exec-on": { abi: 7, linux: "6.15" },
    "--landlock-log subdomains-off": { abi: 7, linux: "6.15" },
  });
});

test("every option grants only rights of the area that it denies", () => {
  for (const { area, grants } of Object.values(options)) {
    expect(areaRights[area]).toEqual(expect.arrayContaining([...grants]));
  }
});

test("no right belongs to two areas", () => {
  const all = Object.values(areaRights).flat();
  expect(new Set(all).size).toBe(all.length);
});

test("ro reads, x adds only execution, rwx grants every file right", () => {
  const mask = (option: OptionName) => maskOf("fs", options[option].grants);
  expect(mask("--ro")).toBe(maskOf("fs", ["READ_FILE", "READ_DIR"]));
  expect(mask("--rox")).toBe(mask("--ro") | rightOf("EXECUTE").bit);
  expect(mask("--rwx")).toBe(mask("--rw") | rightOf("EXECUTE").bit);
  expect(mask("--rw") & mask("--ro")).toBe(mask("--ro"));
  expect(mask("--rwx")).toBe(maskOf("fs", areaRights.files));
});

test("every word of an option has its row", () => {
  for (const word of accessWords) expect(options[`--${word}`].area).toBe("files");
  for (const word of scopeWords) expect(options[`--scope ${word}`].area).toBe(word);
  for (const word of logWords) expect(options[`--landlock-log ${word}`].area).toBe(word);
  expectTypeOf<`--${(typeof accessWords)[number]}`>().toExtend<OptionName>();
});

test("only its own option needs what came after ABI 6", () => {
  const needing = (abi: number) =>
    Object.entries(options)
      .filter(([, { area }]) => areaRights[area].some((right) => rightOf(right).firstAbi === abi))
      .map(([name]) => name);
  expect(needing(7)).toEqual(logWords.map((word) => `--landlock-log ${word}`));
  expect(needing(8)).toEqual([]);
  expect(needing(9)).toEqual(["--unix"]);
  expect(needing(10)).toEqual(["--bind-udp", "--connect-udp", "--quiet"]);
});

test("every right of the table but TSYNC, which fence has no use for, belongs to an option", () => {
  const used = new Set(Object.values(options).flatMap(({ area }) => areaRights[area]));
  expect(rights.map(({ name }) => name).filter((name) => !used.has(name))).toEqual(["TSYNC"]);
});
