/**
 * `fence run` as a process: what it is given, what comes of it, and every process that it starts.
 *
 * Runs:     in end-to-end tests.
 * Promises: `gone` settles only when no process is left of all that was started, also of those that have detached
 *           themselves; HOME and the working directory are a fresh directory unless the test names others; whatever is
 *           left is killed when the test has ended.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, readdirSync, readlinkSync } from "node:fs";
import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { onTestFinished } from "vitest";
import { kill } from "./kept-sandbox.ts";
import { arrange, family } from "./probe.ts";
import { allProcesses, type SeenProcess } from "./processes.ts";
import { fence, folder, type Json } from "./sandbox.ts";
import { testFolder } from "./test-folder.ts";
import { confirmWay, type Way, wayOptions, ways } from "./ways.ts";

/** Also of whoever is not root, who is one of them already. */
export const users = ["root", "nobody"] as const;
export type User = (typeof users)[number];

export interface LaunchOptions {
  /** Of fence run. */
  readonly options?: readonly string[];
  /** "nothing": the program is started directly, the twin; a way: fence has to go it; "fence": its default, whatever that is. */
  readonly through?: "fence" | "nothing" | Way;
  /** Whose all of it is. */
  readonly user?: User;
  /** Added to HOME and PATH. */
  readonly env?: Readonly<Record<string, string>>;
  /** What is on standard input, which then ends; "held": the test writes it. */
  readonly input?: string | Buffer | "held";
  /** Steps of arrange.c before it is started. */
  readonly arranged?: readonly string[];
  readonly home?: string;
  readonly cwd?: string;
}

export interface LaunchOutcome {
  /** null when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What was reported on the status descriptor. */
  readonly reports: readonly Json[];
}

export type Role = "front" | "launcher" | "bwrap" | "init" | "program";

/** A directory that the user may write. */
export function homeFolder(): string {
  const home = folder();
  chmodSync(home, 0o777);
  return home;
}

/** What XDG_RUNTIME_DIR is to be for the user. */
export function runtimeFolder(user: User = "root"): string {
  const runtime = folder();
  chmodSync(runtime, 0o700);
  if (user === "nobody" && process.geteuid?.() === 0) chownSync(runtime, 65534, 65534);
  return runtime;
}

/** Starts it and waits for nothing. */
export function launch(program: readonly string[], options: LaunchOptions = {}): Launched {
  return new Launched(program, options);
}

/** Settles when nothing of it is left. */
export function launched(program: readonly string[], options: LaunchOptions = {}): Promise<LaunchOutcome> {
  return launch(program, options).outcome;
}

/** The command line, without what arranges it. The tests' own programs can be read in the sandbox. */
export function launchCommand(program: readonly string[], { options = [], through }: LaunchOptions = {}) {
  if (through === "nothing") return program;
  const way = through === undefined || through === "fence" ? [] : wayOptions[through];
  return [fence, "run", "--allow-read", testFolder(), ...way, ...options, "--", ...program];
}

