/**
 * Splits a command line into options and the words behind them.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: an unknown option or a missing value is FENCE_USAGE and names the culprit; from the first other word on
 *           nothing is looked at.
 * Source:   docs/options.md; short options as in getopt(3)
 */
import { FenceError } from "./errors.ts";
import { wordHint } from "./nearest-word.ts";
import { quoted } from "./quote.ts";

/** "once" and "many" take a value. */
export type OptionKind = "flag" | "once" | "many";

/** What completes a value: names of files or directories, or these words. */
export type ValueWords = "files" | "directories" | readonly string[];

/** What manuals and completions say of an option. */
export interface OptionText {
  /** What stands for the value: `FILE`; empty for a flag. */
  readonly value: string;
  /** A phrase, without a full stop. */
  readonly says: string;
  readonly words?: ValueWords;
}

/** The options of one command. */
export interface OptionTable<N extends string> {
  /** A name of N that is absent is no option of this command. */
  readonly kinds: Readonly<Partial<Record<N, OptionKind>>>;
  /** Letters: `d` for `-d`. */
  readonly short: Readonly<Record<string, N>>;
  /** Words of other tools, with what to write here instead. */
  readonly elsewhere: Readonly<Record<string, string>>;
  readonly texts: Readonly<Partial<Record<N, OptionText>>>;
}

interface GivenOption<N extends string> {
  readonly name: N;
  /** Empty for a flag. */
  readonly value: string;
}

export class GivenOptions<N extends string> {
  /** In the order of the command line. */
  readonly all: readonly GivenOption<N>[];

  constructor(all: readonly GivenOption<N>[]) {
    this.all = all;
  }

  has(name: N): boolean {
    return this.all.some((option) => option.name === name);
  }

  many(name: N): readonly string[] {
    return this.all.filter((option) => option.name === name).map(({ value }) => value);
  }

  /** Throws FENCE_USAGE when it was given more often. */
  once(name: N): string | null {
    const values = this.many(name);
    if (values.length > 1)
      throw new FenceError("FENCE_USAGE", `--${name} must be given once, got it ${values.length} times`);
    return values[0] ?? null;
  }
}

export function optionNames<N extends string>(table: OptionTable<N>): readonly N[] {
  return Object.keys(table.kinds) as N[];
}

/** Options end after `--`, or before the first word that is none. */
export function splitCommandLine<N extends string>(
  args: readonly string[],
  table: OptionTable<N>,
): { given: GivenOptions<N>; restAt: number } {
  const all: GivenOption<N>[] = [];
  for (let at = 0; ; at++) {
    const word = args[at];
    if (word === "--") return { given: new GivenOptions(all), restAt: at + 1 };
    if (word === undefined || word === "-" || !word.startsWith("-"))
      return { given: new GivenOptions(all), restAt: at };
    for (const { name, shown, inline } of optionsOf(word, table)) {
      if (table.kinds[name] === "flag") all.push(flagOption(name, shown, inline));
      else all.push({ name, value: inline ?? nextValue(name, shown, args[++at]) });
    }
  }
}

interface WrittenOption<N extends string> {
  readonly name: N;
  /** As it was written: `--debug` or `-d`. */
  readonly shown: string;
  readonly inline: string | undefined;
}

function optionsOf<N extends string>(word: string, table: OptionTable<N>): readonly WrittenOption<N>[] {
  return word.startsWith("--") || Object.keys(table.short).length === 0
    ? [longOption(word, table)]
    : shortOptions(word, table);
}

/** `--name` or `--name=value`. */
function longOption<N extends string>(word: string, table: OptionTable<N>): WrittenOption<N> {
  const [, option = word, inline] = /^(.*?)=(.*)$/s.exec(word) ?? [];
  const name = optionNames(table).find((candidate) => `--${candidate}` === option);
  if (name !== undefined) return { name, shown: option, inline };
  throw unknownOption(option, table);
}

/** `-d`, several flags as in `-dm`, and a value that follows at once: `-p80`, `-p=80`. */
function shortOptions<N extends string>(word: string, table: OptionTable<N>): readonly WrittenOption<N>[] {
  const found: WrittenOption<N>[] = [];
  for (let at = 1; at < word.length; at++) {
    const shown = `-${word.charAt(at)}`;
    const name = Object.hasOwn(table.short, word.charAt(at)) ? table.short[word.charAt(at)] : undefined;
    if (name === undefined) throw unknownOption(shown, table);
    const rest = word.slice(at + 1);
    if (table.kinds[name] !== "flag" || rest.startsWith("=")) {
      return [...found, { name, shown, inline: rest === "" ? undefined : rest.replace(/^=/, "") }];
    }
    found.push({ name, shown, inline: undefined });
  }
  return found;
}

function unknownOption<N extends string>(option: string, table: OptionTable<N>): FenceError {
  const instead = Object.hasOwn(table.elsewhere, option) ? table.elsewhere[option] : undefined;
  const valid = [
    ...optionNames(table).map((name) => `--${name}`),
    ...Object.keys(table.short).map((letter) => `-${letter}`),
  ];
  return new FenceError("FENCE_USAGE", `unknown option ${quoted(option)}`, {
    hint: instead ?? wordHint(option, valid),
  });
}

function flagOption<N extends string>(name: N, shown: string, inline: string | undefined): GivenOption<N> {
  if (inline === undefined) return { name, value: "" };
  throw new FenceError("FENCE_USAGE", `${shown} must be given without a value, got ${quoted(inline)}`);
}

function nextValue(name: string, shown: string, value: string | undefined): string {
  if (value !== undefined && !value.startsWith("--")) return value;
  throw new FenceError("FENCE_USAGE", `${shown} must be followed by a value`, {
    hint: `a value that starts with -- is written --${name}=VALUE`,
  });
}
