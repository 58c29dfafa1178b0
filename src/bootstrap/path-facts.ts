/**
 * What paths will be to the program: their permissions, and what Landlock will leave of them.
 *
 * Runs:     sandbox, before anything is restricted.
 */
import { accessSync, constants, statSync } from "node:fs";
import type { PathFacts } from "../inside/environment.ts";
import { realPath } from "../inside/program.ts";
import { allows } from "../inside/ruleset.ts";
import type { RulesetChoice } from "../landlock/ruleset.ts";

export function pathFacts(choice: RulesetChoice): PathFacts {
  const isDirectory = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  return {
    isDirectory: (path) => path.startsWith("/") && quietly(() => isDirectory(path)),
    isWritableDirectory: (path) =>
      path.startsWith("/") &&
      quietly(() => {
        accessSync(path, constants.W_OK | constants.X_OK);
        return isDirectory(path) && allows(choice, "WRITE_FILE", path, realPath);
      }),
  };
}

/** Whatever keeps us from looking at the path keeps the program from using it. */
function quietly(look: () => boolean): boolean {
  try {
    return look();
  } catch {
    return false;
  }
}
