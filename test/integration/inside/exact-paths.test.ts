import { readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import addon from "landlock-napi/addon";
import { expect, test } from "vitest";
import { newRuleset } from "../../../src/inside/new-ruleset.ts";
import { emptyRequest } from "../../../src/landlock/request.ts";
import { chooseRuleset } from "../../../src/landlock/ruleset.ts";
import type { Addon } from "../../../src/sys/addon.ts";
import { files } from "./files.ts";

/** By the real path of what was opened. */
function rulesFor(paths: readonly string[], areExact: boolean) {
  const ruled: string[] = [];
  const recording: Addon = {
    ...addon,
    landlockCreateRuleset: () => 1000,
    landlockAddPathRule: (_, parent) => {
      ruled.push(readlinkSync(`/proc/self/fd/${parent}`));
      return 0;
    },
  };
  const rules = paths.map((path) => ({ access: "ro" as const, path }));
  const choice = chooseRuleset({ ...emptyRequest, rules }, 7, "required");
  if (choice.kind !== "ruleset") throw new Error("nothing would be enforced");
  const { skipped } = newRuleset(recording, choice, { opened: (path) => path, skips: [], areExact });
  return { ruled, skipped };
}

test("a path that has become a symlink gets no rule where paths are exact, nor what is below one", () => {
  const { directory } = files();
  const [file, link, way] = [`${directory}/file`, `${directory}/link`, `${directory}/way`];
  writeFileSync(file, "");
  symlinkSync("/etc", link);
  symlinkSync(directory, way);
  const paths = [directory, file, link, `${way}/file`];
  expect(rulesFor(paths, true)).toEqual({ ruled: [directory, file], skipped: [link, `${way}/file`] });
  expect(rulesFor(paths, false)).toEqual({ ruled: [directory, file, "/etc", file], skipped: [] });
});
