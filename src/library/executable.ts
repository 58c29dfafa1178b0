/**
 * Finds the packed executable that the library starts.
 *
 * Runs:     in the user's own Node.
 * Promises: a file that is not there is a clear error that says how to get it; PATH is not searched.
 * Source:   docs/library.md
 */
import { accessSync, constants, statSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { FenceError } from "./fence-error.ts";

/** Beside the folder that holds the bundled library. */
const ownExecutable = "../fence";

/** Its absolute path. Throws FENCE_SERVICE. */
export function findExecutable(given: string | undefined): string {
  const named = given ?? process.env["FENCE_EXECUTABLE"];
  const path = named === undefined ? fileURLToPath(new URL(ownExecutable, import.meta.url)) : resolve(named);
  try {
    if (!statSync(path).isFile()) throw Object.assign(new Error("it is no file"), { code: "EACCES" });
    accessSync(path, constants.X_OK);
    return path;
  } catch (cause) {
    const { code: errno = "ENOENT" } = cause as NodeJS.ErrnoException;
    throw missing(path, errno, named === undefined ? "own" : "named", cause);
  }
}

function missing(path: string, errno: string, whose: "own" | "named", cause: unknown): FenceError {
  const hint =
    whose === "named"
      ? "executable, or FENCE_EXECUTABLE, must name the packed file fence"
      : "reinstall the package, or build it with npm run build; executable or FENCE_EXECUTABLE name another place";
  return new FenceError("FENCE_SERVICE", `the fence executable cannot be started: ${path}: ${errno}`, {
    step: "find-executable",
    path,
    errno,
    hint,
    cause,
  });
}
