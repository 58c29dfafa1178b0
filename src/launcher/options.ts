/**
 * Reads the command line of `fence run`.
 *
 * Runs:     host. Pure.
 * Promises: a bad value or a contradiction is FENCE_USAGE and names the culprit; no message shows the value of a
 *           variable.
 * Source:   docs/run.md
 */
import { type GivenOptions as Given, splitCommandLine } from "../base/command-line.ts";
import { FenceError } from "../base/errors.ts";
import {
  integer,
  maxDescriptor,
  oneOf,
  refuseOtherBytes,
  refuseSetAndUnset,
  usage,
  variable,
  variableName,
} from "../base/option-values.ts";
import { quoted } from "../base/quote.ts";
import type { PolicyOverrides } from "../config/overrides.ts";
import { type ProxyOption, parseProxy, parsePublished } from "./addresses.ts";
import type { ProxyTarget } from "./proxy-target.ts";
import type {
  LaunchAction,
  LaunchEnvironment,
  LaunchedProgram,
  LaunchRequest,
  PolicyRequest,
  PublishedPort,
  RunCommand,
} from "./request.ts";
import { backends, isolationWords, type RunOption, runOptions } from "./run-options.ts";

type GivenOptions = Given<RunOption>;

/** `args` are what follows `run`, or all words of a plain `fence`. */
export function parseRun(args: readonly string[]): RunCommand {
  const { given, restAt } = splitCommandLine(args, runOptions);
  if (given.has("help")) return { kind: "help" };
  refuseOtherBytes(given);
  const words = args.slice(restAt);
  if (given.has("linux-features")) return { kind: "check", json: onlyFeatures(given, words) };
  return { kind: "launch", request: launchRequest(given, words, restAt) };
}

function onlyFeatures(given: GivenOptions, words: readonly string[]): boolean {
  const other = given.all.find(({ name }) => name !== "linux-features" && name !== "json");
  if (other !== undefined)
    throw new FenceError("FENCE_USAGE", `--linux-features and --${other.name} exclude each other`);
  if (words.length > 0) throw usage("--linux-features", "given without a program", words[0] ?? "");
  return given.has("json");
}

function launchRequest(given: GivenOptions, words: readonly string[], at: number): LaunchRequest {
  return {
    action: action(given),
    policy: policy(given),
    program: program(given, words, at),
    backend: oneOf(given.once("backend") ?? "bwrap", backends, "--backend"),
    environment: environment(given),
    directory: nonEmpty(given.once("chdir"), "--chdir"),
    publish: published(given),
    httpProxy: proxy(given, "http-proxy"),
    socksProxy: proxy(given, "socks-proxy"),
    fastPath: !given.has("no-fast-path"),
    verify: given.has("verify"),
    monitor: given.has("monitor"),
    debug: given.has("debug"),
    logFile: nonEmpty(given.once("fence-log-file"), "--fence-log-file"),
    statusFd: statusFd(given),
  };
}

function action(given: GivenOptions): LaunchAction {
  const json = given.has("json");
  if (given.has("dry-run")) return { kind: "dry-run", form: json ? "json" : "tree" };
  if (json) throw new FenceError("FENCE_USAGE", "--json must stand beside --dry-run or --linux-features");
  return { kind: "run" };
}

function policy(given: GivenOptions): PolicyRequest {
  const settings = nonEmpty(given.once("settings"), "--settings");
  const template = nonEmpty(given.once("template"), "--template");
  if (settings !== null && template !== null) {
    throw new FenceError("FENCE_USAGE", "--settings and --template exclude each other", {
      hint: 'a settings file builds on a template with "extends"',
    });
  }
  return { settings, template, overrides: overrides(given) };
}

function overrides(given: GivenOptions): PolicyOverrides {
  const isolation = given.once("isolation");
  const paths = (name: RunOption) => given.many(name).map((path) => nonEmpty(path, `--${name}`) ?? "");
  return {
    isolation: isolation === null ? null : oneOf(isolation, isolationWords, "--isolation"),
    forceNewSession: given.has("force-new-session"),
    allowRead: paths("allow-read"),
    allowExecute: paths("allow-execute"),
    allowWrite: paths("allow-write"),
    denyRead: paths("deny-read"),
    denyWrite: paths("deny-write"),
    mask: paths("mask"),
    allowedDomains: given.many("allow-domain"),
    deniedDomains: given.many("deny-domain"),
    localPorts: given.many("local-port").map((port) => integer(port, 1, 65535, "--local-port")),
  };
}

function program(given: GivenOptions, words: readonly string[], at: number): LaunchedProgram {
  const command = given.once("command");
  if (command === null) {
    if (words[0] !== undefined && words[0] !== "") return { kind: "words", argv: words, at };
    throw new FenceError("FENCE_USAGE", "a program must follow the options, got none", {
      hint: 'fence run -- PROGRAM [ARG]..., or fence run -c "COMMAND"',
    });
  }
  if (words[0] !== undefined) {
    throw new FenceError("FENCE_USAGE", `-c and the program ${quoted(words[0])} exclude each other`, {
      hint: "quote the whole command as one word behind -c",
    });
  }
  return { kind: "shell", command: nonEmpty(command, "-c") ?? "" };
}

function environment(given: GivenOptions): LaunchEnvironment {
  const set = given.many("env").map(variable);
  const unset = given.many("unset-env").map((name) => variableName(name, "--unset-env"));
  refuseSetAndUnset(set, unset, { set: "--env", unset: "--unset-env" });
  return { clear: given.has("clear-env"), unset, set };
}

function published(given: GivenOptions): readonly PublishedPort[] {
  const ports = given.many("publish").map(parsePublished);
  const taken = new Set<string>();
  for (const { host, hostPort } of ports) {
    const name = `${host}:${hostPort}`;
    if (hostPort !== 0 && taken.has(name)) {
      throw new FenceError("FENCE_USAGE", `--publish must name each port of the host once, got ${name} twice`);
    }
    taken.add(name);
  }
  return ports;
}

function proxy(given: GivenOptions, option: ProxyOption): ProxyTarget | null {
  const value = given.once(option);
  return value === null ? null : parseProxy(value, option);
}

function statusFd(given: GivenOptions): number | null {
  const value = given.once("status-fd");
  return value === null ? null : integer(value, 3, maxDescriptor, "--status-fd");
}

function nonEmpty(value: string | null, where: string): string | null {
  if (value === "") throw new FenceError("FENCE_USAGE", `${where} must be followed by a value, got an empty one`);
  return value;
}
