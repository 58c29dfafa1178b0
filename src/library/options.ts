/**
 * What callers give the library, read at the edge.
 *
 * Runs:     in the user's own Node.
 * Promises: an unknown key is FENCE_USAGE and names the nearest known one: a mistyped protection is never left out; no
 *           message shows the value of a variable.
 * Source:   docs/library.md
 */

import { resolve } from "node:path";
import type { Stream } from "node:stream";
import { buildId } from "../base/build.ts";
import { wordHint } from "../base/nearest-word.ts";
import { quoted } from "../base/quote.ts";
import { type OpenRequest, type RunRequest, type ServiceVariables, serviceProtocol } from "../base/service-protocol.ts";
import { FenceError, usage } from "./fence-error.ts";
import type { Settings } from "./settings.ts";

/** Variables of an environment; `undefined` is not set. */
export type Environment = { readonly [name: string]: string | undefined };

export interface SandboxOptions {
  /** A settings file, or what one would hold. Neither this nor a template: the settings that `fence run` would find. */
  readonly settings?: string | Settings;
  /** The name of a built-in template, instead of settings. */
  readonly template?: string;
  /** What relative paths start from, and where commands start. Default: this process's working directory. */
  readonly cwd?: string;
  /** The environment of commands, and where HOME, PATH and XDG_* are looked up. Default: this process's. */
  readonly env?: Environment;
  /** A proxy that runs already and decides about hosts: `tcp:HOST:PORT`, `unix:PATH` or `http://HOST:PORT`. */
  readonly httpProxy?: string;
  /** The same for SOCKS5: `socks5://HOST:PORT`. */
  readonly socksProxy?: string;
  /** Ports of the sandbox that the host reaches: `[ADDR:][HOSTPORT:]PORT`. Host port 0 is any free one. */
  readonly publish?: readonly (string | number)[];
  /** For every layer, instead of what the settings say. */
  readonly isolation?: "strict" | "best-effort";
  /** The packed executable. Default: FENCE_EXECUTABLE of this process's environment, else the package's own. */
  readonly executable?: string;
  /** Ends the creation, or the sandbox with all its commands. */
  readonly signal?: AbortSignal;
}

export interface CommandOptions {
  /** The program's working directory in the sandbox. Default: the sandbox's. */
  readonly cwd?: string;
  /** The program's environment, instead of the sandbox's. */
  readonly env?: Environment;
  /** Kills the command with `killSignal`; what waits for it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** What ends the command when `signal` says so, or its time is over. Default: SIGKILL, which no program can ignore. */
  readonly killSignal?: NodeJS.Signals;
}

/** As of child_process.spawn(): a pipe of the command's, nothing, this process's own, or a descriptor. */
export type StdioOption = "pipe" | "ignore" | "inherit" | number | Stream;

export interface SpawnOptions extends CommandOptions {
  /** Standard input, output and error. Default: three pipes. */
  readonly stdio?: StdioOption | readonly [StdioOption, StdioOption, StdioOption];
}

export interface RunOptions extends CommandOptions {
  /** What standard input holds. Default: nothing. */
  readonly input?: string | Uint8Array;
  /** How output is given: as text (the default), or as a Buffer. */
  readonly encoding?: "utf8" | "buffer";
  /** Of each of the two outputs; more is FENCE_OUTPUT and ends the command. Default: 16 MiB. */
  readonly maxOutputBytes?: number;
  /** After which the command is ended, and run() rejects with a TimeoutError. Default: none. */
  readonly timeoutMs?: number;
}

const sandboxKeys = [
  ...["settings", "template", "cwd", "env", "httpProxy", "socksProxy", "publish", "isolation", "executable", "signal"],
];
const commandKeys = ["cwd", "env", "signal", "killSignal"];
const spawnKeys = [...commandKeys, "stdio"];
const runKeys = [...commandKeys, "input", "encoding", "maxOutputBytes", "timeoutMs"];

/** Throws FENCE_USAGE. */
export function openRequest(options: SandboxOptions): OpenRequest {
  refuseOtherKeys(options, sandboxKeys, "createSandbox()");
  const { settings, template, cwd = ".", env = process.env, httpProxy, socksProxy, publish = [], isolation } = options;
  return {
    request: "open",
    version: serviceProtocol.version,
    buildId,
    settings: settingsOf(settings),
    template: template === undefined ? null : text(template, "template"),
    isolation: isolation ?? null,
    directory: resolve(text(cwd, "cwd")),
    environment: variables(env),
    httpProxy: httpProxy === undefined ? null : text(httpProxy, "httpProxy"),
    socksProxy: socksProxy === undefined ? null : text(socksProxy, "socksProxy"),
    publish: publish.map(String),
  };
}

function settingsOf(settings: string | Settings | undefined): OpenRequest["settings"] {
  if (settings === undefined) return null;
  if (typeof settings === "string") return { file: text(settings, "settings") };
  if (typeof settings !== "object" || settings === null) throw usage("settings must be a path or an object");
  return { given: JSON.parse(JSON.stringify(settings)) };
}

/** Throws FENCE_USAGE. */
export function runRequest(id: string, argv: readonly string[], options: CommandOptions): RunRequest {
  const { cwd, env } = options;
  if (argv[0] === "") throw usage("program must be a path or a name, got an empty one");
  return {
    request: "run",
    id,
    argv: argv.map((word, i) => text(word, i === 0 ? "program" : `args[${i - 1}]`)),
    environment: env === undefined ? null : variables(env),
    directory: cwd === undefined ? null : text(cwd, "cwd"),
  };
}

export function checkSpawnOptions(options: SpawnOptions): void {
  refuseOtherKeys(options, spawnKeys, "spawn()");
  const { stdio } = options;
  if (Array.isArray(stdio) && stdio.length !== 3)
    throw usage("stdio must have three places, for standard input, output and error", "the sandbox inherits no others");
}

export function checkRunOptions(options: RunOptions): void {
  refuseOtherKeys(options, runKeys, "run()");
}

/** One line of the protocol. Throws FENCE_USAGE when it is too long. */
export function requestLine(request: object): string {
  const line = `${JSON.stringify(request)}\n`;
  if (Buffer.byteLength(line) <= serviceProtocol.maxLineBytes) return line;
  throw usage(`arguments and variables must have at most ${serviceProtocol.maxLineBytes} bytes together`);
}

function refuseOtherKeys(options: object, known: readonly string[], where: string): void {
  const other = Object.keys(options).find((key) => !known.includes(key));
  if (other === undefined) return;
  const hint = wordHint(other, known);
  throw usage(`${where} has no option ${quoted(other)}`, hint);
}

/** What the kernel takes, and arrives as it was given. */
function text(value: unknown, where: string): string {
  const expected = mistake(value);
  if (expected === null) return value as string;
  throw usage(`${where} must be ${expected}`);
}

function mistake(value: unknown): string | null {
  if (typeof value !== "string") return "a string";
  if (value.includes("\0")) return "a string without NUL";
  return value.isWellFormed() ? null : "a string of whole characters";
}

function variables(environment: Environment): ServiceVariables {
  return Object.entries(environment).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (name === "" || name.includes("="))
      throw new FenceError("FENCE_USAGE", `env has a variable with the name ${quoted(name)}`);
    return [[text(name, "a name in env"), text(value, `env.${name}`)] as const];
  });
}
