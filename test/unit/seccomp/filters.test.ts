import { expect, test } from "vitest";
import { bridgeFilter } from "../../../src/seccomp/bridge-filter.ts";
import { defaultFilter } from "../../../src/seccomp/default-filter.ts";
import { filterBytes, filterNames, programFilter } from "../../../src/seccomp/filters.ts";

test.for(["x64", "arm64"] as const)("each name stands for its filter (%s)", (architecture) => {
  const expected = {
    program: defaultFilter(architecture),
    "program with TCP ports": defaultFilter(architecture, ["tcp-detours"]),
    "program with a signal scope": defaultFilter(architecture, ["other-limits"]),
    "program with TCP ports and a signal scope": defaultFilter(architecture, ["tcp-detours", "other-limits"]),
    bridge: bridgeFilter(architecture),
  };
  const made = Object.fromEntries(filterNames.map((name) => [name, filterBytes(name, architecture)]));
  expect(made).toEqual(expected);
});

test("the program's filter is found by what it denies in addition, in any order", () => {
  expect(programFilter([])).toBe("program");
  expect(programFilter(["tcp-detours"])).toBe("program with TCP ports");
  expect(programFilter(["other-limits"])).toBe("program with a signal scope");
  expect(programFilter(["other-limits", "tcp-detours"])).toBe("program with TCP ports and a signal scope");
  expect(() => programFilter(["io-uring"])).toThrow(expect.objectContaining({ code: "FENCE_BUG" }));
});
