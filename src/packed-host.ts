/**
 * The host's commands from the executable, where the bundle has this file in the place of host.ts.
 *
 * Runs:     host, in the packed executable.
 */
import type * as Host from "./host.ts";
import { loadPart } from "./packed-part.ts";

export const { runHostCommand, runLaunch, runService } = loadPart<typeof Host>("host");
