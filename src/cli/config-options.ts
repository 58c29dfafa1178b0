/**
 * Reads the command line of `fence config`.
 *
 * Runs:     host. Pure.
 * Promises: an unknown word or a contradiction is FENCE_USAGE and names the culprit.
 * Source:   docs/configuration.md
 */
import { type OptionTable, type OptionText, splitCommandLine } from "../base/command-line.ts";
import { FenceError } from "../base/errors.ts";
import { wordHint } from "../base/nearest-word.ts";
import { quoted } from "../base/quote.ts";
import { templateNames } from "../config/templates.ts";

export const configWords = ["show", "init", "schema", "templates"] as const;
export type ConfigWord = (typeof configWords)[number];

type ConfigOption = "settings" | "template" | "user" | "json" | "help";

const help = { help: "flag" } as const;
const shortHelp = { h: "help" } as const;
const template = { template: "once" } as const;
const texts: Readonly<Record<ConfigOption, OptionText>> = {
  settings: { value: "FILE", says: "read this settings file instead of the one that is found", words: "files" },
  template: { value: "NAME", says: "show this template, or build upon it", words: templateNames },
  user: { value: "", says: "write the user's own file instead of one here" },
  json: { value: "", says: "print one JSON object" },
  help: { value: "", says: "explain fence config" },
};

/** What each word takes. */
export const configOptions = {
  show: {
    kinds: { settings: "once", ...template, json: "flag", ...help },
    short: { s: "settings", t: "template", ...shortHelp },
    elsewhere: {},
    texts,
  },
  init: { kinds: { ...template, user: "flag", ...help }, short: { t: "template", ...shortHelp }, elsewhere: {}, texts },
  schema: { kinds: help, short: shortHelp, elsewhere: {}, texts },
  templates: { kinds: help, short: shortHelp, elsewhere: {}, texts },
} as const satisfies Record<ConfigWord, OptionTable<ConfigOption>>;

export type ConfigCommand =
  | { readonly kind: "help" }
  | {
      readonly kind: "show";
      readonly settings: string | null;
      readonly template: string | null;
      readonly json: boolean;
    }
  /** `user`: for all projects, instead of the working directory. */
  | { readonly kind: "init"; readonly template: string | null; readonly user: boolean }
  | { readonly kind: "schema" }
  | { readonly kind: "templates" };

/** `args` are what follows `config`. */
export function parseConfig(args: readonly string[]): ConfigCommand {
  const [first, ...rest] = args;
  if (first === undefined || first === "--help" || first === "-h") return { kind: "help" };
  const kind = configWords.find((candidate) => candidate === first);
  if (kind === undefined) {
    throw new FenceError(
      "FENCE_USAGE",
      `fence config must be followed by ${configWords.join(", ")}, got ${quoted(first)}`,
      {
        hint: wordHint(first, configWords),
      },
    );
  }
  const { given, restAt } = splitCommandLine(rest, configOptions[kind] as OptionTable<ConfigOption>);
  if (given.has("help")) return { kind: "help" };
  const extra = rest[restAt];
  if (extra !== undefined)
    throw new FenceError("FENCE_USAGE", `nothing must follow fence config ${kind}, got ${quoted(extra)}`);
  switch (kind) {
    case "show": {
      const settings = given.once("settings");
      if (settings !== null && given.has("template")) {
        throw new FenceError("FENCE_USAGE", "--settings and --template exclude each other");
      }
      return { kind, settings, template: given.once("template"), json: given.has("json") };
    }
    case "init":
      return { kind, template: given.once("template"), user: given.has("user") };
    default:
      return { kind };
  }
}
