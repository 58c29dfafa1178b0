import { execFileSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { pathFacts } from "../../../src/bootstrap/path-facts.ts";
import { emptyRequest, type RulesetRequest } from "../../../src/landlock/request.ts";
import { chooseRuleset } from "../../../src/landlock/ruleset.ts";
import { requires } from "../../kit/requires.ts";
import { files } from "../inside/files.ts";

const newestAbi = 9;
const factsUnder = (rules: RulesetRequest["rules"]) =>
  pathFacts(chooseRuleset({ ...emptyRequest, rules }, newestAbi, "required"));
const unrestricted = factsUnder([]);

test("a directory is one, also through a symbolic link, and nothing else is", () => {
  const { directory, make, link, folder } = files();
  const file = make("file", "");
  link("loop", "loop");
  expect(unrestricted.isDirectory(directory)).toBe(true);
  expect(unrestricted.isDirectory(link("link", folder("a")))).toBe(true);
  for (const path of [
    file,
    `${file}/x`,
    `${directory}/gone`,
    `${directory}/loop`,
    "",
    ".",
    "tmp",
    `/${"x".repeat(300)}`,
  ]) {
    expect(unrestricted.isDirectory(path)).toBe(false);
    expect(unrestricted.isWritableDirectory(path)).toBe(false);
  }
});

test("a directory that the user may not change or search is not writable", (context) => {
  requires("root")(context);
  const { directory, folder } = files();
  const paths = [folder("open", 0o777), folder("closed", 0o755), folder("unsearchable", 0o766)];
  chmodSync(directory, 0o755);
  expect(writableToNobody(paths)).toEqual([true, false, false]);
  chmodSync(directory, 0o700);
  expect(writableToNobody(paths)).toEqual([false, false, false]);
});

describe("under Landlock a directory is writable", () => {
  test("when a rule lets the program write there or above", () => {
    const { directory, folder } = files();
    const path = folder("a/b");
    for (const access of ["rw", "rwx"] as const) {
      expect(factsUnder([{ access, path: directory }]).isWritableDirectory(path)).toBe(true);
      expect(factsUnder([{ access, path: "/" }]).isWritableDirectory(path)).toBe(true);
    }
  });

  test("not when rules let it only read, or name a neighbour or what is beneath", () => {
    const { directory, folder } = files();
    const path = folder("a");
    folder("a/b");
    folder("ab");
    expect(factsUnder([{ access: "rox", path: directory }]).isWritableDirectory(path)).toBe(false);
    expect(factsUnder([{ access: "rw", path: `${path}/b` }]).isWritableDirectory(path)).toBe(false);
    expect(factsUnder([{ access: "rw", path }]).isWritableDirectory(`${directory}/ab`)).toBe(false);
    expect(factsUnder([{ access: "rw", path }]).isDirectory(`${directory}/ab`)).toBe(true);
  });

  test("as its real path says, whatever symbolic links lead there", () => {
    const { directory, folder, link } = files();
    const path = folder("real/a");
    const through = link("link", `${directory}/real`);
    expect(factsUnder([{ access: "rw", path: through }]).isWritableDirectory(path)).toBe(true);
    expect(factsUnder([{ access: "rw", path: `${directory}/real` }]).isWritableDirectory(`${through}/a`)).toBe(true);
  });
});

/** Root may do anything, so so a child asks that has become nobody. */
function writableToNobody(paths: readonly string[]): readonly boolean[] {
  const source = (path: string) => JSON.stringify(new URL(`../../../src/${path}`, import.meta.url).href);
  const code = `
    const { pathFacts } = await import(${source("bootstrap/path-facts.ts")});
    process.setgroups([]); process.setgid(65534); process.setuid(65534);
    const facts = pathFacts({ kind: "none" });
    console.log(JSON.stringify(${JSON.stringify(paths)}.map((path) => facts.isWritableDirectory(path))));`;
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" }));
}
