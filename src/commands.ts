/**
 * The commands around `fence run`, and the library's service. A part of its own in the executable.
 *
 * Runs:     host, in the Node that the stub became.
 * Promises: every way out has one report and the exit status of docs/errors.md; errors of this part do not leave it.
 * Source:   src/packed-commands.ts loads it
 */
import { isSea } from "node:sea";
import { buildId, version } from "./base/build.ts";
import { asFenceError, FenceError } from "./base/errors.ts";
import { wordHint } from "./base/nearest-word.ts";
import { quoted } from "./base/quote.ts";
import { bootstrapOptions } from "./bootstrap/command-line.ts";
import { checkExitStatus, checkText } from "./cli/check-text.ts";
import { chooseCommand } from "./cli/commands.ts";
import { completedCommands } from "./cli/completed-commands.ts";
import { completionScript, parseCompletion } from "./cli/completion.ts";
import { runConfig } from "./cli/config-command.ts";
import { errorText } from "./cli/error-text.ts";
import { checkHelp, completionHelp, generalHelp } from "./cli/help.ts";
import { check } from "./launcher/check.ts";
import { runOptions } from "./launcher/run-options.ts";
import { surroundings } from "./launcher/surroundings.ts";
import { serve } from "./service/service.ts";
import type { Addon } from "./sys/addon.ts";
import { runChild } from "./sys/child.ts";
import { hostFiles } from "./sys/host-files.ts";
import type { Messages } from "./sys/messages.ts";
import { createSettingsFile, readSettingsFile } from "./sys/settings-files.ts";

interface CommandContext {
  readonly messages: Messages;
  /** To standard output. */
  readonly say: (text: string) => void;
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

/** `fence check`. Answers the exit status. */
export async function checkHost(say: (text: string) => void, asJson: boolean): Promise<number> {
  const report = await check({ files: hostFiles, run: runChild, ...surroundings() });
  say(asJson ? `${JSON.stringify(report, null, 2)}\n` : checkText(report));
  return checkExitStatus(report);
}

function completion(args: readonly string[]): string {
  const shell = parseCompletion(args);
  if (shell === "help") return completionHelp;
  return completionScript(shell, completedCommands({ run: runOptions, bootstrap: bootstrapOptions }));
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
