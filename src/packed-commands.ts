/**
 * The commands around `fence run` from the executable, where the bundle has this file in the place of commands.ts.
 *
 * Runs:     host, in the packed executable.
 */
import type * as Commands from "./commands.ts";
import { loadPart } from "./packed-part.ts";

export const { checkHost, runHostCommand, runService } = loadPart<typeof Commands>("commands");
