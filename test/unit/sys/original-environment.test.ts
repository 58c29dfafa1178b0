import { describe, expect, test } from "vitest";
import { originalEnvironment } from "../../../src/sys/original-environment.ts";
import { failure } from "../../kit/errors.ts";

const read = (text: string | Buffer) => originalEnvironment(Buffer.from(text));

describe("the original environment", () => {
  test("is read in its order, with empty values and values that hold =", () => {
    expect(read("A=1\0B=\0C=x=y\0")).toEqual([
      ["A", "1"],
      ["B", ""],
      ["C", "x=y"],
    ]);
  });

  test("may be empty, and its last entry may lack its end", () => {
    expect(read("")).toEqual([]);
    expect(read("A=1\0B=2")).toEqual([
      ["A", "1"],
      ["B", "2"],
    ]);
  });

  test("has what is no variable left out, and of a name the first", () => {
    expect(read("nothing\0\0=C:=x\0A=1\0A=2\0")).toEqual([
      ["=C:", "x"],
      ["A", "1"],
    ]);
  });

  test("keeps characters that only look like mistakes", () => {
    expect(read("BOM=\uFEFFx\0REPLACED=\uFFFD\0")).toEqual([
      ["BOM", "\uFEFFx"],
      ["REPLACED", "\uFFFD"],
    ]);
  });

  test("is refused when it cannot be passed on as it is, without its value", () => {
    const error = failure(() => read(Buffer.concat([Buffer.from("SECRET=abc"), Buffer.from([0xff, 0])])));
    expect(error).toMatchObject({ code: "FENCE_USAGE", message: "the variable SECRET must be valid UTF-8" });
    expect(error.message).not.toContain("abc");
    expect(error.details.hint).toContain("env -u NAME");
    const name = failure(() => read(Buffer.from([0x41, 0x3d, 0, 0xff, 0x3d, 0])));
    expect(name).toMatchObject({ code: "FENCE_USAGE", message: "the name of a variable must be valid UTF-8" });
  });

  test("is read for all else where other bytes are of no variable", () => {
    const others = Buffer.from([0xff, 0, ...Buffer.from("A="), 0xff, 0]);
    expect(read(Buffer.concat([Buffer.from("A=\u00e9\0\u20ac=2\0"), others]))).toEqual([
      ["A", "\u00e9"],
      ["\u20ac", "2"],
    ]);
  });
});
