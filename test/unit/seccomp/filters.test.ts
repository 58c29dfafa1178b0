import { expect, test } from "vitest";
import { bridgeFilter, networkFilter } from "../../../src/seccomp/bridge-filter.ts";
import { filterBytes, filterNames, programFilterBytes, programFilterName } from "../../../src/seccomp/filters.ts";
import { programFilter } from "../../../src/seccomp/program-filter.ts";

test.for(["x64", "arm64"] as const)("each name stands for its filter (%s)", (architecture) => {
  const expected = {
    "default: program": programFilter("default", architecture),
    "default: program with TCP ports": programFilter("default", architecture, ["tcp-detours"]),
    "default: program with a signal scope": programFilter("default", architecture, ["other-limits"]),
    "default: program with TCP ports and a signal scope": programFilter("default", architecture, [
      "tcp-detours",
      "other-limits",
    ]),
    "strict: program": programFilter("strict", architecture),
    "strict: program with TCP ports": programFilter("strict", architecture, ["tcp-detours"]),
    "strict: program with a signal scope": programFilter("strict", architecture, ["other-limits"]),
    "strict: program with TCP ports and a signal scope": programFilter("strict", architecture, [
      "tcp-detours",
      "other-limits",
    ]),
    bridge: bridgeFilter(architecture),
    network: networkFilter(architecture),
  };
  const made = Object.fromEntries(filterNames.map((name) => [name, filterBytes(name, architecture)]));
  expect(made).toEqual(expected);
});

test("the program's filter is found by what it denies in addition, in any order", () => {
  expect(programFilterName("default", [])).toBe("default: program");
  expect(programFilterName("default", ["tcp-detours"])).toBe("default: program with TCP ports");
  expect(programFilterName("strict", ["other-limits"])).toBe("strict: program with a signal scope");
  const both = "strict: program with TCP ports and a signal scope";
  expect(programFilterName("strict", ["other-limits", "tcp-detours"])).toBe(both);
  expect(programFilterName("default", ["io-uring"])).toBeNull();
});

test.for(["x64", "arm64"] as const)(
  "a filter that the build does not make is made when it is asked for, on %s",
  (machine) => {
    const additions = ["tcp-detours", "datagrams", "unix-sockets"] as const;
    expect(programFilterName("strict", additions)).toBeNull();
    expect(programFilterBytes("strict", additions, machine)).toEqual(programFilter("strict", machine, additions));
    expect(programFilterBytes("strict", ["tcp-detours"], machine)).toEqual(
      programFilter("strict", machine, ["tcp-detours"]),
    );
  },
);
