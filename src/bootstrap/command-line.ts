/**
 * Splits the command line of `fence bootstrap` into options and the program.
 *
 * Runs:     sandbox. Pure.
 * Promises: an unknown option or a missing value is FENCE_USAGE and names the culprit; from the program on nothing is
 *           looked at.
 * Source:   docs/options.md
 */
import { FenceError } from "../base/errors.ts";
import { wordHint } from "../base/nearest-word.ts";
import { quoted } from "../base/quote.ts";

/** "once" and "many" take a value. */
const optionKinds = {
  plan: "once",
  "plan-fd": "once",
  bridge: "many",
  "allow-non-loopback": "flag",
  "http-proxy": "once",
  "socks-proxy": "once",
  "no-proxy": "once",
  "no-all-proxy": "flag",
  env: "many",
  "unset-env": "many",
  "clear-env": "flag",
  chdir: "once",
  ro: "many",
  rox: "many",
  rw: "many",
  rwx: "many",
  unix: "many",
  "bind-tcp": "many",
  "connect-tcp": "many",
  "bind-udp": "many",
  "connect-udp": "many",
  scope: "many",
  quiet: "many",
  "landlock-log": "many",
  landlock: "once",
  "ignore-missing": "flag",
  seccomp: "once",
  init: "flag",
  verify: "flag",
  "status-fd": "once",
  debug: "flag",
  help: "flag",
} as const;

export type OptionName = keyof typeof optionKinds;

export const optionNames = Object.keys(optionKinds) as OptionName[];

interface GivenOption {
  readonly name: OptionName;
  /** Empty for a flag. */
  readonly value: string;
}

export class GivenOptions {
  /** In the order of the command line. */
  readonly all: readonly GivenOption[];

  constructor(all: readonly GivenOption[]) {
    this.all = all;
  }

  has(name: OptionName): boolean {
    return this.all.some((option) => option.name === name);
  }

  many(name: OptionName): readonly string[] {
    return this.all.filter((option) => option.name === name).map(({ value }) => value);
  }

  /** Throws FENCE_USAGE when it was given more often. */
  once(name: OptionName): string | null {
    const values = this.many(name);
    if (values.length > 1)
      throw new FenceError("FENCE_USAGE", `--${name} must be given once, got it ${values.length} times`);
    return values[0] ?? null;
  }
}

/** Options end after `--`, or before the first word that is none: the program. */
export function splitCommandLine(args: readonly string[]): { given: GivenOptions; programAt: number } {
  const all: GivenOption[] = [];
  for (let at = 0; ; at++) {
    const word = args[at];
    if (word === "--") return { given: new GivenOptions(all), programAt: at + 1 };
    if (word === undefined || word === "-" || !word.startsWith("-")) {
      return { given: new GivenOptions(all), programAt: at };
    }
    const { name, inline } = splitOption(word);
    if (optionKinds[name] === "flag") all.push(flagOption(name, inline));
    else all.push(inline === undefined ? { name, value: nextValue(name, args[++at]) } : { name, value: inline });
  }
}

/** `--name` or `--name=value`. */
function splitOption(word: string): { name: OptionName; inline: string | undefined } {
  const [, option = word, inline] = /^(.*?)=(.*)$/s.exec(word) ?? [];
  const name = optionNames.find((candidate) => `--${candidate}` === option);
  if (name !== undefined) return { name, inline };
  const valid = optionNames.map((candidate) => `--${candidate}`);
  throw new FenceError("FENCE_USAGE", `unknown option ${quoted(option)}`, { hint: wordHint(option, valid) });
}

function flagOption(name: OptionName, inline: string | undefined): GivenOption {
  if (inline === undefined) return { name, value: "" };
  throw new FenceError("FENCE_USAGE", `--${name} must be given without a value, got ${quoted(inline)}`);
}

function nextValue(name: OptionName, value: string | undefined): string {
  if (value !== undefined && !value.startsWith("--")) return value;
  throw new FenceError("FENCE_USAGE", `--${name} must be followed by a value`, {
    hint: `a value that starts with -- is written --${name}=VALUE`,
  });
}
