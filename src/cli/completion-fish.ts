/**
 * The script of `fence completion fish`.
 *
 * Runs:     host. Pure.
 * Promises: the program's own completion goes on behind the options.
 * Source:   complete(1) of fish
 */
import type { OptionText } from "../base/command-line.ts";
import { type CompletedCommand, firstWords, groupWords, optionsOf, secondWords } from "./completed-commands.ts";

export function fishScript(commands: readonly CompletedCommand[]): string {
  const firsts = firstWords(commands);
  return `# Completes fence's words: made by fence completion fish.
function __fence_command
    set -l words (commandline -opc)
    if not contains -- "$words[2]" ${firsts.join(" ")}
        echo run
    else if contains -- "$words[2]" ${groupWords(commands).join(" ")}
        echo "$words[2] $words[3]"
    else
        echo $words[2]
    end
end
function __fence_is
    test (__fence_command) = "$argv"
end
complete -c fence -n 'test (count (commandline -opc)) -eq 1' -a '${firsts.join(" ")}'
${groupWords(commands)
  .map((first) => `complete -c fence -f -n '__fence_is "${first} "' -a '${secondWords(commands, first).join(" ")}'`)
  .join("\n")}
${commands.flatMap(fishCommand).join("\n")}
`;
}

function fishCommand(command: CompletedCommand): readonly string[] {
  const { name, rest } = command;
  const condition = `-n '__fence_is ${name}'`;
  const options = optionsOf(command).map(({ words, text }) => {
    const names = words
      .map((word) => (word.startsWith("--") ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`))
      .join(" ");
    const says = text.says === "" ? "" : ` -d '${text.says.replaceAll("'", "\\'")}'`;
    return `complete -c fence ${condition} ${names}${fishValue(text)}${says}`;
  });
  if (rest === "program") return [...options, `complete -c fence ${condition} -x -a '(__fish_complete_subcommand)'`];
  if (rest === "nothing") return [...options, `complete -c fence -f ${condition}`];
  return [...options, `complete -c fence -f ${condition} -a '${rest.join(" ")}'`];
}

function fishValue({ value, words }: OptionText): string {
  if (value === "") return "";
  if (words === undefined || words === "files") return " -r";
  return words === "directories" ? " -x -a '(__fish_complete_directories)'" : ` -x -a '${words.join(" ")}'`;
}
