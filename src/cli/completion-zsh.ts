/**
 * The script of `fence completion zsh`.
 *
 * Runs:     host. Pure.
 * Promises: the program's own completion goes on behind the options.
 * Source:   zshcompsys(1)
 */
import type { OptionText } from "../base/command-line.ts";
import { type CompletedCommand, firstWords, groupWords, optionsOf, secondWords } from "./completed-commands.ts";

export function zshScript(commands: readonly CompletedCommand[]): string {
  return `#compdef fence
# Completes fence's words: made by fence completion zsh.
_fence() {
    local command=run
    if ((CURRENT == 2)) && [[ $words[2] != -* ]]; then
        _alternative 'commands:command:(${firstWords(commands).join(" ")})' 'programs:program:_command_names -e'
        return
    fi
    case $words[2] in
    (${firstWords(commands).join("|")}) command=$words[2]; shift words; ((CURRENT--)) ;;
    esac
    case $command in
${groupWords(commands)
  .map((first) => zshGroup(first, secondWords(commands, first)))
  .join("\n")}
    esac
    case $command in
${commands.map(zshCommand).join("\n")}
    esac
}
_fence "$@"
`;
}

function zshGroup(first: string, second: readonly string[]): string {
  return `    (${first})
        if ((CURRENT == 2)); then
            compadd -- ${second.join(" ")} --help
            return
        fi
        command+=" $words[2]"; shift words; ((CURRENT--))
        ;;`;
}

function zshCommand(command: CompletedCommand): string {
  const specs = optionsOf(command).map(({ words, text, isMany }) => {
    const exclusive = isMany ? "'*'" : words.length > 1 ? `'(${words.join(" ")})'` : "";
    const names = words.length > 1 ? `{${words.join(",")}}` : (words[0] ?? "");
    return `${exclusive}${names}'[${zshText(text.says)}]${zshValue(text)}'`;
  });
  const { rest } = command;
  if (rest === "program") specs.push("'(-)1:program:_command_names -e'", "'*::arguments:_normal'");
  else if (rest !== "nothing") specs.push(`'1:word:(${rest.join(" ")})'`);
  return `    ("${command.name}") _arguments -s -S \\\n        ${specs.join(" \\\n        ")} ;;`;
}

function zshText(says: string): string {
  return says.replaceAll(/[[\]:\\]/g, "\\$&").replaceAll("'", "'\\''");
}

function zshValue({ value, words }: OptionText): string {
  if (value === "") return "";
  const name = zshText(value);
  if (words === undefined) return `:${name}: `;
  if (words === "files") return `:${name}:_files`;
  return words === "directories" ? `:${name}:_files -/` : `:${name}:(${words.join(" ")})`;
}
