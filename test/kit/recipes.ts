/**
 * The recipes of docs/cookbook.md, as far as they run by themselves.
 *
 * Runs:     in tests.
 * Promises: throws for a page that it does not understand, so that no recipe is passed over.
 */
import { docText } from "./docs.ts";

export interface Recipe {
  /** Its heading. */
  readonly name: string;
  /** fence.json; null: none. */
  readonly settings: string | null;
  /** For sh, before the first command. */
  readonly given: string;
  readonly commands: readonly RecipeCommand[];
}

export interface RecipeCommand {
  readonly line: string;
  /** What it prints, on both streams; "…" is anything. */
  readonly prints: string;
}

/** Those with a block of commands that begin with `$`. */
export function runnableRecipes(page: string): readonly Recipe[] {
  return docText(page)
    .split(/^## /m)
    .slice(1)
    .flatMap((section) => {
      const name = section.slice(0, section.indexOf("\n"));
      const blocks = [...section.matchAll(/^```(\w+)\n(.*?)^```$|^<!-- given\n(.*?)^-->$/gms)];
      const at = blocks.findIndex(([, kind]) => kind === "console");
      const [, , text = ""] = blocks[at] ?? [];
      if (at === -1) return [];
      const before = blocks.slice(0, at);
      const [, , settings = null] = before.findLast(([, kind]) => kind === "json") ?? [];
      const [, , , given = ""] = before.findLast(([, kind]) => kind === undefined) ?? [];
      if (blocks.filter(([, kind]) => kind === "console").length > 1) throw new Error(`${name} has two blocks`);
      return [{ name, settings, given, commands: commandsOf(text) }];
    });
}

/** The settings that are shown, with the recipes' names. */
export function shownSettings(page: string): readonly (readonly [name: string, json: string])[] {
  return docText(page)
    .split(/^## /m)
    .flatMap((section) => {
      const name = section.slice(0, section.indexOf("\n"));
      return [...section.matchAll(/^```json\n(.*?)^```$/gms)].map(([, json = ""]) => [name, json] as const);
    });
}

function commandsOf(block: string): readonly RecipeCommand[] {
  if (!block.startsWith("$ ")) throw new Error(`a block begins with ${block.split("\n")[0]}`);
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf("\n");
      return { line: part.slice(0, end), prints: part.slice(end + 1) };
    });
}
