/**
 * The other roles from the executable, where the bundle has this file in the place of roles.ts.
 *
 * Runs:     host and sandbox, in the packed executable.
 */
import { loadPart } from "./packed-part.ts";
import type * as Roles from "./roles.ts";

export const { runBridgeCommand, runRole } = loadPart<typeof Roles>("roles");
