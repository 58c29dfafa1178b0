import { describe, expect, test } from "vitest";
import { chooseCommand, commandHint, commandWords } from "../../../src/cli/commands.ts";
import { failure } from "../../kit/errors.ts";

describe("the first word", () => {
  test.for(commandWords)("%s is a command", (name) => {
    expect(chooseCommand([name, "a"])).toEqual({ name, args: ["a"], argsAt: 1 });
  });

  test.for<[words: string[]]>([
    [["npm", "run"]],
    [["-d", "npm"]],
    [["--", "config", "show"]],
    [["Run"]],
    [["--debug", "run"]],
  ])("of %j is none: all is for run", ([words]) => {
    expect(chooseCommand(words)).toEqual({ name: "run", args: words, argsAt: 0 });
  });

  test("may ask for the version or for help", () => {
    expect(chooseCommand(["--version", "--json"])).toEqual({ name: "version", args: ["--json"], argsAt: 1 });
    for (const help of ["--help", "-h"]) expect(chooseCommand([help]).name).toBe("help");
  });

  test("must be there", () => {
    expect(failure(() => chooseCommand([]))).toMatchObject({ code: "FENCE_USAGE" });
  });
});

test("a program that is nearly a command gets a hint", () => {
  expect(commandHint("confg")).toBe("did you mean the command fence config?");
  expect(commandHint("make")).toBe(null);
  expect(commandHint("run")).toBe(null);
});
