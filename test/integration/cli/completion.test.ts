import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import { optionNames } from "../../../src/base/command-line.ts";
import { bootstrapOptions } from "../../../src/bootstrap/command-line.ts";
import { commandWords } from "../../../src/cli/commands.ts";
import { completedCommands, type Shell } from "../../../src/cli/completed-commands.ts";
import { completionScript, parseCompletion } from "../../../src/cli/completion.ts";
import { configWords } from "../../../src/cli/config-options.ts";
import { templateNames } from "../../../src/config/templates.ts";
import { runOptions } from "../../../src/launcher/run-options.ts";
import { failure } from "../../kit/errors.ts";
import { requires } from "../../kit/requires.ts";
import { testFolder } from "../../kit/test-folder.ts";

const script = (shell: Shell): string =>
  completionScript(shell, completedCommands({ run: runOptions, bootstrap: bootstrapOptions }));

/** A directory with a file whose name has a space, and a directory. */
function folder(shell: Shell): string {
  const path = mkdtempSync(`${testFolder()}/completion-`);
  mkdirSync(`${path}/some directory`);
  writeFileSync(`${path}/some file`, "");
  writeFileSync(`${path}/script`, script(shell));
  return path;
}

describe("bash", () => {
  beforeEach(requires("bash"));

  /** The answers to Tab behind `words`, the last of which is being written. */
  function answers(...words: string[]): readonly string[] {
    const program = `
      source ./script
      COMP_WORDS=("$@")
      COMP_CWORD=$(($# - 1))
      _fence
      ((\${#COMPREPLY[@]} == 0)) || printf '%s\\n' "\${COMPREPLY[@]}"`;
    const output = execFileSync("bash", ["--norc", "-uc", program, "bash", "fence", ...words], {
      cwd: folder("bash"),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    return output.split("\n").slice(0, -1);
  }

  const long = (table: { readonly kinds: object }) => Object.keys(table.kinds).map((name) => `--${name}`);

  test("the first word is a command, a program or an option of run", () => {
    expect(answers("")).toEqual(expect.arrayContaining([...commandWords, "bash"]));
    expect(answers("boot")).toEqual(["bootstrap"]);
    expect(answers("--iso")).toEqual(["--isolation"]);
    expect(answers("--ver")).toEqual(["--version", "--verify"]);
  });

  test("every option of run and of bootstrap", () => {
    expect(answers("run", "--").toSorted()).toEqual(long(runOptions).toSorted());
    expect(answers("bootstrap", "--").toSorted()).toEqual(long(bootstrapOptions).toSorted());
    expect(answers("run", "-")).toEqual(
      expect.arrayContaining(Object.keys(runOptions.short).map((letter) => `-${letter}`)),
    );
  });

  test("options without the word run", () => {
    expect(answers("-d", "--back")).toEqual(["--backend"]);
    expect(answers("--template", "code", "--back")).toEqual(["--backend"]);
  });

  test.for<[words: string[], answers: readonly string[]]>([
    [
      ["config", ""],
      [...configWords, "--help"],
    ],
    [["config", "show", "--t"], ["--template"]],
    [["config", "show", "-t", "git"], ["git-readonly"]],
    [["config", "schema", "--"], ["--help"]],
    [
      ["completion", ""],
      ["bash", "zsh", "fish"],
    ],
    [
      ["check", "--"],
      ["--json", "--help"],
    ],
    [["run", "--template", ""], templateNames],
    [
      ["run", "-t", "code-"],
      ["code-relaxed", "code-strict"],
    ],
    [["run", "--backend", "=", "l"], ["landlock"]],
    [
      ["run", "--backend", "="],
      ["bwrap", "landlock"],
    ],
    [["run", "--settings", "some f"], ["some file"]],
    [
      ["run", "--allow-read", "some"],
      ["some directory", "some file"],
    ],
    [["run", "--chdir", "some"], ["some directory"]],
    [["run", "--env", ""], []],
    [["run", "-d", "--", "some f"], []],
    [["run", "cat", "some f"], ["some file"]],
    [["run", "-s", "x", "cat", "some f"], ["some file"]],
    [["--settings", "=", "x", "cat", "some f"], ["some file"]],
    [["cat", "some f"], ["some file"]],
    [["cat", "--iso"], []],
    [
      ["run", "--", "bas"],
      ["base32", "base64", "basename", "basenc", "bash", "bashbug"],
    ],
  ])("fence %j", ([words, expected]) => {
    const given = answers(...words);
    if (words.at(-1) === "bas") expect(given).toContain("bash");
    else expect(given.toSorted()).toEqual(expected.toSorted());
  });
});

describe("zsh", () => {
  beforeEach(requires("zsh"));

  test("reads the script, and the specifications of every command are well formed", () => {
    const cwd = folder("zsh");
    execFileSync("zsh", ["-f", "-n", "script"], { cwd });
    for (const { name, table } of completedCommands({ run: runOptions, bootstrap: bootstrapOptions })) {
      // _arguments works in a completion alone: here it prints what it is given.
      const program = `_arguments() { print -rl -- "$@" }; _alternative() { }; compadd() { }
        words=(fence ${name} -); CURRENT=\${#words}; source ./script`;
      const specs = execFileSync("zsh", ["-f", "-c", program], { cwd, encoding: "utf8" });
      for (const option of optionNames(table))
        expect(specs).toMatch(new RegExp(`(?:^|\\))--${option}\\[|^\\*--${option}\\[`, "m"));
    }
  });
});

describe("fish", () => {
  beforeEach(requires("fish"));

  const answers = (line: string): readonly string[] => {
    const cwd = folder("fish");
    const output = execFileSync("fish", ["--no-config", "-c", "source ./script; complete -C $argv[1]", line], {
      cwd,
      encoding: "utf8",
      env: { ...process.env, HOME: cwd },
    });
    return output
      .split("\n")
      .map((answer) => answer.split("\t")[0] ?? "")
      .filter((answer) => answer !== "");
  };

  test("every option of run and of bootstrap", () => {
    expect(answers("fence run --")).toEqual(expect.arrayContaining(optionNames(runOptions).map((name) => `--${name}`)));
    expect(answers("fence bootstrap --")).toEqual(
      expect.arrayContaining(optionNames(bootstrapOptions).map((name) => `--${name}`)),
    );
    expect(answers("fence --iso")).toEqual(["--isolation"]);
  });

  test.for<[line: string, answers: readonly string[]]>([
    ["fence boot", ["bootstrap"]],
    ["fence config ", configWords],
    ["fence config show --t", ["--template"]],
    ["fence run -t code-", ["code-relaxed", "code-strict"]],
    ["fence run --backend ", ["bwrap", "landlock"]],
    ["fence completion ", ["bash", "fish", "zsh"]],
  ])("%s", ([line, expected]) => {
    expect(answers(line)).toEqual(expect.arrayContaining([...expected]));
  });
});

test.for<[args: string[], says: string]>([
  [[], "fence completion must be followed by bash, zsh, fish, got nothing"],
  [["csh"], 'fence completion must be followed by bash, zsh, fish, got "csh"'],
  [["zsh", "x"], 'nothing must follow fence completion zsh, got "x"'],
])("fence completion %j is refused", ([args, says]) => {
  expect(failure(() => parseCompletion(args))).toMatchObject({ code: "FENCE_USAGE", message: says });
});

test("fence completion --help asks for help", () => {
  expect(parseCompletion(["--help"])).toBe("help");
  expect(parseCompletion(["fish"])).toBe("fish");
});
