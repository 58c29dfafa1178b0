/**
 * `fence config`: shows the merged policy, starts a settings file, prints the schema and the templates.
 *
 * Runs:     host.
 * Promises: no output has a proxy's password; a file that exists is never written to.
 * Source:   docs/configuration.md
 */
import { join } from "node:path/posix";
import { FenceError } from "../base/errors.ts";
import { wordHint } from "../base/nearest-word.ts";
import { quoted } from "../base/quote.ts";
import { fileNames, type SettingsDoors, userDirectory } from "../config/files.ts";
import { settingsJsonSchema } from "../config/keys.ts";
import type { Surroundings } from "../config/layers.ts";
import { loadPolicy } from "../config/load.ts";
import { noOverrides } from "../config/overrides.ts";
import { starterSettings } from "../config/starter.ts";
import { type TemplateName, templateNames, templates } from "../config/templates.ts";
import { configHelp } from "./config-help.ts";
import { parseConfig } from "./config-options.ts";
import { shownPolicy, shownPolicyJson } from "./config-show.ts";

export interface ConfigDoors extends SettingsDoors {
  /** Creates a file, and the directory it is in; throws FENCE_CONFIG when something is there. */
  readonly create: (path: string, directory: string, text: string) => void;
}

/** What goes to standard output. `args` are what follows `config`. */
export function runConfig(args: readonly string[], doors: ConfigDoors, around: Surroundings): string {
  const command = parseConfig(args);
  switch (command.kind) {
    case "help":
      return configHelp;
    case "show": {
      const { settings, template, json } = command;
      const loaded = loadPolicy(doors, { ...around, settings, template, overrides: noOverrides });
      return json ? shownPolicyJson(loaded) : shownPolicy(loaded);
    }
    case "init":
      return init(command, doors, around);
    case "schema":
      return `${JSON.stringify(settingsJsonSchema(), null, 2)}\n`;
    case "templates":
      return templateNames.map((name) => `${name.padEnd(18)} ${templates[name].description}\n`).join("");
  }
}

interface Init {
  readonly template: string | null;
  readonly user: boolean;
}

function init({ template, user }: Init, doors: ConfigDoors, around: Surroundings): string {
  const text = starterSettings(template === null ? null : templateName(template));
  const directory = user ? ownDirectory(around) : around.directory;
  const present = fileNames.map((name) => join(directory, name)).find((path) => doors.read(path, 1).kind !== "absent");
  if (present !== undefined) {
    throw new FenceError("FENCE_CONFIG", `${present} exists`, {
      path: present,
      hint: "fence never overwrites settings: edit the file, or remove it",
    });
  }
  const path = join(directory, fileNames[0]);
  doors.create(path, directory, text);
  return `created ${path}\n`;
}

function ownDirectory({ home, environment }: Surroundings): string {
  const directory = userDirectory(home, environment);
  if (directory !== null) return directory;
  throw new FenceError("FENCE_CONFIG", "--user needs a home directory, and that is not known", {
    hint: "set HOME or XDG_CONFIG_HOME to an absolute path",
  });
}

function templateName(word: string): TemplateName {
  const name = templateNames.find((candidate) => candidate === word);
  if (name !== undefined) return name;
  throw new FenceError("FENCE_USAGE", `--template must be a template, got ${quoted(word)}`, {
    hint: wordHint(word, templateNames),
  });
}
