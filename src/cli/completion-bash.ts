/**
 * The script of `fence completion bash`.
 *
 * Runs:     host. Pure.
 * Promises: needs nothing but bash 4; with the bash-completion package the program's own completion goes on.
 * Source:   bash(1), Programmable Completion
 */
import type { ValueWords } from "../base/command-line.ts";
import { type CompletedCommand, firstWords, groupWords, optionsOf, secondWords } from "./completed-commands.ts";

export function bashScript(commands: readonly CompletedCommand[]): string {
  return `# Completes fence's words: made by fence completion bash.
_fence() {
    local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command=run i=1
    COMPREPLY=()
    # Bash splits words at = too: --option = value
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=\${COMP_WORDS[COMP_CWORD-2]}
    fi
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "${[...firstWords(commands), "--version", "--help"].join(" ")} $(_fence_options run)" -- "$cur")
        [[ $cur == -* ]] || mapfile -t -O \${#COMPREPLY[@]} COMPREPLY < <(compgen -c -- "$cur")
        return
    fi
    case \${COMP_WORDS[1]} in
    ${firstWords(commands).join("|")}) command=\${COMP_WORDS[1]} i=2 ;;
    esac
    case $command in
${groupWords(commands)
  .map((first) => bashGroup(first, secondWords(commands, first)))
  .join("\n")}
    esac
    # Past the options: the program and its own words.
    local takes=" $(_fence_valued "$command") "
    while ((i < COMP_CWORD)); do
        case \${COMP_WORDS[i]} in
        --) _fence_rest "$command" $((i + 1)); return ;;
        =) ((i += 2)) ;;
        -*)
            if [[ $takes == *" \${COMP_WORDS[i]} "* && \${COMP_WORDS[i+1]} != = ]]; then ((i += 2)); else ((i += 1)); fi
            ;;
        *) _fence_rest "$command" "$i"; return ;;
        esac
    done
    if [[ $takes == *" $prev "* ]]; then
        _fence_value "$command $prev" "$cur"
    elif [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_fence_options "$command")" -- "$cur")
    else
        _fence_rest "$command" "$COMP_CWORD"
    fi
}
_fence_options() {
    case $1 in
${commands
  .map(
    (command) =>
      `    ${bashWord(command.name)}) printf '%s ' ${optionsOf(command)
        .flatMap(({ words }) => words)
        .join(" ")} ;;`,
  )
  .join("\n")}
    esac
}
_fence_valued() {
    case $1 in
${commands.map(bashValued).join("\n")}
    esac
}
_fence_value() {
    case $1 in
${commands.flatMap(bashValues).join("\n")}
    esac
}
_fence_rest() {
    case $1 in
${commands.flatMap(bashRest).join("\n")}
    esac
}
complete -F _fence fence
`;
}

function bashWord(text: string): string {
  return text.includes(" ") ? `"${text}"` : text;
}

function bashGroup(first: string, second: readonly string[]): string {
  return `    ${first})
        if ((COMP_CWORD == 2)); then
            mapfile -t COMPREPLY < <(compgen -W "${[...second, "--help"].join(" ")}" -- "$cur")
            return
        fi
        command+=" \${COMP_WORDS[2]}" i=3
        ;;`;
}

function bashValued(command: CompletedCommand): string {
  const valued = optionsOf(command).filter(({ text }) => text.value !== "");
  return `    ${bashWord(command.name)}) printf '%s ' ${valued.flatMap(({ words }) => words).join(" ")} ;;`;
}

function bashValues(command: CompletedCommand): readonly string[] {
  return optionsOf(command).flatMap(({ words, text }) => {
    if (text.words === undefined) return [];
    const patterns = words.map((word) => `"${command.name} ${word}"`).join("|");
    return [`    ${patterns}) ${bashReply(text.words, '"$2"')} ;;`];
  });
}

function bashReply(words: ValueWords, cur: string): string {
  if (words === "files") return `compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- ${cur})`;
  if (words === "directories")
    return `compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- ${cur})`;
  return `mapfile -t COMPREPLY < <(compgen -W "${words.join(" ")}" -- ${cur})`;
}

function bashRest({ name, rest }: CompletedCommand): readonly string[] {
  if (rest === "nothing") return [];
  if (rest !== "program")
    return [`    ${bashWord(name)}) mapfile -t COMPREPLY < <(compgen -W "${rest.join(" ")}" -- "$cur") ;;`];
  return [
    `    ${bashWord(name)})
        if declare -F _command_offset >/dev/null; then
            _command_offset "$2"
        elif ((COMP_CWORD == $2)); then
            mapfile -t COMPREPLY < <(compgen -c -- "$cur")
        else
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        ;;`,
  ];
}
