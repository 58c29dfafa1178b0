/**
 * `fence run` from the executable, where the bundle has this file in the place of launch.ts.
 *
 * Runs:     host, in the packed executable.
 */
import type * as Launch from "./launch.ts";
import { loadPart } from "./packed-part.ts";

export const { runLaunch } = loadPart<typeof Launch>("launch");
