/**
 * Puts together what settings build on: the chain of `extends`, and the options on top.
 *
 * Runs:     host. Pure: files are read through a door.
 * Promises: the result lists what is built upon first; a cycle or too long a chain is FENCE_CONFIG and shows the chain.
 * Source:   docs/configuration.md
 */
import { dirname, resolve } from "node:path/posix";
import { FenceError } from "../base/errors.ts";
import { wordHint } from "../base/nearest-word.ts";
import { quoted } from "../base/quote.ts";
import { namedFile, nearestFile, type SettingsDoors, type SettingsFile, userFile } from "./files.ts";
import { type Settings, settingsSchema } from "./keys.ts";
import type { PolicyOverrides } from "./overrides.ts";
import type { Places } from "./places.ts";
import { type TemplateName, templateNames, templateSettings } from "./templates.ts";

/** Where settings come from. */
export type Source =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "template"; readonly name: TemplateName }
  /** An object of a program that uses the library. */
  | { readonly kind: "caller" }
  | { readonly kind: "options" };

export interface Layer {
  readonly source: Source;
  readonly settings: Settings;
}

export interface Surroundings extends Places {
  /** XDG_CONFIG_HOME counts. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface Asked {
  /** A file, maybe relative; null: the nearest, else the user's own. An object stands in the place of a file's. */
  readonly settings: string | { readonly given: unknown } | null;
  readonly template: string | null;
  readonly overrides: PolicyOverrides;
}

const maxExtends = 10;

export function layersOf(doors: SettingsDoors, asked: Asked, around: Surroundings): readonly Layer[] {
  return [...extended(doors, firstLayer(doors, asked, around), around), ...optionLayer(asked.overrides)];
}

export function sourceText(source: Source): string {
  switch (source.kind) {
    case "file":
      return source.path;
    case "template":
      return `template ${source.name}`;
    case "caller":
      return "the settings of createSandbox()";
    case "options":
      return "the options";
  }
}

function firstLayer(doors: SettingsDoors, asked: Asked, around: Surroundings): Layer | null {
  if (asked.template !== null) return templateLayer(asked.template, "--template");
  if (typeof asked.settings === "object" && asked.settings !== null) return callerLayer(asked.settings.given);
  if (asked.settings !== null) return fileLayer(namedFile(doors, resolve(around.directory, asked.settings)));
  const found = nearestFile(doors, around.directory) ?? userFile(doors, around.home, around.environment);
  return found === null ? null : fileLayer(found);
}

/** From the one that nothing is under to `layer`. */
function extended(doors: SettingsDoors, layer: Layer | null, around: Surroundings): readonly Layer[] {
  const chain: Layer[] = [];
  for (let next = layer; next !== null; next = baseOf(doors, next, around)) {
    const name = sourceText(next.source);
    if (chain.some(({ source }) => sourceText(source) === name))
      throw badChain([...chain, next], "leads back to itself");
    if (chain.length > maxExtends) throw badChain(chain, `must have at most ${maxExtends} links`);
    chain.push(next);
  }
  return chain.toReversed();
}

function badChain(chain: readonly Layer[], what: string): FenceError {
  const shown = chain.map(({ source }) => sourceText(source)).join(" -> ");
  return new FenceError("FENCE_CONFIG", `the chain of extends ${what}: ${shown}`);
}

function baseOf(doors: SettingsDoors, { source, settings }: Layer, around: Surroundings): Layer | null {
  const { extends: base } = settings;
  if (base === null) return null;
  if (base === "@base") {
    const file = userFile(doors, around.home, around.environment);
    return file === null ? null : fileLayer(file);
  }
  if (!base.includes("/") && !base.startsWith(".")) return templateLayer(base, `extends of ${sourceText(source)}`);
  const beside = source.kind === "file" ? dirname(source.path) : around.directory;
  return fileLayer(namedFile(doors, resolve(beside, withHome(base, around.home))));
}

function withHome(path: string, home: string): string {
  return path.startsWith("~/") && home.startsWith("/") ? `${home}/${path.slice(2)}` : path;
}

function fileLayer({ path, settings }: SettingsFile): Layer {
  return { source: { kind: "file", path }, settings };
}

function callerLayer(given: unknown): Layer {
  try {
    return { source: { kind: "caller" }, settings: settingsSchema.parse(given, "settings") };
  } catch (error) {
    if (!(error instanceof FenceError) || error.code !== "FENCE_PLAN") throw error;
    throw new FenceError("FENCE_CONFIG", error.message, error.details);
  }
}

function templateLayer(word: string, where: string): Layer {
  const name = templateNames.find((candidate) => candidate === word);
  if (name !== undefined) return { source: { kind: "template", name }, settings: templateSettings(name) };
  throw new FenceError("FENCE_CONFIG", `${where} must be a template, got ${quoted(word)}`, {
    hint: /\.jsonc?$/.test(word) ? `a file is named with its directory: ./${word}` : wordHint(word, templateNames),
  });
}

/** Read like a file, so that a path or a host of the command line is held to the same rules. */
function optionLayer(overrides: PolicyOverrides): readonly Layer[] {
  const { allowedDomains, deniedDomains, localPorts, isolation, forceNewSession, ...paths } = overrides;
  const some = <T>(key: string, items: readonly T[]) => (items.length === 0 ? {} : { [key]: items });
  const said = {
    ...(isolation !== null && { isolation }),
    ...(forceNewSession && { forceNewSession }),
    network: {
      ...some("allowedDomains", allowedDomains),
      ...some("deniedDomains", deniedDomains),
      ...some("allowLocalOutboundPorts", localPorts),
      ...(localPorts.length > 0 && { allowLocalOutbound: true }),
    },
    filesystem: Object.assign({}, ...Object.entries(paths).map(([key, items]) => some(key, items))),
  };
  const isSaid =
    Object.keys({ ...said.network, ...said.filesystem }).length > 0 || isolation !== null || forceNewSession;
  return isSaid ? [{ source: { kind: "options" }, settings: readOptions(said) }] : [];
}

/** What the options are called whose values are read like those of a file. */
const optionOf: Readonly<Record<string, string>> = {
  allowedDomains: "--allow-domain",
  deniedDomains: "--deny-domain",
  allowRead: "--allow-read",
  allowExecute: "--allow-execute",
  allowWrite: "--allow-write",
  denyRead: "--deny-read",
  denyWrite: "--deny-write",
  mask: "--mask",
};

function readOptions(said: object): Settings {
  try {
    return settingsSchema.parse(said, "the settings");
  } catch (error) {
    if (!(error instanceof FenceError) || error.code !== "FENCE_PLAN") throw error;
    const message = error.message.replace(/^the settings\.\w+\.(\w+)\[\d+\]/, (where, key) => optionOf[key] ?? where);
    throw new FenceError("FENCE_USAGE", message, error.details);
  }
}
