/**
 * The commands of the host: `fence run` and those around it. A part of its own in the executable.
 *
 * Runs:     host, in the Node that the stub became.
 * Promises: every way out has one report and the exit status of docs/errors.md; errors of this part do not leave it.
 * Source:   src/packed-host.ts loads it
 */
import { readFileSync } from "node:fs";
import { isSea } from "node:sea";
import { buildId, version } from "./base/build.ts";
import { asFenceError, FenceError } from "./base/errors.ts";
import { wordHint } from "./base/nearest-word.ts";
import { quoted } from "./base/quote.ts";
import { bootstrapOptions } from "./bootstrap/command-line.ts";
import { checkExitStatus, checkText } from "./cli/check-text.ts";
import { chooseCommand, commandHint } from "./cli/commands.ts";
import { completedCommands } from "./cli/completed-commands.ts";
import { completionScript, parseCompletion } from "./cli/completion.ts";
import { runConfig } from "./cli/config-command.ts";
import { errorText } from "./cli/error-text.ts";
import { checkHelp, completionHelp, generalHelp, runHelp } from "./cli/help.ts";
import { check } from "./launcher/check.ts";
import { launch, showLaunch } from "./launcher/launch.ts";
import { parseRun } from "./launcher/options.ts";
import { runOptions } from "./launcher/run-options.ts";
import { surroundings } from "./launcher/surroundings.ts";
import { serve } from "./service/service.ts";
import type { Addon } from "./sys/addon.ts";
import { runChild } from "./sys/child.ts";
import { Front } from "./sys/front.ts";
import { hostFiles } from "./sys/host-files.ts";
import type { Messages } from "./sys/messages.ts";
import { originalEnvironment } from "./sys/original-environment.ts";
import { createSettingsFile, readSettingsFile } from "./sys/settings-files.ts";
import { WaitingProcess } from "./sys/stub.ts";
import type { StubRole } from "./sys/stub-role.ts";

interface CommandContext {
  readonly messages: Messages;
  /** To standard output. */
  readonly say: (text: string) => void;
}

interface LaunchRole extends CommandContext {
  readonly addon: Addon;
  readonly role: Extract<StubRole, { name: "launcher" }>;
}

/** `fence run`, or plain `fence`: `words` are all that follow the executable. Answers this process's exit status. */
export async function runLaunch({ addon, role, messages, say }: LaunchRole, words: readonly string[]): Promise<number> {
  const waiting = new WaitingProcess(addon, role.socket);
  const front = new Front(addon, role.life);
  try {
    const given = parseRun(chooseCommand(words).args);
    switch (given.kind) {
      case "help":
        say(runHelp);
        waiting.exit(0);
        return 0;
      case "check": {
        const status = await checkHost(say, given.json);
        waiting.exit(status);
        return status;
      }
      case "launch": {
        const environment = () => originalEnvironment(readFileSync(role.environment));
        const context = { addon, waiting, front, messages, environment };
        const { action } = given.request;
        if (action.kind === "run") await launch(context, given.request);
        else await showLaunch({ ...context, say }, given.request, action.form);
        waiting.exit(0);
        messages.close(addon);
        front.leave();
        return 0;
      }
    }
  } catch (thrown) {
    const error = withCommandHint(asFenceError(thrown), words);
    messages.write(errorText(error));
    waiting.exit(error.exitStatus);
    messages.close(addon);
    front.exit(error.exitStatus);
    return error.exitStatus;
  }
}

/** Every other command but `bootstrap` and `bridge`. Answers the exit status. */
export async function runHostCommand({ messages, say }: CommandContext, words: readonly string[]): Promise<number> {
  try {
    const { name, args } = chooseCommand(words);
    switch (name) {
      case "check":
        if (args.includes("--help")) say(checkHelp);
        else return await checkHost(say, onlyWord(args, "--json"));
        return 0;
      case "config": {
        const around = surroundings();
        say(runConfig(args, { read: readSettingsFile, create: createSettingsFile, uid: around.uid }, around));
        return 0;
      }
      case "completion":
        say(completion(args));
        return 0;
      case "version":
        say(onlyWord(args, "--json") ? `${JSON.stringify(identity())}\n` : `fence ${version}\n`);
        return 0;
      case "help":
        onlyWord(args, null);
        say(generalHelp);
        return 0;
      default:
        throw new FenceError("FENCE_STUB", "this command works only in the packed executable", {
          hint: "run dist/fence",
        });
    }
  } catch (thrown) {
    const error = asFenceError(thrown);
    messages.write(errorText(error));
    return error.exitStatus;
  }
}

/** `fence service`, which the library starts. Answers the exit status. */
export async function runService(addon: Addon, { messages }: Pick<CommandContext, "messages">): Promise<number> {
  try {
    return await serve(addon);
  } catch (thrown) {
    const error = asFenceError(thrown);
    messages.write(errorText(error));
    return error.exitStatus;
  }
}

async function checkHost(say: (text: string) => void, asJson: boolean): Promise<number> {
  const report = await check({ files: hostFiles, run: runChild, ...surroundings() });
  say(asJson ? `${JSON.stringify(report, null, 2)}\n` : checkText(report));
  return checkExitStatus(report);
}

function completion(args: readonly string[]): string {
  const shell = parseCompletion(args);
  if (shell === "help") return completionHelp;
  return completionScript(shell, completedCommands({ run: runOptions, bootstrap: bootstrapOptions }));
}

/** Whoever mistypes a command has named a program that is not there. */
function withCommandHint(error: FenceError, [first = ""]: readonly string[]): FenceError {
  const hint = error.code === "FENCE_PROGRAM_NOT_FOUND" ? commandHint(first) : null;
  if (hint === null) return error;
  const { details } = error;
  return new FenceError(error.code, error.message, { ...details, hint: `${hint} ${details.hint ?? ""}`.trim() });
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
