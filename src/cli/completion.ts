/**
 * `fence completion`: scripts that complete fence's words in a shell.
 *
 * Runs:     host. Pure.
 * Promises: made from the tables that the parsers read: no option is missing, and none is invented; behind the options
 *           of run and bootstrap the program's own completion goes on.
 * Source:   docs/run.md
 */
import { FenceError, unreachable } from "../base/errors.ts";
import { wordHint } from "../base/nearest-word.ts";
import { quoted } from "../base/quote.ts";
import { type CompletedCommand, type Shell, shells } from "./completed-commands.ts";
import { bashScript } from "./completion-bash.ts";
import { fishScript } from "./completion-fish.ts";
import { zshScript } from "./completion-zsh.ts";

/** `args` are what follows `completion`. */
export function parseCompletion(args: readonly string[]): Shell | "help" {
  const [first, extra] = args;
  if (first === "--help" || first === "-h") return "help";
  const shell = shells.find((candidate) => candidate === first);
  if (shell === undefined) {
    const got = first === undefined ? "nothing" : quoted(first);
    throw new FenceError("FENCE_USAGE", `fence completion must be followed by ${shells.join(", ")}, got ${got}`, {
      hint: wordHint(first ?? "", shells),
    });
  }
  if (extra === undefined) return shell;
  throw new FenceError("FENCE_USAGE", `nothing must follow fence completion ${shell}, got ${quoted(extra)}`);
}

export function completionScript(shell: Shell, commands: readonly CompletedCommand[]): string {
  switch (shell) {
    case "bash":
      return bashScript(commands);
    case "zsh":
      return zshScript(commands);
    case "fish":
      return fishScript(commands);
    default:
      return unreachable(shell);
  }
}
