/**
 * One folder for the whole run, with dist/fence in it, that every user can reach: a checkout often lies in a home
 * directory that only its owner may enter, and some tests run programs as an unprivileged user.
 *
 * Runs:     once, before all tests.
 * Promises: it is dist/fence that is tested, linked or copied; the folder is removed at the end.
 */
import { chmodSync, constants, copyFileSync, existsSync, linkSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fence } from "../../build/paths.ts";

export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "fence-test-"));
  chmodSync(folder, 0o755);
  process.env["FENCE_TEST_FOLDER"] = folder;
  if (existsSync(fence)) linkOrCopy(fence, join(folder, "fence"));
  return () => rmSync(folder, { recursive: true });
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to, constants.COPYFILE_FICLONE); // another file system
  }
}
