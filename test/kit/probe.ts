/**
 * The C programs of the end-to-end tests, compiled.
 *
 * Runs:     in tests.
 * Promises: each is compiled once for all test files and runs; the path changes with its source.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join, resolve } from "node:path";
import { testFolder } from "./test-folder.ts";

const sources = resolve(import.meta.dirname, "../e2e/probe");
const output = join(testFolder(), "probe");

/** Tries one action and prints what came of it. Static. */
export const probe = compiled("probe.c", ["-static"]);
/** Arranges what a process hands down to its program, then becomes it. Static. */
export const arrange = compiled("arrange.c", ["-static"]);
/** Looks into other processes from outside of the sandbox. Static. */
export const tracer = compiled("tracer.c", ["-static"]);
/** Uses its terminal as editors and pagers do. Static. */
export const editor = compiled("editor.c", ["-static"]);
/** Runs a command under a terminal of its own. Static. */
export const terminal = compiled("terminal.c", ["-static"]);
/** Runs a command and lives as long as anything that it has started. Static. */
export const family = compiled("family.c", ["-static"]);
/** Traces fence and lets one system call of one of its processes fail, or kills a process there. Static. */
export const inject = compiled("inject.c", ["-static"]);
/** A shared library that creates the file $FENCE_TEST_MARKER wherever it is loaded. */
export const markerLibrary = compiled("marker.c", ["-shared", "-fPIC"]);

/** Test files run side by side: a compiler's unfinished output has a name of its own and is then moved. */
function compiled(source: string, flags: readonly string[]): string {
  const path = join(sources, source);
  const bytes = readFileSync(path);
  const id = createHash("sha256").update(bytes).update(flags.join(" ")).digest("hex").slice(0, 12);
  const target = join(output, `${source.replace(".c", "")}-${id}`);
  if (existsSync(target)) return target;
  mkdirSync(output, { recursive: true });
  const unfinished = `${target}.${process.pid}`;
  const args = ["-O2", "-Wall", "-Wextra", "-Werror", ...flags, "-o", unfinished, path];
  const done = spawnSync("cc", args, { encoding: "utf8" });
  if (done.error !== undefined) throw new Error(`cannot compile ${source}: ${done.error.message}`);
  if (done.status !== 0) throw new Error(`cannot compile ${source}:\n${done.stderr}`);
  renameSync(unfinished, target);
  return target;
}
