/**
 * Commands that the policy denies, told by their first words.
 *
 * Runs:     host. Pure.
 * Promises: allow wins over deny. This stops mistakes, not intent: a program can do by itself what a command would do; what
 *           holds against it are mounts, namespaces and seccomp.
 * Source:   docs/mounts.md, "Denied programs"
 */
import { FenceError } from "../base/errors.ts";
import { quoted } from "../base/quote.ts";
import type { CommandPolicy } from "./policy.ts";

const defaultDeniedPrograms: readonly string[] = [
  ..."shutdown reboot halt poweroff insmod rmmod modprobe kexec".split(" "),
  ..."mkfs mkfs.ext2 mkfs.ext3 mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.vfat mkfs.ntfs fdisk parted".split(" "),
  ..."chroot unshare nsenter".split(" "),
];

/** With `command.useDefaults`: what no work in a sandbox needs. */
export const defaultDeniedCommands: readonly string[] = [
  ...defaultDeniedPrograms,
  "init 0",
  "init 6",
  "systemctl poweroff",
  "systemctl reboot",
  "systemctl halt",
  "dd if=",
  "docker run -v /:/",
  "docker run --privileged",
];

/** The entry of the policy that denies `argv`, or null. A string given to `sh -c` is looked at command by command. */
export function deniedCommand(policy: CommandPolicy, argv: readonly string[]): string | null {
  const words = withoutWrappers(argv);
  const [program = ""] = words;
  const script = shells.has(baseName(program)) ? scriptOf(words) : null;
  return deniedWords(policy, words) ?? (script === null ? null : deniedScript(policy, script));
}

/** The same for a string that a shell will read: `fence -c STRING`. */
export function deniedScript(policy: CommandPolicy, script: string): string | null {
  for (const command of commandsIn(script)) {
    const denied = deniedCommand(policy, command);
    if (denied !== null) return denied;
  }
  return null;
}

/** Throws FENCE_COMMAND when the policy denies `command`: the program's argv, or a shell's string. */
export function refuseDeniedCommand(policy: CommandPolicy, command: readonly string[] | string): void {
  const denied = typeof command === "string" ? deniedScript(policy, command) : deniedCommand(policy, command);
  if (denied === null) return;
  const key = policy.deny.includes(denied) ? "command.deny" : "a default of command.deny";
  throw new FenceError("FENCE_COMMAND", `the command is denied: ${key} ${quoted(denied)}`, {
    step: "check-command",
    hint: `if it may run, add ${quoted(denied)} to command.allow`,
  });
}

/** Every denied program that is one word: it can be denied to all that runs in the sandbox. */
export function deniedPrograms(
  policy: CommandPolicy,
): readonly { readonly name: string; readonly isDefault: boolean }[] {
  const allowed = new Set(policy.allow.map((entry) => entry.trim()));
  const named = (names: readonly string[], isDefault: boolean) =>
    names.filter((name) => !allowed.has(name)).map((name) => ({ name, isDefault }));
  const words = policy.deny.map((entry) => entry.trim()).filter((entry) => /^\S+$/.test(entry));
  const own = named(words, false);
  if (!policy.useDefaults) return own;
  return [...own, ...named(defaultDeniedPrograms, true).filter(({ name }) => !words.includes(name))];
}

const shells: ReadonlySet<string> = new Set(["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish"]);
/** They run the command that follows them. */
const wrappers: ReadonlySet<string> = new Set([
  "env",
  "command",
  "exec",
  "builtin",
  "nohup",
  "time",
  "setsid",
  "stdbuf",
  "nice",
  "ionice",
]);

function deniedWords(policy: CommandPolicy, words: readonly string[]): string | null {
  const [program = ""] = words;
  const name = baseName(program);
  // Few entries hold the program's name, and only those are taken apart.
  const begins = (entry: string) => entry.includes(name) && beginsWith(words, wordsOf(entry));
  if (policy.allow.some(begins)) return null;
  return policy.deny.find(begins) ?? (policy.useDefaults ? (defaultDeniedCommands.find(begins) ?? null) : null);
}

/** Word by word; a last word that ends in `=` or `/` stands for all that begin so: `dd if=`. */
function beginsWith(words: readonly string[], entry: readonly string[]): boolean {
  if (entry.length === 0 || entry.length > words.length) return false;
  return entry.every((expected, index) => {
    const word = words[index] ?? "";
    if (index === 0) return word === expected || (!expected.includes("/") && baseName(word) === expected);
    return word === expected || (index === entry.length - 1 && /[=/]$/.test(expected) && word.startsWith(expected));
  });
}

function wordsOf(entry: string): readonly string[] {
  return entry.split(/\s+/).filter((word) => word !== "");
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Without `NAME=value` before the command, and without programs such as `env` with their options. */
function withoutWrappers(words: readonly string[]): readonly string[] {
  let left = words;
  for (;;) {
    const [first] = left;
    if (first === undefined) return left;
    if (isAssignment(first)) left = left.slice(1);
    else if (wrappers.has(baseName(first)) && left.length > 1) {
      const rest = left.slice(1);
      const command = rest.findIndex((word) => !word.startsWith("-") && !isAssignment(word));
      if (command === -1) return left;
      left = rest.slice(command);
    } else return left;
  }
}

function isAssignment(word: string): boolean {
  return word.includes("=") && /^[A-Za-z_]\w*=/.test(word);
}

/** What follows -c, alone or together with other letters: -lc. */
function scriptOf(words: readonly string[]): string | null {
  const option = words.findIndex((word, index) => index > 0 && /^-[A-Za-z]*c[A-Za-z]*$/.test(word));
  return option === -1 ? null : (words[option + 1] ?? null);
}

/** Words of each simple command; separators in quotes do not separate. Substitutions count as commands of their own. */
function commandsIn(script: string): readonly (readonly string[])[] {
  const commands: string[][] = [];
  let words: string[] = [];
  let word: string | null = null;
  let quote = "";
  const endWord = () => {
    if (word !== null) words.push(word);
    word = null;
  };
  const endCommand = () => {
    endWord();
    if (words.length > 0) commands.push(words);
    words = [];
  };
  for (let index = 0; index < script.length; index += 1) {
    const character = script[index] ?? "";
    if (character === "\\" && quote !== "'") {
      index += 1;
      word = (word ?? "") + (script[index] ?? "");
    } else if (
      quote === "'" ||
      (quote !== "" && character !== "`" && !(character === "$" && script[index + 1] === "("))
    ) {
      if (character === quote) quote = "";
      else word = (word ?? "") + character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (/[;&|\n(){}`]/.test(character)) endCommand();
    else if (character === "$" && script[index + 1] === "(") {
      quote = "";
      endCommand();
    } else if (/\s/.test(character)) endWord();
    else word = (word ?? "") + character;
  }
  endCommand();
  return commands.map((command) => command.filter((part, index) => index > 0 || !reserved.has(part)));
}

const reserved: ReadonlySet<string> = new Set(["if", "then", "else", "elif", "do", "while", "until", "!"]);
