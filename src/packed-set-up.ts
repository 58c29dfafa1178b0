/**
 * The bootstrap's set-up from the executable, where the bundle has this file in the place of set-up.ts.
 *
 * Runs:     sandbox, in the packed executable.
 */
import { loadPart } from "./packed-part.ts";
import type * as SetUp from "./set-up.ts";

export const { runSetUp } = loadPart<typeof SetUp>("set-up");
