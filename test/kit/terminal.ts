/**
 * A command under a terminal of its own, whose session it leads.
 *
 * Runs:     in end-to-end tests.
 * Promises: what is typed is what a user would type; the command is hung up on when the test has ended.
 * Source:   test/e2e/probe/terminal.c
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFailed, onTestFinished } from "vitest";
import { terminal } from "./probe.ts";
import { allProcesses } from "./processes.ts";

export const key = {
  interrupt: "\x03",
  quit: "\x1c",
  suspend: "\x1a",
  end: "\x04",
  /** The window has 33 rows and 99 columns now, instead of 24 and 80. */
  resize: "\xff",
  /** The terminal is gone. */
  hangUp: "\xfe",
};

/** An interactive shell whose editor takes no part. */
export const shell = ["bash", "--norc", "--noprofile", "--noediting", "-i"];

/** The words for a shell. */
export function quoted(command: readonly string[]): string {
  return command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
}

export class Terminal {
  /** The command's exit status, or 128 plus the signal that ended it. */
  readonly ended: Promise<number | null>;
  readonly #child;
  #shown = "";
  #seen = 0;
  #awaited = "";
  #wake = () => {};

  /** Without echo it shows only what programs write: an echo is shown at any time before or after the answer. */
  constructor(command: readonly string[], echo: "echo" | "no echo" = "echo") {
    this.#child = spawn(terminal, echo === "echo" ? command : ["no-echo", ...command], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { PATH: process.env["PATH"], PS1: "$ ", LC_ALL: "C" },
    });
    this.#child.stdin.on("error", () => {}); // the command may have ended
    this.#child.stdout.setEncoding("latin1").on("data", (more) => {
      this.#shown += more;
      this.#wake();
    });
    this.ended = once(this.#child, "close").then(([status]) => {
      this.#wake();
      return status;
    });
    onTestFailed(() => {
      console.error(
        `${command.join(" ")}\nwaited for ${JSON.stringify(this.#awaited)} in ${JSON.stringify(this.#shown)}`,
      );
    });
    onTestFinished(() => {
      this.type(key.hangUp);
    });
  }

  /** Characters of one byte, or a key. */
  type(text: string): void {
    if (text === key.hangUp) this.#child.stdin.end();
    else this.#child.stdin.write(text, "latin1");
  }

  /** Waits until this is shown, behind what was waited for before. */
  async until(shown: string): Promise<void> {
    this.#awaited = shown;
    for (;;) {
      const at = this.#shown.indexOf(shown, this.#seen);
      if (at >= 0) {
        this.#seen = at + shown.length;
        return;
      }
      if (this.#child.exitCode !== null) throw new Error(`ended without ${JSON.stringify(shown)}: ${this.#shown}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Settles when nobody under the terminal runs: all wait for it, or for each other, or are stopped. */
  async settled(): Promise<void> {
    while (statesUnder(this.#child.pid ?? 0).includes("R")) await new Promise(setImmediate);
  }

  /** All that was shown, without carriage returns. */
  get shown(): string {
    return this.#shown.replaceAll("\r", "");
  }
}

/** The states of all in the sessions that lead to this process's children. */
function statesUnder(parent: number): readonly string[] {
  const all = allProcesses();
  const leaders = all.filter((each) => each.parent === parent).map(({ session }) => session);
  return all.filter(({ session }) => leaders.includes(session)).map(({ state }) => state);
}
