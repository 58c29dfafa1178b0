/**
 * Runs the built executable and the probe: on the host, and in an empty read-only root made by bubblewrap.
 *
 * Runs:     in tests.
 * Promises: it is dist/fence that is tested; what runs has the environment named here and no other variable.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { arrange, probe } from "./probe.ts";
import { testFolder } from "./test-folder.ts";

export const fence = executable(join(testFolder(), "fence"));

function executable(path: string): string {
  if (existsSync(path)) return path;
  throw new Error("dist/fence is missing: the end-to-end tests try the built executable, so run npm run build first");
}

/** Where programs run, and what the tests' own are called there. */
export interface Place {
  readonly fence: string;
  readonly probe: string;
  readonly arrange: string;
  /** The host's command line that runs `command` there. */
  readonly enter: (command: readonly string[]) => readonly string[];
}

export const host: Place = { fence, probe, arrange, enter: (command) => command };

/** What they are called in a root of ours. */
export const inside = { fence: "/tmp/fence/bin/fence", probe: "/probe", arrange: "/arrange" };

/**
 * A root with nothing but /proc, fence, the probe and what the arguments of bwrap add, read-only. It ends with the
 * program; a process that the program leaves behind ends too.
 */
export function emptyRoot(...bwrapArgs: readonly string[]): Place {
  return rootWithoutProc("--proc", "/proc", ...bwrapArgs);
}

export function rootWithoutProc(...bwrapArgs: readonly string[]): Place {
  const files = (Object.keys(inside) as (keyof typeof inside)[]).flatMap((name) => [
    "--ro-bind",
    host[name],
    inside[name],
  ]);
  const root = ["bwrap", "--unshare-all", "--die-with-parent", ...files, ...bwrapArgs, "--remount-ro", "/", "--"];
  return { ...inside, enter: (command) => [...root, ...command] };
}

/** The same place, entered as an unprivileged user; for whoever is one already it is the same. */
export function asNobody(place: Place): Place {
  if (process.geteuid?.() !== 0) return place;
  const drop = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];
  return { ...place, enter: (command) => [...drop, ...place.enter(command)] };
}

/** The same place after these steps of arrange.c. */
export function arranged(place: Place, ...steps: readonly string[]): Place {
  return { ...place, enter: (command) => place.enter([place.arrange, ...steps, "--", ...command]) };
}

export interface RunOptions {
  /** The whole environment but for PATH, which is that of the tests. */
  readonly env?: Readonly<Record<string, string>>;
  /** What is on standard input; by default it ends at once. */
  readonly input?: string;
  /** What can be read from descriptor 3, which is closed without it. */
  readonly input3?: string | Buffer;
  /** Opens descriptor 4 for writing. */
  readonly collects4?: boolean;
  readonly cwd?: string;
}

export interface Outcome {
  /** null when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly pid: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What was written to descriptor 4. */
  readonly output4: string;
}

/** The fields of a probe's action or of a report: tests compare them with what they expect. */
// biome-ignore lint/suspicious/noExplicitAny: JSON that an assertion checks
export type Json = any;

/** Settles when the process has ended and nobody holds its standard output, standard error and descriptor 4 any more. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [file = "", ...args] = command;
  const { env = {}, input = "", input3, collects4 = false, cwd } = options;
  const child = spawn(file, args, {
    // An ignored descriptor above 2 is closed.
    stdio: ["pipe", "pipe", "pipe", input3 === undefined ? "ignore" : "pipe", collects4 ? "pipe" : "ignore"],
    env: { PATH: process.env["PATH"], ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  const [stdin, stdout, stderr, extra3, extra4] = child.stdio;
  if (stdin !== null) feed(stdin, input);
  if (input3 !== undefined) feed(extra3 as Writable, input3);
  const collected = Promise.all([stdout, stderr, extra4].map(collect));
  const [status, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  const [out = "", err = "", output4 = ""] = await collected;
  return { status, signal, pid: child.pid ?? -1, stdout: out, stderr: err, output4 };
}

function collect(from: Readable | Writable | null | undefined): string | Promise<string> {
  return from === null || from === undefined ? "" : text(from as Readable);
}

/** A process that is spoken to while it runs. It is killed when the test has ended. */
export interface Running {
  /** The next line of standard output; null at its end. */
  readonly line: () => Promise<string | null>;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Settles when the process has ended and its standard output and standard error are closed. */
  readonly ended: Promise<Pick<Outcome, "status" | "signal" | "stderr">>;
}

export function start(command: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const [file = "", ...args] = command;
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(file, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], ...env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const stderr = text(child.stderr);
  const ended = once(child, "close").then(async ([status, signal]) => ({ status, signal, stderr: await stderr }));
  return {
    line: async () => {
      const { value, done } = await lines.next();
      return done ? null : value;
    },
    signal: (signal) => void child.kill(signal),
    ended,
  };
}

/** Whoever does not read its input may be gone before it is written. */
function feed(to: Writable, bytes: string | Buffer): void {
  to.on("error", () => {});
  to.end(bytes);
}

/** What its standard output holds. */
export function json({ stdout, stderr, status, signal }: Outcome): Json {
  try {
    return JSON.parse(stdout);
  } catch (cause) {
    throw new Error(`no JSON but ${JSON.stringify(stdout)}, ended with ${status ?? signal}: ${stderr}`, { cause });
  }
}

/** `fence bootstrap OPTION... -- PROGRAM` at the place. */
export function bootstrap(
  place: Place,
  options: readonly string[],
  program: readonly string[],
  runOptions: RunOptions = {},
): Promise<Outcome> {
  return run(place.enter([place.fence, "bootstrap", ...options, "--", ...program]), runOptions);
}

/** An action of the probe under fence. */
export async function fenced(
  place: Place,
  options: readonly string[],
  action: readonly (string | number)[],
  runOptions: RunOptions = {},
): Promise<Json> {
  return json(await bootstrap(place, options, [place.probe, ...action.map(String)], runOptions));
}

/** The same action at the same place without fence: the twin. */
export async function unfenced(
  place: Place,
  action: readonly (string | number)[],
  runOptions: RunOptions = {},
): Promise<Json> {
  return json(await run(place.enter([place.probe, ...action.map(String)]), runOptions));
}

/** A folder of the host with a short path, that anybody may enter; it lives as long as the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "fe-"));
  chmodSync(path, 0o755);
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
