/**
 * Tells which command of fence a command line means.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: a first word that is no command is the program of `fence run`: `fence -- config` runs a program `config`.
 * Source:   docs/run.md
 */
import { FenceError } from "../base/errors.ts";
import { nearestWord } from "../base/nearest-word.ts";

export const commandWords = ["run", "config", "check", "completion", "bootstrap", "bridge"] as const;
export type CommandWord = (typeof commandWords)[number];

export type GivenCommand =
  | { readonly name: "version" | "help"; readonly args: readonly string[]; readonly argsAt: number }
  /** `argsAt`: the index of args[0] among the words that were given. */
  | { readonly name: CommandWord; readonly args: readonly string[]; readonly argsAt: number };

/** `words` are all that follow the executable. */
export function chooseCommand(words: readonly string[]): GivenCommand {
  const [first] = words;
  if (first === undefined) {
    throw new FenceError("FENCE_USAGE", "no command and no program was given", { hint: "fence --help" });
  }
  const rest = { args: words.slice(1), argsAt: 1 };
  if (first === "--version") return { name: "version", ...rest };
  if (first === "--help" || first === "-h") return { name: "help", ...rest };
  const name = commandWords.find((word) => word === first);
  return name === undefined ? { name: "run", args: words, argsAt: 0 } : { name, ...rest };
}

/** When a program was not found: the command that was perhaps meant by the first word. */
export function commandHint(program: string): string | null {
  if (commandWords.some((word) => word === program)) return null; // it was said, and the program behind it is missing
  const nearest = nearestWord(program, commandWords);
  return nearest === null ? null : `did you mean the command fence ${nearest}?`;
}
