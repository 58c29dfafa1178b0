/**
 * Reads what the options of `fence bootstrap` ask for.
 *
 * Runs:     sandbox. Pure.
 * Promises: a bad value or a contradiction is FENCE_USAGE and names the culprit; no message shows the value of a
 *           variable.
 * Source:   docs/options.md
 */
import { type GivenOptions as Given, splitCommandLine } from "../base/command-line.ts";
import { FenceError } from "../base/errors.ts";
import {
  integer,
  maxDescriptor,
  oneOf,
  refuseOtherBytes,
  usage,
  variable,
  variableName,
} from "../base/option-values.ts";
import { type Address, parseAddress, parseBridge } from "../bridge/address.ts";
import {
  type BootstrapRequest,
  defaultNoProxy,
  type EnvironmentRequest,
  environmentRequest,
  type LandlockAnswer,
  landlockAnswer,
  landlockModes,
  networkRequest,
  seccompModes,
} from "../inside/request.ts";
import {
  type AccessWord,
  accessWords,
  type LogWord,
  logWords,
  type ScopeWord,
  scopeWords,
} from "../landlock/options.ts";
import type { QuietRequest } from "../landlock/request.ts";
import { pathMismatch } from "../plan/schema.ts";
import { bootstrapOptions, type OptionName } from "./command-line.ts";

/** These speak of fence's own reports, and may stand beside a plan. */
const besidePlan: readonly OptionName[] = ["plan", "plan-fd", "status-fd", "debug", "help"];

type GivenOptions = Given<OptionName>;

const networkNames = {
  httpProxy: "--http-proxy",
  socksProxy: "--socks-proxy",
  bridge: () => "--bridge",
  nonLoopbackListeners: "--allow-non-loopback",
};

/** Where a JSON plan is read from. */
export type PlanSource =
  | { readonly kind: "none" }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "descriptor"; readonly fd: number };

export interface BootstrapCommand {
  readonly help: boolean;
  readonly debug: boolean;
  readonly statusFd: number | null;
  readonly plan: PlanSource;
  /** What the options ask for; a plan replaces all of it but the program. */
  readonly request: BootstrapRequest;
}

/** `args` are what follows `bootstrap`; `firstIndex` is the index of args[0] among P0's own arguments. */
export function parseBootstrap(args: readonly string[], firstIndex: number): BootstrapCommand {
  const { given, restAt: programAt } = splitCommandLine(args, bootstrapOptions);
  refuseOtherBytes(given);
  const plan = planSource(given);
  const directory = given.once("chdir");
  if (plan.kind !== "none") refuseBesidePlan(given);
  const network = {
    httpProxy: proxy(given, "http-proxy"),
    socksProxy: proxy(given, "socks-proxy"),
    bridges: given.many("bridge").map((value) => parseBridge(value, "--bridge")),
    nonLoopbackListeners: given.has("allow-non-loopback"),
  };
  return {
    help: given.has("help"),
    debug: given.has("debug"),
    statusFd: statusFd(given, plan),
    plan,
    request: {
      ...networkRequest(network, networkNames),
      environment: environment(given),
      process: directory === null ? [] : [{ kind: "chdir", path: absolute(directory, "--chdir") }],
      landlock: landlock(given),
      seccomp: oneOf(given.once("seccomp") ?? "default", seccompModes, "--seccomp"),
      init: given.has("init"),
      verify: given.has("verify"),
      launcher: null,
      program: { kind: "original", first: firstIndex + programAt, argv: args.slice(programAt) },
    },
  };
}

function environment(given: GivenOptions): EnvironmentRequest {
  const request = {
    clear: given.has("clear-env"),
    unset: given.many("unset-env").map((name) => variableName(name, "--unset-env")),
    set: given.many("env").map(variable),
    noProxy: given.once("no-proxy") ?? defaultNoProxy,
    allProxy: !given.has("no-all-proxy"),
  };
  return environmentRequest(request, { set: "--env", unset: "--unset-env" });
}

