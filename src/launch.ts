/**
 * `fence run`. A part of its own in the executable.
 *
 * Runs:     host, in the Node that the stub became.
 * Promises: every way out has one report and the exit status of docs/errors.md; errors of this part do not leave it.
 * Source:   src/packed-launch.ts loads it
 */
import { readFileSync } from "node:fs";
import { asFenceError, FenceError } from "./base/errors.ts";
import { chooseCommand, commandHint } from "./cli/commands.ts";
import { errorText } from "./cli/error-text.ts";
import { runHelp } from "./cli/help.ts";
import { launch, showLaunch } from "./launcher/launch.ts";
import { parseRun } from "./launcher/options.ts";
import type { Addon } from "./sys/addon.ts";
import { Front } from "./sys/front.ts";
import type { Messages } from "./sys/messages.ts";
import { originalEnvironment } from "./sys/original-environment.ts";
import { WaitingProcess } from "./sys/stub.ts";
import type { StubRole } from "./sys/stub-role.ts";

interface LaunchRole {
  readonly messages: Messages;
  /** To standard output. */
  readonly say: (text: string) => void;
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
        const { checkHost } = await import("./commands.ts");
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

/** Whoever mistypes a command has named a program that is not there. */
function withCommandHint(error: FenceError, [first = ""]: readonly string[]): FenceError {
  const hint = error.code === "FENCE_PROGRAM_NOT_FOUND" ? commandHint(first) : null;
  if (hint === null) return error;
  const { details } = error;
  return new FenceError(error.code, error.message, { ...details, hint: `${hint} ${details.hint ?? ""}`.trim() });
}
