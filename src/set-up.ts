/**
 * The bootstrap's set-up, which every start with Node in the sandbox waits for. A part of its own in the executable.
 *
 * Runs:     sandbox, in the Node that the stub became.
 * Promises: nobody else reads any of it.
 * Source:   src/packed-set-up.ts loads it
 */
import { asFenceError } from "./base/errors.ts";
import { bootstrap } from "./bootstrap/bootstrap.ts";
import { parseBootstrap } from "./bootstrap/options.ts";
import { errorText } from "./cli/error-text.ts";
import { bootstrapHelp } from "./cli/help.ts";
import type { Addon } from "./sys/addon.ts";
import { Keeper } from "./sys/keeper.ts";
import type { Messages } from "./sys/messages.ts";
import { WaitingProcess } from "./sys/stub.ts";
import type { StubRole } from "./sys/stub-role.ts";

/** P0's argument 0 is the executable, argument 1 the word `bootstrap`. */
const firstOption = 2;

export interface SetUpContext {
  readonly addon: Addon;
  readonly messages: Messages;
  /** To standard output. */
  readonly say: (text: string) => void;
}

/**
 * `words` are all that follow the executable. Answers the exit status. The report is out before P0 ends: the sandbox may end
 * with it.
 */
export async function runSetUp(
  { addon, messages, say }: SetUpContext,
  role: Extract<StubRole, { name: "set-up" }>,
  words: readonly string[],
): Promise<number> {
  const waiting = new WaitingProcess(addon, role.socket);
  const keeper = new Keeper(addon, role.keeper);
  try {
    const command = parseBootstrap(words.slice(1), firstOption);
    if (command.help) {
      say(bootstrapHelp);
      waiting.exit(0);
    } else {
      await bootstrap({ addon, waiting, keeper, environment: process.env, messages }, command);
    }
    return 0;
  } catch (thrown) {
    const error = asFenceError(thrown);
    if (!waiting.hasEnded) messages.write(errorText(error));
    waiting.exit(error.exitStatus);
    return error.exitStatus;
  }
}
