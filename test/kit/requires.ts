/**
 * Says what a test needs of the machine.
 *
 * Runs:     in tests.
 * Promises: where something is missing the test is skipped and the reason printed; with FENCE_TEST_REQUIRE_ALL=1,
 *           which CI sets, it fails instead.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "vitest";

/** A tool by its name, or one of `abilities`. */
export type Need = string;

/** What is more than a tool that is installed: the reason why it is missing, or null. */
const abilities: Readonly<Record<string, () => string | null>> = {
  root: () => (process.geteuid?.() === 0 ? null : "root"),
  bwrap: () => tries("bwrap", [], "bwrap that may make namespaces"),
  /** For root too, who tries it as nobody. */
  "unprivileged bwrap": () =>
    abilities["root"]?.() === null
      ? tries("setpriv", [...asNobody.slice(1), "bwrap"], "bwrap for every user")
      : tries("bwrap", [], "bwrap for every user"),
  /** Debian ships Python without what makes virtual environments. */
  "python3 venv": () => succeeds(["/usr/bin/python3", "-c", "import ensurepip"]),
  /** Some machines' npm is in a home directory. */
  "npm for every user": () => succeeds([...(process.geteuid?.() === 0 ? asNobody : []), "npm", "--version"]),
};

const asNobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

/** For beforeEach(), or called with a test's context. */
export function requires(...needs: readonly Need[]): (context: Skippable) => void {
  return (context) => {
    const missing = needs.map(whatIsMissing).find((what) => what !== null);
    if (missing === undefined) return;
    if (process.env["FENCE_TEST_REQUIRE_ALL"] === "1") throw new Error(`this test needs ${missing}`);
    notRun(context, `needs ${missing}`);
  };
}

/** Skips when there is a reason to. On its own for what CI cannot be expected to have either, such as a newer kernel. */
export function notRun({ skip }: Skippable, why: string | null): void {
  if (why === null) return;
  if (!printed.has(why)) console.warn(`not run: ${why}`);
  printed.add(why);
  skip(`not run: ${why}`);
}

type Skippable = Pick<TestContext, "skip">;

const printed = new Set<string>();
const known = new Map<Need, string | null>();

function whatIsMissing(need: Need): string | null {
  const before = known.get(need);
  if (before !== undefined) return before;
  const missing = Object.hasOwn(abilities, need) ? (abilities[need]?.() ?? null) : isInstalled(need) ? null : need;
  known.set(need, missing);
  return missing;
}

function isInstalled(tool: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function tries(command: string, args: readonly string[], what: string): string | null {
  const done = spawnSync(command, [...args, "--unshare-all", "--ro-bind", "/", "/", "true"], { encoding: "utf8" });
  if (done.status === 0) return null;
  return `${what} (${done.error?.message ?? done.stderr.trim()})`;
}

function succeeds(command: readonly string[]): string | null {
  const [file = "", ...args] = command;
  const done = spawnSync(file, args, { encoding: "utf8" });
  return done.status === 0 ? null : `that ${command.join(" ")} works (${done.error?.message ?? done.stderr.trim()})`;
}
