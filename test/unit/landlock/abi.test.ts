import { describe, expect, expectTypeOf, test } from "vitest";
import {
  linuxOf,
  maskOf,
  newestAbi,
  type RightName,
  type RightNameOf,
  rightOf,
  rights,
} from "../../../src/landlock/abi.ts";
import { errata, openErrata } from "../../../src/landlock/errata.ts";

describe("the table of rights", () => {
  test("every name occurs once", () => {
    const names = rights.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  test("every bit is one bit and occurs once in its kind", () => {
    const seen = rights.map(({ kind, bit }) => `${kind} ${bit}`);
    expect(new Set(seen).size).toBe(seen.length);
    for (const { bit } of rights) expect(Number.isInteger(Math.log2(bit))).toBe(true);
  });

  test("later bits of a kind came with the same or a later ABI, as the kernel only appends", () => {
    for (const kind of ["fs", "net", "restrict-flag"] as const) {
      const abis = rights.filter((right) => right.kind === kind).map(({ firstAbi }) => firstAbi);
      expect(abis).toEqual(abis.toSorted((a, b) => a - b));
    }
  });

  test("only fs rights name files, only net rights name ports", () => {
    for (const { kind, rule } of rights) {
      expect(rule === "any-file" || rule === "directory").toBe(kind === "fs");
      expect(rule === "port").toBe(kind === "net");
    }
  });

  test.for([
    [1, 0x1fff],
    [2, 0x3fff],
    [3, 0x7fff],
    [4, 0x7fff],
    [5, 0xffff],
    [8, 0xffff],
    [9, 0x1ffff],
    [10, 0x1ffff],
  ])("ABI %i knows all file rights up to its own", ([abi = 0, mask]) => {
    const known = rights.filter(({ firstAbi }) => firstAbi <= abi).map(({ name }) => name);
    expect(maskOf("fs", known)).toBe(mask);
  });

  test("a non-directory takes exactly the rights that the kernel lists for files", () => {
    expect(rights.filter(({ rule }) => rule === "any-file").map(({ name }) => name)).toEqual([
      "EXECUTE",
      "WRITE_FILE",
      "READ_FILE",
      "TRUNCATE",
      "IOCTL_DEV",
      "RESOLVE_UNIX",
    ]);
  });

  test("a mask holds the bits of its own kind only", () => {
    expect(maskOf("net", ["EXECUTE", "CONNECT_TCP", "SIGNAL"])).toBe(rightOf("CONNECT_TCP").bit);
    expect(maskOf("scope", [])).toBe(0);
  });

  test("every ABI of the table has a Linux version, and no other has", () => {
    expect(linuxOf(1)).toBe("5.13");
    expect(linuxOf(newestAbi)).toBe("7.2");
    expect(Math.max(...rights.map(({ firstAbi }) => firstAbi))).toBe(newestAbi);
    expect(() => linuxOf(newestAbi + 1)).toThrow(/ABI 11/);
  });

  test("a right's name is a type", () => {
    expectTypeOf<"TSYNC">().toExtend<RightName>();
    expectTypeOf<RightNameOf<"scope">>().toEqualTypeOf<"ABSTRACT_UNIX_SOCKET" | "SIGNAL">();
    // @ts-expect-error no such right
    expect(() => rightOf("READ")).toThrow(/READ/);
  });
});

describe("the errata", () => {
  test("are numbered from 1 without a gap", () => {
    expect(errata.map(({ number }) => number)).toEqual(errata.map((_, index) => index + 1));
  });

  test("are open where the bitmap does not say fixed", () => {
    expect(openErrata(0b111, 7)).toEqual([]);
    expect(openErrata(0b101, 7).map(({ number }) => number)).toEqual([2]);
  });

  test("do not concern a kernel that lacks the feature", () => {
    expect(openErrata(0, 4).map(({ number }) => number)).toEqual([1, 3]);
    expect(openErrata(0, 0)).toEqual([]);
  });

  test("are all open when the kernel cannot say", () => {
    expect(openErrata(-22, 6).map(({ number }) => number)).toEqual([1, 2, 3]);
  });
});
