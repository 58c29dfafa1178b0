/**
 * Picks the role, reports errors, exits. Nothing else exits.
 *
 * Runs:     host and sandbox: in the Node that the stub became.
 * Promises: every way out has one report and the exit status of docs/errors.md.
 */
import { writeSync } from "node:fs";
import { isSea } from "node:sea";
import { buildId, version } from "./base/build.ts";
import { asFenceError, FenceError } from "./base/errors.ts";
import { wordHint } from "./base/nearest-word.ts";
import { quoted } from "./base/quote.ts";
import { bootstrap } from "./bootstrap/bootstrap.ts";
import { serveBridges } from "./bootstrap/bridge-process.ts";
import { bootstrapOptions } from "./bootstrap/command-line.ts";
import { parseBootstrap } from "./bootstrap/options.ts";
import { runBridge } from "./bridge/run-bridge.ts";
import { chooseCommand, commandHint } from "./cli/commands.ts";
import { errorText } from "./cli/error-text.ts";
import { bootstrapHelp, bridgeHelp, checkHelp, completionHelp, generalHelp, runHelp } from "./cli/help.ts";
import { type Addon, loadAddon } from "./sys/addon.ts";
import { Front } from "./sys/front.ts";
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
    default:
      return runCommand(role, words);
  }
}

/** What needs nothing of the process that was started. Code of the host's is loaded only where it is used. */
async function runCommand(role: StubRole | null, words: readonly string[]): Promise<number> {
  const { name, args } = chooseCommand(words);
  switch (name) {
    case "bridge":
      return bridge(packed(role), args);
    case "check":
      return runCheck(args);
    case "config":
      return runConfigCommand(args);
    case "completion":
      return runCompletion(args);
    case "version":
      say(onlyWord(args, "--json") ? `${JSON.stringify(identity())}\n` : `fence ${version}\n`);
      return 0;
    case "help":
      onlyWord(args, null);
      say(generalHelp);
      return 0;
    case "run": // the stub gives these two another role
    case "bootstrap":
      throw notPacked();
  }
}

async function runCheck(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    say(checkHelp);
    return 0;
  }
  return check(onlyWord(args, "--json"));
}

async function check(asJson: boolean): Promise<number> {
  const host = await import("./launcher/check.ts");
  const { checkExitStatus, checkText } = await import("./cli/check-text.ts");
  const { hostFiles } = await import("./sys/host-files.ts");
  const { runChild } = await import("./sys/child.ts");
  const { surroundings } = await import("./launcher/surroundings.ts");
  const report = await host.check({ files: hostFiles, run: runChild, ...surroundings() });
  say(asJson ? `${JSON.stringify(report, null, 2)}\n` : checkText(report));
  return checkExitStatus(report);
}

async function runConfigCommand(args: readonly string[]): Promise<number> {
  const { runConfig } = await import("./cli/config-command.ts");
  const { createSettingsFile, readSettingsFile } = await import("./sys/settings-files.ts");
  const { surroundings } = await import("./launcher/surroundings.ts");
  const around = surroundings();
  say(runConfig(args, { read: readSettingsFile, create: createSettingsFile, uid: around.uid }, around));
  return 0;
}

async function runCompletion(args: readonly string[]): Promise<number> {
  const { completionScript, parseCompletion } = await import("./cli/completion.ts");
  const { completedCommands } = await import("./cli/completed-commands.ts");
  const { runOptions } = await import("./launcher/run-options.ts");
  const shell = parseCompletion(args);
  if (shell === "help") say(completionHelp);
  else say(completionScript(shell, completedCommands({ run: runOptions, bootstrap: bootstrapOptions })));
  return 0;
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

/** Its code is loaded for it alone: the bootstrap's start is not to wait for it. */
async function runLauncher(role: Extract<StubRole, { name: "launcher" }>, words: readonly string[]): Promise<number> {
  const addon = addonOf(role);
  addon.cancelAlarm();
  const waiting = new WaitingProcess(addon, role.socket);
  const front = new Front(addon, role.life);
  try {
    const { parseRun } = await import("./launcher/options.ts");
    const given = parseRun(chooseCommand(words).args);
    switch (given.kind) {
      case "help":
        say(runHelp);
        waiting.exit(0);
        return 0;
      case "check": {
        const status = await check(given.json);
        waiting.exit(status);
        return status;
      }
      case "launch": {
        const { launch, showLaunch } = await import("./launcher/launch.ts");
        const context = { addon, waiting, front, messages, say, environment: role.environment };
        const { action } = given.request;
        if (action.kind === "run") await launch(context, given.request);
        else await showLaunch(context, given.request, action.form);
        waiting.exit(0);
        return 0;
      }
    }
  } catch (thrown) {
    const error = withCommandHint(asFenceError(thrown), words);
    messages.write(errorText(error));
    waiting.exit(error.exitStatus);
    front.exit(error.exitStatus);
    return error.exitStatus;
  }
}

/** Whoever mistypes a command has named a program that is not there. */
function withCommandHint(error: FenceError, [first = ""]: readonly string[]): FenceError {
  const hint = error.code === "FENCE_PROGRAM_NOT_FOUND" ? commandHint(first) : null;
  if (hint === null) return error;
  const { details } = error;
  return new FenceError(error.code, error.message, { ...details, hint: `${hint} ${details.hint ?? ""}`.trim() });
}

async function runBridgeProcess(role: Extract<StubRole, { name: "bridges" }>): Promise<number> {
  const addon = addonOf(role);
  addon.cancelAlarm();
  await serveBridges(addon, role, messages);
  return 0;
}

async function bridge(role: StubRole, args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    say(bridgeHelp);
    return 0;
  }
  return runBridge(args, addonOf(role), say);
}

/** Whether the one word that may follow is there; any other is an error. */
function onlyWord(args: readonly string[], allowed: string | null): boolean {
  const [word, ...more] = args;
  const other = word === allowed ? more[0] : word;
  if (other === undefined) return word !== undefined;
  throw new FenceError("FENCE_USAGE", `unknown option ${quoted(other)}`, {
    hint: allowed === null ? "nothing may follow" : wordHint(other, [allowed]),
  });
}

function identity() {
  return { version, buildId, node: process.version, sea: isSea() };
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
