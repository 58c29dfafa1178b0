/**
 * Makes the paths of settings absolute.
 *
 * Runs:     host. Pure.
 * Promises: a result is absolute and normalised; the working directory and the home directory are taken literally, also
 *           when their names hold what a pattern would read as wildcards.
 * Source:   docs/configuration.md
 */
import { FenceError } from "../base/errors.ts";
import { plainPath } from "../base/paths.ts";
import type { PathPattern } from "../plan/policy.ts";

/** What relative paths and `~` stand for. */
export interface Places {
  /** The working directory of the launch, absolute. */
  readonly directory: string;
  /** The home directory; anything but an absolute path: unknown. */
  readonly home: string;
}

/** `given` was read by pathPattern of values.ts. */
export function absolutePattern(given: string, places: Places): PathPattern {
  return absolute(given, { directory: literally(places.directory), home: literally(places.home) });
}

/** `given` holds no wildcards. */
export function absolutePath(given: string, places: Places): string {
  return absolute(given, places);
}

/** A pattern that matches this path alone. */
export function literally(path: string): PathPattern {
  return path.replace(/[*?[]/g, "[$&]");
}

function absolute(given: string, { directory, home }: Places): string {
  if (given === "~" || given.startsWith("~/")) return plainPath(`${knownHome(home)}/${given.slice(2)}`);
  return plainPath(given.startsWith("/") ? given : `${directory}/${given}`);
}

function knownHome(home: string): string {
  if (home.startsWith("/")) return home;
  throw new FenceError("FENCE_CONFIG", "~ stands for the home directory, and that is not known", {
    hint: "set HOME to an absolute path",
  });
}
