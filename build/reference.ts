/**
 * Makes docs/fence.schema.json, docs/fence.1 and the tables of docs/configuration.md and docs/run.md from what reads
 * settings and options.
 *
 * Runs:     on the build machine (npm run schema); a test fails when the files are not the present ones.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { generalKeys, keyGroups, type MergeRule, settingsJsonSchema } from "../src/config/keys.ts";
import { templateNames, templates } from "../src/config/templates.ts";
import { runOptions } from "../src/launcher/run-options.ts";
import type { Json, JsonSchema } from "../src/plan/schema.ts";
import { manual, shownOptions } from "./manual.ts";
import { root } from "./paths.ts";

export const schemaText = `${JSON.stringify(settingsJsonSchema(), null, 2)}\n`;

/** docs/configuration.md with the present tables. */
export function withTables(text: string): string {
  return replaced(text, tables());
}

/** docs/run.md with the present table. */
export function withRunTable(text: string): string {
  return replaced(text, { options: optionTable() });
}

/** The text with each table between its two comments replaced. */
function replaced(text: string, by: Readonly<Record<string, string>>): string {
  return Object.entries(by).reduce((before, [name, table]) => {
    const [start, end] = [`<!-- table of ${name}, made by npm run schema -->`, "<!-- end of the table -->"];
    const from = before.indexOf(start);
    const to = before.indexOf(end, from);
    if (from === -1 || to === -1) throw new Error(`no place for the table of ${name}`);
    return `${before.slice(0, from)}${start}\n\n${table}\n${before.slice(to)}`;
  }, text);
}

function tables(): Readonly<Record<string, string>> {
  const groups = Object.entries(keyGroups).map(([name, keys]) => [name, keyTable(keys)] as const);
  const list = templateNames.map((name) => row([`\`${name}\``, templates[name].description]));
  return {
    ...Object.fromEntries(groups),
    general: keyTable(generalKeys),
    templates: `${row(["template", "what it is for"])}${row(["---", "---"])}${list.join("")}`,
  };
}

interface Key {
  readonly field: {
    readonly schema: { readonly describe: () => JsonSchema };
    readonly description: string;
    readonly absent: { readonly kind: string; readonly value?: Json };
  };
  readonly merge: MergeRule;
}

function optionTable(): string {
  const rows = shownOptions(runOptions).map(({ words, value, says, isMany }) => {
    const shown = `${words.join(", ")} ${value}`.trimEnd().replaceAll("|", "\\|");
    return row([`\`${shown}\``, `${says.replaceAll("*", "\\*")}${isMany ? "; repeatable" : ""}`]);
  });
  return `${row(["option", "meaning"])}${row(["---", "---"])}${rows.join("")}`;
}

const mergeWords: Readonly<Record<MergeRule, string>> = {
  appended: "appended",
  or: "true stays",
  last: "the last",
  "by layer": "by layer",
};

function keyTable(keys: Readonly<Record<string, Key>>): string {
  const rows = Object.entries(keys).map(([name, { field, merge }]) =>
    row([
      `\`${name}\``,
      typeWords(field.schema.describe()),
      `\`${JSON.stringify(field.absent.value)}\``,
      mergeWords[merge],
      field.description.replaceAll("*", "\\*"),
    ]),
  );
  return `${row(["key", "value", "default", "merged", "meaning"])}${row(["---", "---", "---", "---", "---"])}${rows.join("")}`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |\n`;
}

/** A schema in a few words. */
function typeWords(schema: JsonSchema): string {
  const { type, items, anyOf, minimum, maximum } = schema;
  const words = schema["enum"];
  if (Array.isArray(words)) return words.map((word) => `\`${JSON.stringify(word)}\``).join(", ");
  if (Array.isArray(anyOf)) return [...new Set((anyOf as readonly JsonSchema[]).map(typeWords))].join(", ");
  if (type === "array") return `list: ${typeWords(items as JsonSchema)}`;
  if (type === "integer") return `${minimum} to ${maximum}`;
  if (type === "object")
    return `{${Object.keys(schema["properties"] as object)
      .map((name) => `\`${name}\``)
      .join(", ")}}`;
  return type === "null" ? "null" : String(type);
}

if (import.meta.main) {
  const update = (name: string, make: (before: string) => string) => {
    const path = `${root}/docs/${name}`;
    writeFileSync(path, make(readFileSync(path, { encoding: "utf8", flag: "a+" })));
  };
  update("fence.schema.json", () => schemaText);
  update("configuration.md", withTables);
  update("run.md", withRunTable);
  update("fence.1", () => manual);
}
