import { expect, test } from "vitest";
import { settingsSchema } from "../../src/config/keys.ts";
import { shownSettings } from "../kit/recipes.ts";

test("all settings that the cookbook shows can be read", () => {
  const shown = shownSettings("cookbook.md");
  expect(shown).not.toEqual([]);
  for (const [name, json] of shown) expect(() => settingsSchema.parse(JSON.parse(json), name)).not.toThrow();
});
