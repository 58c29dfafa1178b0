/**
 * A command under a terminal of its own, whose session it leads.
 *
 * Runs:     in end-to-end tests.
 * Promises: what is typed is what a user would type; the command is hung up on when the test has ended.
 * Source:   test/e2e/probe/terminal.c
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { terminal } from "./probe.ts";

export const key = { interrupt: "\x03", quit: "\x1c", suspend: "\x1a", end: "\x04" };

export class Terminal {
  /** The command's exit status, or 128 plus the signal that ended it. */
  readonly ended: Promise<number | null>;
  readonly #child;
  #shown = "";
  #seen = 0;
  #wake = () => {};

  constructor(command: readonly string[]) {
    this.#child = spawn(terminal, command, {
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
    onTestFinished(() => {
      this.hangUp();
    });
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  /** To 33 rows and 99 columns. */
  resize(): void {
    this.#child.stdin.write(Buffer.from([0xff]));
  }

  hangUp(): void {
    this.#child.stdin.end();
  }

  /** Waits until this is shown, behind what was waited for before. */
  async until(shown: string): Promise<void> {
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

  /** All that was shown, without carriage returns. */
  get shown(): string {
    return this.#shown.replaceAll("\r", "");
  }
}
