/**
 * Picks the role, reports errors, exits. Nothing else exits.
 *
 * Runs:     host and sandbox: in the Node that the stub became.
 * Promises: every way out has one report and the exit status of docs/errors.md.
 */
import { writeSync } from "node:fs";
import { version } from "./base/build.ts";
import { asFenceError, FenceError } from "./base/errors.ts";
import { bootstrap } from "./bootstrap/bootstrap.ts";
import { serveBridges } from "./bootstrap/bridge-process.ts";
import { parseBootstrap } from "./bootstrap/options.ts";
import { runBridge } from "./bridge/run-bridge.ts";
import { errorText } from "./cli/error-text.ts";
import { bootstrapHelp, bridgeHelp } from "./cli/help.ts";
import { serveNetwork } from "./network/network-process.ts";
import { type Addon, loadAddon } from "./sys/addon.ts";
import { Keeper } from "./sys/keeper.ts";
import { Messages } from "./sys/messages.ts";
import { WaitingProcess } from "./sys/stub.ts";
import { type StubRole, takeStubRole } from "./sys/stub-role.ts";

/** process.argv also holds the executable's path, which P0's own arguments lack. */
const ownArguments = 2;
/** P0's argument 0 is the executable, argument 1 the word `bootstrap`. */
const firstOption = 2;

const messages = new Messages();

/** Whoever closed standard output does not want to know. */
function say(text: string): void {
  try {
    writeSync(1, text);
  } catch {
    // As above.
  }
}

async function main(): Promise<number> {
  const role = takeStubRole(process.env);
  const words = process.argv.slice(ownArguments);
  switch (role?.name) {
    case "bridges":
      return runBridgeProcess(role);
    case "set-up":
      return runBootstrap(role, words.slice(1));
    case "launcher":
      return runLauncher(role, words);
    case "network":
      return runNetworkPart(role);
    default:
      return runCommand(role, words);
  }
}

/** What needs nothing of the process that was started. Code of the host's is loaded only where it is used. */
/** What the host's commands need is loaded for them alone: the bootstrap's start is not to wait for it. */
async function runLauncher(role: Extract<StubRole, { name: "launcher" }>, words: readonly string[]): Promise<number> {
  const addon = addonOf(role);
  addon.cancelAlarm();
  const { runLaunch } = await import("./host.ts");
  return runLaunch({ addon, role, messages, say }, words);
}

/** What needs nothing of the process that was started. */
async function runCommand(role: StubRole | null, words: readonly string[]): Promise<number> {
  const [command, ...args] = words;
  if (command === "bridge") return bridge(packed(role), args);
  if (command === "service") return service(packed(role));
  if (command === "bootstrap") throw notPacked(); // the stub gives this command another role
  if (command === "--version" && args.length === 0) {
    say(`fence ${version}\n`);
    return 0;
  }
  const { runHostCommand } = await import("./host.ts");
  return runHostCommand({ messages, say }, words);
}

/** The report must be out before P0 ends: the sandbox may end with it. */
async function runBootstrap(role: Extract<StubRole, { name: "set-up" }>, args: readonly string[]): Promise<number> {
  const addon = addonOf(role);
  addon.cancelAlarm();
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

async function runBridgeProcess(role: Extract<StubRole, { name: "bridges" }>): Promise<number> {
  const addon = addonOf(role);
  addon.cancelAlarm();
  await serveBridges(addon, role, messages);
  return 0;
}

async function runNetworkPart(role: Extract<StubRole, { name: "network" }>): Promise<number> {
  const addon = addonOf(role);
  addon.cancelAlarm();
  await serveNetwork(addon, role.channel);
  return 0;
}

async function service(role: StubRole): Promise<number> {
  const addon = addonOf(role);
  addon.cancelAlarm();
  const { runService } = await import("./host.ts");
  return runService(addon, { messages });
}

async function bridge(role: StubRole, args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    say(bridgeHelp);
    return 0;
  }
  return runBridge(args, addonOf(role), say);
}

/** The addon, whose memory file is mapped and no longer needed. */
function addonOf({ addon: file }: StubRole): Addon {
  const addon = loadAddon(`/proc/self/fd/${file}`);
  addon.closeDescriptor(file);
  return addon;
}

function packed(role: StubRole | null): StubRole {
  if (role === null) throw notPacked();
  return role;
}

function notPacked(): FenceError {
  return new FenceError("FENCE_STUB", "this command works only in the packed executable", { hint: "run dist/fence" });
}

function fail(thrown: unknown): never {
  const error = asFenceError(thrown);
  messages.write(errorText(error));
  process.exit(error.exitStatus);
}

process.on("uncaughtException", fail);
main().then((status) => process.exit(status), fail);
