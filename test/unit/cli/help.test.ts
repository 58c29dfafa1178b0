import { describe, expect, test } from "vitest";
import { optionNames } from "../../../src/bootstrap/command-line.ts";
import { parseBootstrap } from "../../../src/bootstrap/options.ts";
import { defaultNoProxy, proxyListeners } from "../../../src/bootstrap/request.ts";
import { bootstrapHelp, bridgeHelp, generalHelp } from "../../../src/cli/help.ts";

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

describe.for([
  ["general", generalHelp],
  ["bootstrap", bootstrapHelp],
  ["bridge", bridgeHelp],
])("the %s help", ([, help = ""]) => {
  test("fits a terminal of 80 columns and ends with a line end", () => {
    for (const line of help.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect(help.endsWith("\n")).toBe(true);
  });
});