function planSource(given: GivenOptions): PlanSource {
  const path = given.once("plan");
  const descriptor = given.once("plan-fd");
  if (path !== null && descriptor !== null) {
    throw new FenceError("FENCE_USAGE", "--plan and --plan-fd exclude each other");
  }
  if (path === "-") return { kind: "descriptor", fd: 0 };
  if (path !== null) return { kind: "file", path };
  if (descriptor === null) return { kind: "none" };
  const fd = integer(descriptor, 0, maxDescriptor, "--plan-fd");
  if (fd === 1 || fd === 2) throw usage("--plan-fd", "0, or 3 or more", descriptor);
  return { kind: "descriptor", fd };
}

function refuseBesidePlan(given: GivenOptions): void {
  const other = given.all.find(({ name }) => !besidePlan.includes(name));
  if (other === undefined) return;
  throw new FenceError("FENCE_USAGE", `--${other.name} cannot stand beside a plan`, {
    hint: "say it in the plan: a plan replaces the options",
  });
}

function statusFd(given: GivenOptions, plan: PlanSource): number | null {
  const value = given.once("status-fd");
  if (value === null) return null;
  const fd = integer(value, 3, maxDescriptor, "--status-fd");
  if (plan.kind !== "descriptor" || plan.fd !== fd) return fd;
  throw usage("--status-fd", "another descriptor than the plan's", value);
}

function proxy(given: GivenOptions, name: "http-proxy" | "socks-proxy"): Address | null {
  const value = given.once(name);
  return value === null ? null : parseAddress(value, `--${name}`);
}

function landlock(given: GivenOptions): LandlockAnswer {
  const mode = oneOf(given.once("landlock") ?? "required", landlockModes, "--landlock");
  const rules = given.all.flatMap(({ name, value }) => {
    const access = accessWords.find((candidate): candidate is AccessWord => candidate === name);
    return access === undefined ? [] : [{ access, path: absolute(value, `--${name}`) }];
  });
  const request = {
    rules,
    unixSockets: given.many("unix").map((path) => absolute(path, "--unix")),
    bindTcp: given.many("bind-tcp").map((port) => integer(port, 0, 65535, "--bind-tcp")),
    connectTcp: given.many("connect-tcp").map((port) => integer(port, 1, 65535, "--connect-tcp")),
    bindUdp: given.many("bind-udp").map((port) => integer(port, 0, 65535, "--bind-udp")),
    connectUdp: given.many("connect-udp").map((port) => integer(port, 1, 65535, "--connect-udp")),
    scopes: given.many("scope").map((scope): ScopeWord => oneOf(scope, scopeWords, "--scope")),
    quiet: quietRequest(given.many("quiet")),
    log: given.many("landlock-log").map((word): LogWord => oneOf(word, logWords, "--landlock-log")),
    denied: [],
    leftAlone: [],
  };
  const names = { mode: "--landlock", quiet: "--quiet", log: "--landlock-log", scopes: "--scope" };
  return landlockAnswer({ mode, request, ignoreMissing: given.has("ignore-missing"), exactPaths: false }, names);
}

/** Paths start with a slash, ports with a digit, and the rest has to be a scope. */
function quietRequest(values: readonly string[]): QuietRequest {
  const paths = values.filter((value) => value.startsWith("/"));
  const ports = values.filter((value) => /^\d/.test(value));
  const others = values.filter((value) => !paths.includes(value) && !ports.includes(value));
  return {
    paths: paths.map((path) => absolute(path, "--quiet")),
    ports: ports.map((port) => integer(port, 0, 65535, "--quiet")),
    scopes: others.map((word) => {
      const scope = scopeWords.find((candidate) => candidate === word);
      if (scope === undefined) throw usage("--quiet", `an absolute path, a port, ${scopeWords.join(" or ")}`, word);
      return scope;
    }),
  };
}

function absolute(path: string, where: string): string {
  const expected = pathMismatch(path);
  if (expected === null) return path;
  throw usage(where, expected, path);
}
