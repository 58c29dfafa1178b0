import { expect, test } from "vitest";
import { bridgeFilter } from "../../../src/seccomp/bridge-filter.ts";
import { defaultFilter } from "../../../src/seccomp/default-filter.ts";
import { filterBytes, filterNames, programFilter } from "../../../src/seccomp/filters.ts";

test.for(["x64", "arm64"] as const)("each name stands for its filter (%s)", (architecture) => {
  const expected = {
    program: defaultFilter(architecture),
    "program with TCP ports": defaultFilter(architecture, ["tcp-detours"]),
    bridge: bridgeFilter(architecture),
  };
  const made = Object.fromEntries(filterNames.map((name) => [name, filterBytes(name, architecture)]));
  expect(made).toEqual(expected);
});

test("a program whose TCP ports are restricted has a filter of its own", () => {
  expect(programFilter([])).toBe("program");
  expect(programFilter(["tcp-detours"])).toBe("program with TCP ports");
});
