/**
 * What relays from the executable, where the bundle has this file in the place of relays.ts.
 *
 * Runs:     host and sandbox, in the packed executable.
 */
import { loadPart } from "./packed-part.ts";
import type * as Relays from "./relays.ts";

export const { runBridgeCommand, runRelays } = loadPart<typeof Relays>("relays");
