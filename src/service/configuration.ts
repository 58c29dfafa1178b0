/**
 * What all commands of one sandbox have in common: decided once, when the sandbox is created.
 *
 * Runs:     host, in the service.
 * Promises: what cannot be had is an error here, before any command.
 * Source:   docs/library.md
 */
import { realpathSync } from "node:fs";
import { FenceError } from "../base/errors.ts";
import type { OpenRequest, ServiceVariables } from "../base/service-protocol.ts";
import { noOverrides } from "../config/overrides.ts";
import { parseProxy, parsePublished } from "../launcher/addresses.ts";
import {
  decideIsolationGround,
  decideMounts,
  decidePolicy,
  type IsolationGround,
  type PolicyDecision,
} from "../launcher/decision.ts";
import { networkPart } from "../launcher/launched-ends.ts";
import { notices } from "../launcher/notices.ts";
import type { LaunchRequest } from "../launcher/request.ts";
import { type Surroundings, surroundings } from "../launcher/surroundings.ts";
import type { NetworkPart } from "../network/network-part.ts";
import type { Addon } from "../sys/addon.ts";
import { nodeError } from "../sys/errno.ts";

export interface Configuration {
  readonly around: Surroundings;
  readonly environment: ServiceVariables;
  /** Of every command, but for its program and its directory. */
  readonly request: Omit<LaunchRequest, "program">;
  readonly policy: PolicyDecision;
  readonly ground: IsolationGround;
  /** What relays for all commands; null: nothing has to be. Whoever has the configuration closes it. */
  readonly part: NetworkPart | null;
  /** What the user is told once: lines without `fence: `. */
  readonly notices: readonly string[];
}

/** Throws what a launch throws: FENCE_CONFIG, FENCE_USAGE, FENCE_MOUNTS, FENCE_BWRAP, FENCE_ISOLATION, FENCE_RESOLVE. */
export async function configure(
  addon: Addon,
  open: OpenRequest,
  tell: (event: "denied" | "crashed", text: string) => void,
): Promise<Configuration> {
  const around = surroundingsOf(open);
  const request = requestOf(open);
  const policy = decidePolicy({ addon }, request, around);
  const ground = await decideIsolationGround(policy, around, "always");
  decideMounts({ ...policy, ...ground }, around, []);
  const said = notices(policy).split("\n");
  const { bridges } = policy;
  const log = { denied: (text: string) => tell("denied", text) };
  const crashed = (text: string) => tell("crashed", text);
  return {
    around,
    environment: open.environment,
    request,
    policy,
    ground,
    part: bridges === null ? null : await networkPart(addon, bridges, { log, crashed }),
    notices: said.filter((line) => line !== "").map((line) => line.replace(/^fence: /, "")),
  };
}

function surroundingsOf({ directory, environment }: OpenRequest): Surroundings {
  const own = surroundings();
  const variables: Record<string, string> = Object.fromEntries(environment);
  return { ...own, directory: real(directory), environment: variables, home: variables["HOME"] ?? own.home };
}

/** As the kernel names it. */
function real(directory: string): string {
  try {
    return realpathSync.native(directory);
  } catch (error) {
    throw nodeError("FENCE_LAUNCH", `cannot use ${directory} as the working directory`, error, {
      step: "surroundings",
      path: directory,
    });
  }
}

function requestOf(open: OpenRequest): Omit<LaunchRequest, "program"> {
  const { settings, template, isolation, httpProxy, socksProxy, publish } = open;
  if (settings !== null && template !== null) {
    throw new FenceError("FENCE_USAGE", "settings and template exclude each other", {
      hint: 'settings build on a template with "extends"',
    });
  }
  return {
    action: { kind: "run" },
    policy: {
      settings: settings !== null && "file" in settings ? settings.file : settings,
      template,
      overrides: { ...noOverrides, isolation },
    },
    backend: "bwrap",
    environment: { clear: false, unset: [], set: [] },
    directory: null,
    publish: publish.map(parsePublished),
    httpProxy: httpProxy === null ? null : parseProxy(httpProxy, "http-proxy"),
    socksProxy: socksProxy === null ? null : parseProxy(socksProxy, "socks-proxy"),
    fastPath: true,
    verify: false,
    monitor: true,
    debug: false,
    logFile: null,
    statusFd: null,
  };
}
