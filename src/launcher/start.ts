/**
 * Starts a decided sandbox: everything that it inherits is given to it first.
 *
 * Runs:     host, in the launcher.
 * Promises: bubblewrap's arguments, the plan and the variables travel on descriptors; nothing in the sandbox runs before what was
 *           mounted has been compared with the plan.
 * Source:   docs/launch.md
 */
import { bug } from "../base/errors.ts";
import { mountArgs } from "../plan/bwrap-argv.ts";
import type { MountPlan } from "../plan/mounts.ts";
import type { Json } from "../plan/schema.ts";
import type { Addon } from "../sys/addon.ts";
import type { Front } from "../sys/front.ts";
import type { Messages } from "../sys/messages.ts";
import type { Variables } from "../sys/original-environment.ts";
import type { WaitingProcess } from "../sys/stub.ts";
import type { Decision } from "./decision.ts";
import type { Inside, InsideTold } from "./inside.ts";
import { insideEnvironment } from "./inside-environment.ts";
import { type InsideNetwork, type InsideRequest, insidePlan } from "./inside-plan.ts";
import { LaunchedInside } from "./launched.ts";
import type { LaunchLog } from "./log.ts";
import { MountCheck } from "./mount-check.ts";
import { noBridges, type SandboxNetwork } from "./network.ts";
import { type Preparation, prepare } from "./prepare.ts";
import type { LaunchRequest } from "./request.ts";
import { Sandbox, type SandboxMaker } from "./sandbox.ts";
import { StandaloneInside } from "./standalone.ts";

export interface LaunchContext {
  readonly addon: Addon;
  readonly waiting: WaitingProcess;
  readonly front: Front;
  readonly messages: LaunchMessages;
  /** The environment as it was given. Throws FENCE_USAGE. */
  readonly environment: () => Variables;
}

/** What is said to the user of one launch. */
export type LaunchMessages = Pick<Messages, "descriptor" | "write" | "leaveStdio">;

/** Where the sandbox has this executable. */
const fenceInside = "/tmp/fence/bin/fence";

/** What is decided and open when the sandbox starts. */
export interface LaunchParts {
  readonly request: LaunchRequest;
  readonly decision: Decision;
  readonly network: SandboxNetwork;
  readonly mounts: MountPlan;
  readonly told: InsideTold;
  /** Closes what is open on this side, when all is over. */
  readonly resources: DisposableStack;
  readonly log: Pick<LaunchLog, "isDebugging" | "debug">;
}

export interface StartedSandbox {
  readonly sandbox: Sandbox;
  readonly inside: Inside;
}

/** Everything that the sandbox inherits is given to it, then it starts. */
export async function startSandbox(context: LaunchContext, parts: LaunchParts): Promise<StartedSandbox> {
  const { addon, waiting, front, messages } = context;
  const { request, decision, network, mounts, told, resources, log } = parts;
  const { isolation } = decision;
  const sandbox = resources.adopt(new Sandbox(addon, waiting, messages), (open) => open.close());
  const check = resources.adopt(new MountCheck(addon, sandbox), (open) => open.close());
  const prepared = resources.adopt(prepare(mounts, addon), (files) => files.close());
  const plan = (insideNetwork: InsideNetwork) =>
    planOfInside(
      addon,
      { decision, request, mounts },
      { network: insideNetwork, inherited: sandbox.inherited, ...sandbox.signals() },
    );
  const inside: Inside = resources.adopt(
    network.way === "standalone"
      ? new StandaloneInside(sandbox, plan(network.plan(mounts, sandbox)), told, log.isDebugging)
      : new LaunchedInside({ addon, sandbox, plan: () => plan(noBridges), network, told }),
    (open) => open.close(),
  );
  const args = [
    ...isolation.bwrapArgs,
    ...mountArguments({ sandbox, check, mounts, prepared, procArgs: isolation.procArgs }),
  ];
  const argsFd = sandbox.giveBytes(nulTerminated(args), "bubblewrap's arguments");
  const started = sandbox.start(bubblewrap(decision.bwrap.path, ["--args", String(argsFd)], inside.words));
  try {
    // bubblewrap is at work, and waits for the check of its mounts: nobody inside runs before the rest is done.
    prepared.close();
    messages.leaveStdio(addon, waiting.pidfd);
    inside.sendPlan();
    for (const { where, says } of [...decision.notes, ...mounts.notes]) log.debug(`${where}: ${says}`);
    log.debug(`bwrap ${args.join(" ")}`);
    log.debug(`the inside is ${inside.way}`);
    await started;
    inside.sent();
    await check.pass(mounts.mounts, front.ended());
    return { sandbox, inside };
  } catch (error) {
    await Promise.allSettled([started]); // whoever explains the error has to know what has become of bubblewrap
    await check.abandon();
    throw error;
  }
}

/** What is to be done inside, as the bootstrap reads it. */
export function planOfInside(
  addon: Addon,
  { decision, request, mounts }: Pick<LaunchParts, "decision" | "request" | "mounts">,
  start: Pick<InsideRequest, "network" | "inherited" | "blockedSignals" | "ignoredSignals">,
): Json {
  const { policy, isolation } = decision;
  return insidePlan({
    argv: decision.argv,
    environment: environmentInside(decision, request, mounts),
    removed: request.environment.unset,
    directory: decision.directory,
    grants: mounts.grants,
    unixSockets: mounts.allowedSockets,
    connectTcp: null,
    hostNetwork: null,
    landlock: isolation.landlock,
    landlockAbi: Math.max(0, addon.landlockAbi()),
    seccomp: isolation.seccomp === "off" ? "off" : policy.isolation.seccomp,
    verify: request.verify,
    ...start,
  });
}

/** The program's variables, but for those that the bootstrap adds. */
export function environmentInside(
  decision: Decision,
  { environment }: LaunchRequest,
  { mounts }: MountPlan,
): Variables {
  return insideEnvironment(decision.environment, environment, {
    mounts,
    view: decision.view(),
    hasProxy: hasProxy(decision),
  });
}

function hasProxy({ bridges }: Decision): boolean {
  return bridges !== null && (bridges.httpProxy !== null || bridges.socksProxy !== null);
}

interface MountParts {
  readonly sandbox: Sandbox;
  readonly check: MountCheck;
  readonly mounts: MountPlan;
  readonly prepared: Preparation;
  readonly procArgs: readonly string[];
}

function mountArguments({ sandbox, check, mounts: { mounts }, prepared, procArgs }: MountParts): readonly string[] {
  const descriptors = new Map(prepared.files.map(({ step, descriptor }) => [step, sandbox.give(descriptor)]));
  return check.arguments(mounts, (step) =>
    step.kind === "proc" ? procArgs : mountArgs(step, (file) => descriptors.get(file) ?? unprepared()),
  );
}

function unprepared(): never {
  throw bug("a mount was not prepared");
}

/** bubblewrap with `args`, and fence in it. */
export function bubblewrap(
  path: string,
  args: readonly string[],
  [, ...words]: readonly [string, ...string[]],
): SandboxMaker {
  return { path, argv: ["bwrap", ...args, "--", fenceInside, ...words] };
}

function nulTerminated(values: readonly string[]): Buffer {
  return Buffer.from(values.map((value) => `${value}\0`).join(""));
}
