/**
 * A shell in a sandbox, which is told one command after the other.
 *
 * Runs:     on the host (npm run demo).
 * Promises: prints each command, all that it printed, and whether it worked.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

export interface Attempt {
  readonly command: string;
  readonly granted: boolean;
}

export interface ShellOptions {
  readonly cwd?: string;
  readonly home?: string;
  /** What is printed for what was read. */
  readonly named: (text: string) => string;
}

const mark = "\0";

export class DemoShell {
  readonly #child;
  readonly #stdin: Writable;
  readonly #reports: AsyncIterator<string>;
  readonly #named: (text: string) => string;
  readonly #ended: Promise<number | null>;
  #output = "";
  #hasEnded = false;
  #wake = () => {};

  /** Descriptor 3 is for reports. */
  constructor([file = "", ...args]: readonly string[], { cwd, home, named }: ShellOptions) {
    this.#named = named;
    this.#child = spawn(file, args, {
      stdio: ["pipe", "pipe", "inherit", "pipe"],
      env: { ...process.env, ...(home !== undefined && { HOME: home }) },
      ...(cwd !== undefined && { cwd }),
    });
    const [stdin, stdout, , reports] = this.#child.stdio as unknown as [Writable, Readable, null, Readable];
    this.#stdin = stdin.on("error", () => {}); // the shell may have ended
    this.#reports = createInterface({ input: reports })[Symbol.asyncIterator]();
    stdout.setEncoding("utf8").on("data", (more: string) => {
      this.#output += more;
      this.#wake();
    });
    this.#ended = once(this.#child, "close").then(([status]) => {
      this.#hasEnded = true;
      this.#wake();
      return status;
    });
  }

  /** A command that is not shown. */
  tell(command: string): void {
    this.#stdin.write(`${command}\n`);
  }

  /** Whether it went as promised. Throws when the shell is gone. */
  async try({ command, granted }: Attempt): Promise<boolean> {
    this.tell(`{ ${command}; } 2>&1; echo "$?"; printf '\\0'`);
    const lines = (await this.#answer()).trimEnd().split("\n");
    const worked = lines.pop() === "0";
    console.log(`  $ ${this.#named(command)}`);
    for (const line of lines) console.log(`      ${this.#named(line)}`);
    console.log(`      -> ${worked ? "works" : "denied"}${worked === granted ? "" : " (NOT as promised)"}`);
    return worked === granted;
  }

  /** All of the attempts that did not go as promised. */
  async all(attempts: readonly Attempt[]): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (const attempt of attempts) if (!(await this.try(attempt))) wrong.push(attempt.command);
    return wrong;
  }

  /** The next report of this kind. Throws when there is none. */
  async report(event: string): Promise<Readonly<Record<string, unknown>>> {
    for (;;) {
      const { value, done } = await this.#reports.next();
      if (done) throw new Error(`there was no report "${event}"`);
      const report = JSON.parse(value);
      if (report.event === event) return report;
    }
  }

  /** The status that it ends with after this command. */
  end(command: string): Promise<number | null> {
    this.#stdin.end(`${command}\n`);
    return this.#ended;
  }

  async #answer(): Promise<string> {
    for (;;) {
      const at = this.#output.indexOf(mark);
      if (at >= 0) {
        const answer = this.#output.slice(0, at);
        this.#output = this.#output.slice(at + mark.length);
        return answer;
      }
      if (this.#hasEnded) throw new Error(`the sandbox ended with ${this.#child.exitCode ?? this.#child.signalCode}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