const asUser = { root: [], nobody: ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"] };

export class Launched {
  readonly home: string;
  /** Settles when no process is left. */
  readonly gone: Promise<void>;
  readonly #through: LaunchOptions["through"];
  readonly #family: ChildProcess;
  readonly #stdout: Lines;
  readonly #stderr: Lines;
  readonly #reports: Lines;
  readonly #ends: Lines;
  #front: Promise<number> | null = null;
  #frontPid = -1;

  constructor(program: readonly string[], options: LaunchOptions) {
    const { user = "root", env = {}, input = "", arranged = [], home = homeFolder(), cwd = home } = options;
    this.home = home;
    this.#through = options.through;
    const status = options.through === "nothing" ? [] : ["--status-fd", "4"];
    const command = launchCommand(program, { ...options, options: [...status, ...(options.options ?? [])] });
    const steps = arranged.length === 0 ? [] : [arrange, ...arranged, "--"];
    const who = process.geteuid?.() === 0 ? asUser[user] : [];
    this.#family = spawn(family, [...who, ...steps, ...command], {
      stdio: ["pipe", "pipe", "pipe", "ignore", options.through === "nothing" ? "ignore" : "pipe", "pipe"],
      env: { PATH: process.env["PATH"], HOME: home, ...env },
      cwd,
      detached: true,
    });
    const [stdin, stdout, stderr, , reports, ends] = this.#family.stdio as unknown as readonly Readable[];
    this.#stdout = new Lines(stdout);
    this.#stderr = new Lines(stderr);
    this.#reports = new Lines(reports);
    this.#ends = new Lines(ends);
    feed(stdin as unknown as Writable, input);
    this.gone = once(this.#family, "close").then(() => {});
    onTestFinished(() => {
      for (const { pid } of this.processes()) kill(pid, "SIGKILL");
    });
  }

  /** Its process: of `fence run`, or of the program that was started directly. */
  get front(): Promise<number> {
    this.#front ??= this.#ends.next().then((line) => {
      const [, pid] = /^pid (\d+)$/.exec(line ?? "") ?? [];
      if (pid === undefined) throw new Error(`it was not started: ${line}`);
      this.#frontPid = Number(pid);
      return this.#frontPid;
    });
    return this.#front;
  }

  /** The process group: the front and the sandbox. */
  get group(): number {
    return this.#family.pid ?? -1;
  }

  /** The next line that the program prints; null at its end. */
  line(): Promise<string | null> {
    return this.#stdout.next();
  }

  /** The next line of standard error. */
  errorLine(): Promise<string | null> {
    return this.#stderr.next();
  }

  tell(command: string): void {
    this.#family.stdin?.write(`${command}\n`);
  }

  /** The next line after this command. */
  ask(command: string): Promise<string | null> {
    this.tell(command);
    return this.line();
  }

  /** Standard input ends. */
  end(): void {
    this.#family.stdin?.end();
  }

  /** The next report of this kind; null when there is none any more. */
  async report(event: string): Promise<Json> {
    for (;;) {
      const line = await this.#reports.next();
      if (line === null) return null;
      const report = JSON.parse(line);
      if (report.event === event) return report;
    }
  }

  /** Settles when no process is left. */
  get outcome(): Promise<LaunchOutcome> {
    return this.#outcome();
  }

  async #outcome(): Promise<LaunchOutcome> {
    await this.front;
    const end = (await this.#ends.next()) ?? "";
    await this.gone;
    const [, word, number] = /^(exit|signal) (\d+)$/.exec(end) ?? [];
    if (word === undefined) throw new Error(`it ended with ${JSON.stringify(end)}`);
    const [stdout, stderr] = [this.#stdout.text, this.#stderr.text];
    const reports = this.#reports.text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
    const way = ways.find((each) => each === this.#through);
    if (way !== undefined) confirmWay(reports, way);
    return {
      status: word === "exit" ? Number(number) : null,
      signal: word === "signal" ? signalOf(Number(number)) : null,
      stdout,
      stderr,
      reports,
    };
  }

  /** All that it has started and that runs now, itself included. */
  processes(): readonly SeenProcess[] {
    const all = allProcesses();
    const found = new Map<number, SeenProcess>();
    const visit = (parent: number): void => {
      for (const each of all) {
        if (each.parent !== parent || found.has(each.pid)) continue;
        found.set(each.pid, each);
        visit(each.pid);
      }
    };
    visit(this.#family.pid ?? -1);
    return [...found.values()];
  }

  /** The launcher of a fence that something else was asked to start. */
  detached(): number {
    const found = this.processes().find(({ pid, parent }) => parent === this.#family.pid && pid !== this.#frontPid);
    if (found === undefined) throw new Error(`no launcher among ${JSON.stringify(this.processes())}`);
    return found.pid;
  }

  /** What each of them has open, by its command: the targets of the links in /proc/PID/fd. */
  descriptors(): ReadonlyMap<string, readonly string[]> {
    return new Map(
      this.processes().flatMap(({ pid, command }) => {
        try {
          const names = readdirSync(`/proc/${pid}/fd`);
          return [[`${pid} ${command}`, names.map((name) => readlinkSync(`/proc/${pid}/fd/${name}`))] as const];
        } catch {
          return []; // it has ended meanwhile
        }
      }),
    );
  }

  /** The process of this role; undefined: it has not been started, or has ended. */
  async find(role: Role): Promise<number | undefined> {
    const front = await this.front;
    const all = this.processes();
    const child = (parent: number | undefined, is = (_: SeenProcess) => true): number | undefined =>
      parent === undefined ? undefined : all.find((each) => each.parent === parent && is(each))?.pid;
    const [bwrap, isOther] = [child(front), ({ pid }: SeenProcess) => pid !== front];
    switch (role) {
      case "front":
        return all.some(({ pid }) => pid === front) ? front : undefined;
      case "launcher":
        return child(this.#family.pid, isOther);
      case "bwrap":
        return bwrap;
      case "init":
        return child(bwrap);
      case "program":
        return child(child(bwrap), ({ command }) => command !== "" && !/^fence: |\/fence /.test(command));
    }
  }

  /** The same when it must be there. */
  async process(role: Role): Promise<number> {
    const pid = await this.find(role);
    if (pid !== undefined) return pid;
    throw new Error(`no ${role} among ${JSON.stringify(this.processes())}`);
  }
}

/** The text of a pipe, whole and line by line. */
class Lines {
  #text = "";
  #taken = 0;
  #hasEnded = false;
  #wake = () => {};

  constructor(from: Readable | null | undefined) {
    this.#hasEnded = from === null || from === undefined;
    from?.setEncoding("utf8").on("data", (more: string) => {
      this.#text += more;
      this.#wake();
    });
    from
      ?.on("error", () => {})
      .on("close", () => {
        this.#hasEnded = true;
        this.#wake();
      });
  }

  get text(): string {
    return this.#text;
  }

  async next(): Promise<string | null> {
    for (;;) {
      const end = this.#text.indexOf("\n", this.#taken);
      if (end >= 0) {
        const line = this.#text.slice(this.#taken, end);
        this.#taken = end + 1;
        return line;
      }
      if (this.#hasEnded) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** Whoever does not read its input may be gone before it is written. */
function feed(to: Writable, input: string | Buffer): void {
  to.on("error", () => {});
  if (input !== "held") to.end(input);
}

function signalOf(number: number): NodeJS.Signals {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return (found?.[0] ?? `signal ${number}`) as NodeJS.Signals;
}
