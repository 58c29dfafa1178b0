/**
 * A user's home directory with a project in it, and what the user runs there.
 *
 * Runs:     in end-to-end tests.
 * Promises: it is not in /tmp, of which a sandbox has one of its own; it lives as long as the test.
 */
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { type Launched, type LaunchOptions, type LaunchOutcome, launch, launched, type User } from "./launched.ts";

export interface Workplace {
  readonly home: string;
  /** The project, the working directory of all that runs. */
  readonly project: string;
  /** Of the home directory; the directories above are made. */
  readonly write: (path: string, text: string, mode?: number) => void;
  /** Starts `fence run OPTION... -- PROGRAM` there. */
  readonly launch: (program: readonly string[], options?: WorkOptions) => Launched;
  /** Settles when nothing of it is left. */
  readonly run: (program: readonly string[], options?: WorkOptions) => Promise<LaunchOutcome>;
  /** The same for a script of /bin/sh that ends with the first command that fails. */
  readonly shell: (script: string, options?: WorkOptions) => Promise<LaunchOutcome>;
}

export type WorkOptions = Omit<LaunchOptions, "user" | "home" | "cwd">;

const nobody = 65534;

export function workplace(user: User): Workplace {
  const home = mkdtempSync("/var/tmp/fw-");
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const project = join(home, "project");
  const own = (path: string): void => {
    if (user === "nobody" && process.geteuid?.() === 0) chownSync(path, nobody, nobody);
  };
  const directory = (path: string): void => {
    const made = mkdirSync(path, { recursive: true });
    if (made === undefined) return;
    for (let each = path; each.length >= made.length; each = dirname(each)) own(each);
  };
  own(home);
  directory(project);
  const placed = (options: WorkOptions): LaunchOptions => ({ ...options, user, home, cwd: project });
  const run = (program: readonly string[], options: WorkOptions = {}) => launched(program, placed(options));
  return {
    home,
    project,
    write: (path, text, mode = 0o644) => {
      const place = join(home, path);
      directory(dirname(place));
      writeFileSync(place, text, { mode });
      own(place);
    },
    launch: (program, options = {}) => launch(program, placed(options)),
    run,
    shell: (script, options) => run(["/bin/sh", "-euc", script], options),
  };
}

/** A tool of the host that a test prepares its ground with: what it printed. */
export function tool(command: readonly string[], cwd: string): string {
  const [file = "", ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(file, args, { cwd, encoding: "utf8" });
  if (status === 0) return stdout;
  throw new Error(`${command.join(" ")}: ${error?.message ?? stderr}`);
}
