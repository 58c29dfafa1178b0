/**
 * Picks the role, reports errors, exits. Nothing else exits.
 *
 * Runs:     host and sandbox: in the Node that the stub became.
 * Promises: every way out has one report and the exit status of docs/errors.md.
 */
import { writeSync } from "node:fs";
import { version } from "./base/build.ts";
import { asFenceError, FenceError } from "./base/errors.ts";
import { errorText } from "./cli/error-text.ts";
import { type Addon, loadAddon } from "./sys/addon.ts";
import { Messages } from "./sys/messages.ts";
import { type StubRole, takeStubRole } from "./sys/stub-role.ts";

/** process.argv also holds the executable's path, which P0's own arguments lack. */
const ownArguments = 2;

const messages = new Messages();

/** Whoever closed standard output does not want to know. */
function say(text: string): void {
  try {
    writeSync(1, text);
  } catch {
    // As above.
  }
}

/** Each loads what it needs alone: nobody's start is to wait for what others do. */
async function main(): Promise<number> {
  const role = takeStubRole(process.env);
  const words = process.argv.slice(ownArguments);
  switch (role?.name) {
    case "launcher": {
      const addon = startedAddon(role);
      const { runLaunch } = await import("./launch.ts");
      return runLaunch({ addon, role, messages, say }, words);
    }
    case "set-up": {
      const addon = startedAddon(role);
      const { runSetUp } = await import("./set-up.ts");
      return runSetUp({ addon, messages, say }, role, words);
    }
    case "bridges":
    case "network": {
      const addon = startedAddon(role);
      const { runRelays } = await import("./relays.ts");
      await runRelays({ addon, messages }, role);
      return 0;
    }
    default:
      return runCommand(role, words);
  }
}

/** What needs nothing of the process that was started. */
async function runCommand(role: StubRole | null, words: readonly string[]): Promise<number> {
  const [command, ...args] = words;
  if (command === "bridge") {
    const { runBridgeCommand } = await import("./relays.ts");
    return runBridgeCommand(() => addonOf(packed(role)), say, args);
  }
  if (command === "service") return service(packed(role));
  if (command === "bootstrap") throw notPacked(); // the stub gives this command another role
  if (command === "--version" && args.length === 0) {
    say(`fence ${version}\n`);
    return 0;
  }
  const { runHostCommand } = await import("./commands.ts");
  return runHostCommand({ messages, say }, words);
}

/** For a library. */
async function service(role: StubRole): Promise<number> {
  const addon = startedAddon(role);
  const { runService } = await import("./commands.ts");
  return runService(addon, { messages });
}

/** Its start is over: the stub's alarm would have ended it else. */
function startedAddon(role: StubRole): Addon {
  const addon = addonOf(role);
  addon.cancelAlarm();
  return addon;
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
