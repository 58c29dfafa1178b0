/**
 * What the scripts of `fence completion` know of fence's commands.
 *
 * Runs:     host. Pure.
 */
import { type OptionTable, type OptionText, optionNames } from "../base/command-line.ts";
import { configOptions, configWords } from "./config-options.ts";

/** The words behind `fence completion`. */
export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** One command, as a completion sees it. */
export interface CompletedCommand {
  /** `run`, or `config show`. */
  readonly name: string;
  readonly table: OptionTable<string>;
  /** What may follow the options. */
  readonly rest: "program" | "nothing" | readonly string[];
}

export interface CompletedOption {
  /** `--debug`, and `-d` where there is one. */
  readonly words: readonly string[];
  readonly text: OptionText;
  readonly isMany: boolean;
}

export function optionsOf({ table }: CompletedCommand): readonly CompletedOption[] {
  return optionNames(table).map((name) => {
    const letters = Object.keys(table.short).filter((letter) => table.short[letter] === name);
    const kind = table.kinds[name];
    return {
      words: [...letters.map((letter) => `-${letter}`), `--${name}`],
      text: table.texts[name] ?? { value: kind === "flag" ? "" : "VALUE", says: "" },
      isMany: kind === "many",
    };
  });
}

/** The words that may stand first: `config` for `config show`. */
export function firstWords(commands: readonly CompletedCommand[]): readonly string[] {
  return [...new Set(commands.map(({ name }) => name.split(" ")[0] ?? name))];
}

/** The second words of `first`, none for most. */
export function secondWords(commands: readonly CompletedCommand[], first: string): readonly string[] {
  return commands.flatMap(({ name }) => (name.startsWith(`${first} `) ? [name.slice(first.length + 1)] : []));
}

/** First words that others follow. */
export function groupWords(commands: readonly CompletedCommand[]): readonly string[] {
  return firstWords(commands).filter((first) => secondWords(commands, first).length > 0);
}

const help = { value: "", says: "explain the command" };
const checkOptions: OptionTable<string> = {
  kinds: { json: "flag", help: "flag" },
  short: {},
  elsewhere: {},
  texts: { json: { value: "", says: "print one JSON object" }, help },
};
const bridgeOptions: OptionTable<string> = {
  kinds: { debug: "flag", help: "flag" },
  short: {},
  elsewhere: {},
  texts: { debug: { value: "", says: "say why a connection failed" }, help },
};
const completionOptions: OptionTable<string> = { kinds: { help: "flag" }, short: {}, elsewhere: {}, texts: { help } };

/** All commands, in the order of the general help. */
export function completedCommands(tables: {
  readonly run: OptionTable<string>;
  readonly bootstrap: OptionTable<string>;
}): readonly CompletedCommand[] {
  return [
    { name: "run", table: tables.run, rest: "program" },
    ...configWords.map((word) => ({ name: `config ${word}`, table: configOptions[word], rest: "nothing" as const })),
    { name: "check", table: checkOptions, rest: "nothing" },
    { name: "bootstrap", table: tables.bootstrap, rest: "program" },
    { name: "bridge", table: bridgeOptions, rest: "nothing" },
    { name: "completion", table: completionOptions, rest: shells },
  ];
}
