import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { keyGroups, settingsJsonSchema } from "../../../src/config/keys.ts";

const source = readFileSync(resolve(import.meta.dirname, "../../../src/library/settings.ts"), "utf8");

/** The members of an interface of src/library/settings.ts. */
function members(name: string): readonly string[] {
  const [, body = ""] = new RegExp(`interface ${name} \\{\\n(.*?)^\\}`, "ms").exec(source) ?? [];
  return [...body.matchAll(/^ {2}readonly (\$?\w+)\?:/gm)].map(([, key = ""]) => key);
}

test("the type of the library's settings has the keys of settings files", () => {
  const { properties } = settingsJsonSchema() as { readonly properties: Readonly<Record<string, unknown>> };
  expect(members("Settings").toSorted()).toEqual(Object.keys(properties).toSorted());
});

test.for([
  ["network", "NetworkSettings"],
  ["filesystem", "FilesystemSettings"],
  ["command", "CommandSettings"],
  ["ssh", "SshSettings"],
] as const)("the group %s has the same keys", ([group, name]) => {
  expect(members(name).toSorted()).toEqual(Object.keys(keyGroups[group]).toSorted());
});
