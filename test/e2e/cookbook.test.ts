import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { users } from "../kit/launched.ts";
import { type Recipe, runnableRecipes } from "../kit/recipes.ts";
import { requires } from "../kit/requires.ts";
import { fence } from "../kit/sandbox.ts";

const nobody = 65534;
const recipes = runnableRecipes("cookbook.md");

test("the recipes that need no network, container or terminal are found", () => {
  expect(recipes.map(({ name }) => name)).toEqual([
    "Look before you trust",
    "make",
    "A project that is read alone",
    "git",
    "A coding agent",
    "A report for a script",
  ]);
});

describe.for(users)("as %s", (user) => {
  beforeEach(requires("root", "unprivileged bwrap", "setpriv", "make", "git"));

  test.for(recipes)("$name", (recipe) => {
    const place = kitchen(user === "nobody" ? nobody : 0);
    const sh = (command: string) => {
      const who = user === "nobody" ? ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] : ["env"];
      const [program = "", ...args] = [...who, "sh", "-c", `exec 2>&1\n${command}`];
      const { stdout } = spawnSync(program, args, { cwd: place.project, env: place.env, encoding: "utf8" });
      return stdout.replaceAll(place.home, "/home/you");
    };
    expect(sh(prepared(recipe))).toBe("");
    for (const { line, prints } of recipe.commands) expect(`$ ${line}\n${sh(line)}`).toMatch(asPattern(line, prints));
  });
});

/** A home and a project in it, where a sandbox shows them: not in /tmp. */
function kitchen(owner: number) {
  const home = mkdtempSync("/var/tmp/fence-cookbook-");
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const [project, programs] = [join(home, "project"), join(home, "programs")];
  for (const path of [project, programs]) mkdirSync(path);
  symlinkSync(fence, join(programs, "fence"));
  for (const path of [home, project, programs]) chownSync(path, owner, owner);
  return { home, project, env: { HOME: home, PATH: `${programs}:/usr/local/bin:/usr/bin:/bin` } };
}

function prepared({ given, settings }: Recipe): string {
  if (settings === null) return given;
  return `${given}\ncat > fence.json <<'settings'\n${settings}settings\n`;
}

function asPattern(line: string, prints: string): RegExp {
  const literal = `$ ${line}\n${prints}`.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${literal.replaceAll("…", ".*")}$`, "s");
}
