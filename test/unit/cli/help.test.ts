import { describe, expect, test } from "vitest";
import { optionNames as namesOf, type OptionTable } from "../../../src/base/command-line.ts";
import { optionNames } from "../../../src/bootstrap/command-line.ts";
import { parseBootstrap } from "../../../src/bootstrap/options.ts";
import { chooseCommand, commandWords } from "../../../src/cli/commands.ts";
import { configHelp } from "../../../src/cli/config-help.ts";
import { configOptions, configWords } from "../../../src/cli/config-options.ts";
import { bootstrapHelp, bridgeHelp, checkHelp, completionHelp, generalHelp, runHelp } from "../../../src/cli/help.ts";
import { defaultNoProxy, proxyListeners } from "../../../src/inside/request.ts";
import { parseRun } from "../../../src/launcher/options.ts";
import { runOptions } from "../../../src/launcher/run-options.ts";

const named = new Set(bootstrapHelp.match(/(?<![\w-])--[a-z-]+/g));

test("the help of bootstrap names every option, and no other", () => {
  expect([...named].toSorted()).toEqual(optionNames.map((name) => `--${name}`).toSorted());
});

test("the help of bridge names its option", () => {
  expect(bridgeHelp.match(/--[a-z-]+/g)).toEqual(["--debug", "--debug"]);
});

test("the help of bootstrap states the defaults that the options have", () => {
  const { request } = parseBootstrap(["program"], 2);
  expect(bootstrapHelp).toContain(`(default: ${defaultNoProxy})`);
  expect(bootstrapHelp).toMatch(new RegExp(`--landlock [^)]*\\(default: ${request.landlock.mode}\\)`));
  expect(bootstrapHelp).toMatch(new RegExp(`--seccomp [^)]*\\(default: ${request.seccomp}\\)`));
  for (const { host, port } of Object.values(proxyListeners)) expect(bootstrapHelp).toContain(`${host}:${port}`);
});

const words = (table: OptionTable<string>) => [
  ...namesOf(table).map((name) => `--${name}`),
  ...Object.keys(table.short).map((letter) => `-${letter}`),
];
const wordsIn = (help: string) => new Set(help.match(/(?<![\w-])--?[a-z][a-z-]*/g));

test("the help of run names every option, and no other", () => {
  expect(wordsIn(runHelp)).toEqual(new Set(words(runOptions)));
});

test("the help of run puts a short option before its long one", () => {
  for (const [letter, name] of Object.entries(runOptions.short)) expect(runHelp).toContain(`-${letter}, --${name}`);
});

test("the help of run states the defaults that the options have", () => {
  const command = parseRun(["program"]);
  if (command.kind !== "launch") throw new Error("no launch");
  expect(runHelp).toContain(`(default: ${command.request.backend})`);
});

test("the help of config names every word and every option, and no other", () => {
  const all = Object.values(configOptions).flatMap((table) => words(table));
  expect(wordsIn(configHelp)).toEqual(new Set(all));
  for (const word of configWords) expect(configHelp).toMatch(new RegExp(`^  ${word} `, "m"));
});

test("the general help names every command", () => {
  const named = [...generalHelp.matchAll(/^ {2}fence \[?([a-z]+)/gm)].map(([, name = ""]) => name);
  expect(named).toEqual(["run", "config", "check", "bootstrap", "bridge", "completion"]);
  expect(named.toSorted()).toEqual([...commandWords].toSorted());
  for (const name of named) expect(chooseCommand([name]).name).toBe(name);
});

describe.for([
  ["general", generalHelp],
  ["run", runHelp],
  ["config", configHelp],
  ["check", checkHelp],
  ["completion", completionHelp],
  ["bootstrap", bootstrapHelp],
  ["bridge", bridgeHelp],
])("the %s help", ([, help = ""]) => {
  test("fits a terminal of 80 columns and ends with a line end", () => {
    for (const line of help.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect(help.endsWith("\n")).toBe(true);
  });
});
