/**
 * The roles beside the launcher's: the bootstrap's set-up, bridges, the network part. A part of its own in the executable.
 *
 * Runs:     host and sandbox: in the Node that the stub became.
 * Promises: the launcher reads none of it.
 * Source:   src/packed-roles.ts loads it
 */
import { asFenceError } from "./base/errors.ts";
import { bootstrap } from "./bootstrap/bootstrap.ts";
import { serveBridges } from "./bootstrap/bridge-process.ts";
import { parseBootstrap } from "./bootstrap/options.ts";
import { runBridge } from "./bridge/run-bridge.ts";
import { errorText } from "./cli/error-text.ts";
import { bootstrapHelp, bridgeHelp } from "./cli/help.ts";
import { serveNetwork } from "./network/network-process.ts";
import type { Addon } from "./sys/addon.ts";
import { Keeper } from "./sys/keeper.ts";
import type { Messages } from "./sys/messages.ts";
import { WaitingProcess } from "./sys/stub.ts";
import type { StubRole } from "./sys/stub-role.ts";

/** P0's argument 0 is the executable, argument 1 the word `bootstrap`. */
const firstOption = 2;

export interface RoleContext {
  readonly addon: Addon;
  readonly messages: Messages;
  /** To standard output. */
  readonly say: (text: string) => void;
}

/** `words` are all that follow the executable. Answers the exit status. */
export async function runRole(
  context: RoleContext,
  role: Extract<StubRole, { name: "set-up" | "bridges" | "network" }>,
  words: readonly string[],
): Promise<number> {
  switch (role.name) {
    case "set-up":
      return runBootstrap(context, role, words.slice(1));
    case "bridges":
      await serveBridges(context.addon, role, context.messages);
      return 0;
    case "network":
      await serveNetwork(context.addon, role.channel);
      return 0;
  }
}

/** `fence bridge`: `args` follow the word. Answers the exit status. */
export async function runBridgeCommand(addon: () => Addon, say: (text: string) => void, args: readonly string[]) {
  if (args.includes("--help")) {
    say(bridgeHelp);
    return 0;
  }
  return runBridge(args, addon(), say);
}

/** The report must be out before P0 ends: the sandbox may end with it. */
async function runBootstrap(
  { addon, messages, say }: RoleContext,
  role: Extract<StubRole, { name: "set-up" }>,
  args: readonly string[],
): Promise<number> {
  const waiting = new WaitingProcess(addon, role.socket);
  const keeper = new Keeper(addon, role.keeper);
  try {
    const command = parseBootstrap(args, firstOption);
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
