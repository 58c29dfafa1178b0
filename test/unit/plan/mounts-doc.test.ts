import { expect, test } from "vitest";
import { nestedBounds } from "../../../src/plan/mount-dangerous.ts";
import * as defaults from "../../../src/plan/mount-defaults.ts";
import { bounds, notWalked } from "../../../src/plan/mount-patterns.ts";
import { mostMountArguments } from "../../../src/plan/mount-plan.ts";
import { mountPhases } from "../../../src/plan/mounts.ts";
import { decoyKinds } from "../../../src/plan/policy.ts";
import { docTable, docText } from "../../kit/docs.ts";

const page = docText("mounts.md");

test("the page has the phases in their order", () => {
  const phases = docTable("mounts.md", "phase, in order").flatMap(([first = ""]) => first.split(", "));
  expect(phases).toEqual(mountPhases);
});

test("the page names every dangerous file, every kind of decoy and every directory that is not walked", () => {
  const names = [
    ...defaults.dangerousFiles,
    ...defaults.dangerousDirectories,
    ...decoyKinds,
    ...notWalked,
    ...defaults.writableInHome,
  ];
  expect(names.filter((name) => !page.includes(`\`${name}\``) && !page.includes(`\`~/${name}\``))).toEqual([]);
});

test("the page has the figures of the code", () => {
  const { directories, modules, moduleDepth } = nestedBounds;
  const said = [
    `(${directories} directories)`,
    `(${modules} modules, ${moduleDepth} levels)`,
    `${bounds.entries.toLocaleString("en")} entries, ${bounds.matches.toLocaleString("en")} matches`,
    `${bounds.depth} levels`,
    `mounts may have ${mostMountArguments}`,
  ];
  expect(said.filter((text) => !page.replace(/\s+/g, " ").includes(text))).toEqual([]);
});
