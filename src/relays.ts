/**
 * What relays: the bridges of a set-up, the network part, `fence bridge`. A part of its own in the executable.
 *
 * Runs:     host and sandbox: in the Node that the stub became.
 * Promises: the launcher and the set-up read none of it.
 * Source:   src/packed-relays.ts loads it
 */
import { serveBridges } from "./bootstrap/bridge-process.ts";
import { runBridge } from "./bridge/run-bridge.ts";
import { bridgeHelp } from "./cli/help.ts";
import { serveNetwork } from "./network/network-process.ts";
import type { Addon } from "./sys/addon.ts";
import type { Messages } from "./sys/messages.ts";
import type { StubRole } from "./sys/stub-role.ts";

export interface RelayContext {
  readonly addon: Addon;
  readonly messages: Messages;
}

/** Settles when nobody needs it any more. */
export async function runRelays(
  { addon, messages }: RelayContext,
  role: Extract<StubRole, { name: "bridges" | "network" }>,
): Promise<void> {
  if (role.name === "bridges") await serveBridges(addon, role, messages);
  else await serveNetwork(addon, role.channel);
}

/** `fence bridge`: `args` follow the word. Answers the exit status. */
export async function runBridgeCommand(addon: () => Addon, say: (text: string) => void, args: readonly string[]) {
  if (args.includes("--help")) {
    say(bridgeHelp);
    return 0;
  }
  return runBridge(args, addon(), say);
}
