/**
 * Sets the sandbox up from the inside and hands the last steps to P0, which becomes the program.
 *
 * Runs:     sandbox, in the set-up Node, a detached child of P0.
 * Promises: P0 gets its plan only when every listener is open and every rule is made; any failure ends P0 with 125 and
 *           leaves nothing behind.
 * Source:   docs/bootstrap.md
 */
import { buildId } from "../base/build.ts";
import { asFenceError, FenceError } from "../base/errors.ts";
import { formatAddress } from "../bridge/address.ts";
import type { OpenBridge } from "../bridge/bridge.ts";
import { openBridges } from "../bridge/bridges.ts";
import { closeListener } from "../bridge/listener.ts";
import { makeBridgeRuleset } from "../inside/bridge-ruleset.ts";
import { environmentChange, type Repair } from "../inside/environment.ts";
import { inDirectory } from "../inside/executable.ts";
import { parseJsonPlan, readPlan } from "../inside/json-plan.ts";
import { findProgram } from "../inside/program.ts";
import { programFilter } from "../inside/program-filter.ts";
import type { BootstrapRequest } from "../inside/request.ts";
import { type EnforcedRuleset, filterAdditions, makeRuleset } from "../inside/ruleset.ts";
import { describeIsolation, failed, idleEnd, type Report, starting, statusReport } from "../inside/status.ts";
import { explainFailure, type PreparedPlan } from "../inside/step-failure.ts";
import { abstractListener, attemptsOf, type CheckOutcome, checksOf, judge } from "../inside/verification.ts";
import type { RulesetChoice } from "../landlock/ruleset.ts";
import { encodeAttempts } from "../plan/attempts.ts";
import { execPlan } from "../plan/exec-plan.ts";
import { encodeExecPlan } from "../plan/exec-plan-bytes.ts";
import { filterBytes } from "../seccomp/filters.ts";
import type { Addon } from "../sys/addon.ts";
import { architecture } from "../sys/architecture.ts";
import type { Keeper, KeptListeners } from "../sys/keeper.ts";
import type { Messages } from "../sys/messages.ts";
import { noDescriptor } from "../sys/protocol.ts";
import type { Reaper, WaitingProcess } from "../sys/stub.ts";
import type { BootstrapCommand } from "./options.ts";
import { pathFacts } from "./path-facts.ts";
import { encodeRelayPlan } from "./relay-plan.ts";

export interface BootstrapContext {
  readonly addon: Addon;
  readonly waiting: WaitingProcess;
  readonly keeper: Keeper;
  /** What P0 was started with; the program's is made from P0's own bytes. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly messages: Messages;
}

/** Settles when the program has started and the keeper has its bridges: this process has nothing left to do. */
export async function bootstrap(context: BootstrapContext, command: BootstrapCommand): Promise<void> {
  const statusFd = takeStatusFd(context, command);
  const report = statusReport(statusFd, command.statusFd);
  try {
    report(starting);
    const request = readRequest(context, command);
    await setUp(context, request, { statusFd, report, isDebugging: command.debug });
  } catch (thrown) {
    const error = asFenceError(thrown);
    if (error.code !== "FENCE_STATUS") reportFailure(report, error);
    throw error;
  }
}

/** The failure itself goes to standard error as well: it counts for more than that it could not be reported here. */
function reportFailure(report: Report, error: FenceError): void {
  try {
    report(failed(error));
  } catch (unreported) {
    if (asFenceError(unreported).code !== "FENCE_STATUS") throw unreported;
  }
}

function takeStatusFd({ waiting }: BootstrapContext, { statusFd }: BootstrapCommand): number | null {
  return statusFd === null ? null : waiting.takeDescriptor(statusFd, "--status-fd");
}

function readRequest({ waiting }: BootstrapContext, { plan, request }: BootstrapCommand): BootstrapRequest {
  switch (plan.kind) {
    case "none":
      return request;
    case "file":
      return parseJsonPlan(readPlan(plan.path), request.program);
    case "descriptor": {
      const fd = plan.fd === 0 ? plan.fd : waiting.takeDescriptor(plan.fd, "--plan-fd");
      return parseJsonPlan(readPlan(fd, plan.fd), request.program);
    }
  }
}

interface Reporting {
  /** null: nobody asked. */
  readonly statusFd: number | null;
  readonly report: Report;
  readonly isDebugging: boolean;
}

async function setUp(context: BootstrapContext, request: BootstrapRequest, reporting: Reporting): Promise<void> {
  const { addon, waiting, keeper, messages } = context;
  const { report, isDebugging } = reporting;
  waiting.refer(reaperOf(request));
  const bridges = openExpected(context, request);
  try {
    keeper.hold(heldListeners(bridges));
    const ruleset = makeRuleset(addon, request.landlock, request.bridges, () => waiting.pid);
    const prepared = preparePlan(context, request, ruleset);
    const plan = encodeExecPlan(prepared.plan);
    const bridgeRuleset = bridges.length > 0 ? handBridges(context, request, bridges, reporting) : null;
    if (bridgeRuleset === null) keeper.dismiss();
    if (request.verify) report({ event: "verified", checks: verify(context, request, ruleset, prepared, plan) });
    report({
      event: "ready",
      isolation: describeIsolation({
        choice: ruleset.choice,
        skippedPaths: ruleset.skipped,
        errata: addon.landlockErrata(),
        seccomp: request.seccomp,
        bridges: bridgeRuleset,
      }),
      bridges: request.bridges.map(({ listen, connect }) => ({
        listen: formatAddress(listen),
        connect: formatAddress(connect),
      })),
      repaired: prepared.repaired,
    });
    if (isDebugging)
      messages.write(`fence: debug: ready: Landlock ${ruleset.choice.kind}, seccomp ${request.seccomp}\n`);
    messages.leaveStdio(addon, waiting.pidfd);
    forgetArguments(addon);
    waiting.start(plan, ruleset.fd);
    const failure = await waiting.started();
    if (failure !== null) throw explainFailure(failure, prepared, ruleset.choice);
  } catch (error) {
    closeAll(addon, bridges);
    keeper.dismiss();
    throw error;
  }
  if (bridges.length > 0) keeper.serve();
}

function reaperOf({ init, launcher }: BootstrapRequest): Reaper {
  if (launcher !== null) return { place: "inside", control: launcher.control };
  return { place: init ? "alone" : "none" };
}

/** Throws FENCE_VERIFY, or what a failed step of the plan throws. */
function verify(
  { addon, waiting }: BootstrapContext,
  request: BootstrapRequest,
  { choice, fd }: EnforcedRuleset,
  prepared: Prepared,
  plan: Buffer,
): readonly CheckOutcome[] {
  // Where the filter lets no socket be made there is none to connect with.
  const hasSockets = request.launcher?.deniedSockets.includes("unix-sockets") !== true;
  const isScoped = hasSockets && choice.kind === "ruleset" && choice.handled.includes("ABSTRACT_UNIX_SOCKET");
  const listener = isScoped ? abstractListener(addon) : null;
  const checks = checksOf({
    choice,
    seccomp: request.seccomp,
    dropsCapabilities: request.process.some(({ kind }) => kind === "drop-capabilities"),
    outsider: process.pid,
    abstractAddress: listener === null ? null : listener.address,
    executable: process.execPath,
    programPath: inDirectory(prepared.directory, prepared.programPath),
  });
  const answer = waiting.rehearse(plan, fd, encodeAttempts(attemptsOf(checks)));
  if (listener !== null) addon.closeDescriptor(listener.fd);
  if ("type" in answer) throw explainFailure(answer, prepared, choice);
  return judge(checks, answer);
}

/** This process may live a moment longer than the program needs to look at it: /proc shows a title instead. */
function forgetArguments(addon: Addon): void {
  addon.wipeEnvironment();
  process.title = "fence: set-up"; // libuv writes it over the arguments
}

/** The keeper knows where Unix listeners will be before they are there: this process may be killed at any moment. */
function openExpected({ addon, keeper, waiting }: BootstrapContext, { bridges }: BootstrapRequest): OpenBridge[] {
  try {
    keeper.expect(bridges.flatMap(({ listen }) => (listen.kind === "unix" ? [listen.path] : [])));
    return openBridges(addon, bridges, (fd) => waiting.takeDescriptor(fd, "a bridge's listener"));
  } catch (error) {
    keeper.dismiss();
    throw error;
  }
}

function heldListeners(bridges: readonly OpenBridge[]): KeptListeners {
  const listeners = bridges.map(({ listener }) => listener);
  return {
    descriptors: listeners.map(({ fd }) => fd),
    socketFiles: listeners.flatMap(({ address }) => (address.kind === "unix" ? [address.path] : [])),
  };
}

/** From here on the keeper has the bridges too; it serves them when the program has started. Answers P2's ruleset. */
function handBridges(
  { addon, keeper, messages, waiting }: BootstrapContext,
  request: BootstrapRequest,
  bridges: readonly OpenBridge[],
  { statusFd, isDebugging }: Reporting,
): RulesetChoice {
  const targets = bridges.map(({ target }) => target);
  const ruleset = makeBridgeRuleset(addon, targets);
  keeper.keep({
    targets: targets.flatMap((target) => (target.kind === "unix" ? [target.path] : [])),
    relayPlan: encodeRelayPlan({ bridges: request.bridges }),
    ruleset: ruleset.fd,
    filter: filterBytes("bridge", architecture()),
    status: statusFd ?? noDescriptor,
    idleReport: Buffer.from(idleEnd(request.bridges)),
    debug: isDebugging ? messages.descriptor : noDescriptor,
    hasReaper: waiting.hasReaper,
  });
  return ruleset.choice;
}

interface Prepared extends PreparedPlan {
  readonly repaired: readonly Repair[];
}

function preparePlan(
  { environment }: BootstrapContext,
  request: BootstrapRequest,
  { choice, restrictFlags }: EnforcedRuleset,
): Prepared {
  const additions = [...filterAdditions(choice), ...(request.launcher?.deniedSockets ?? [])];
  const chdir = request.process.find((step) => step.kind === "chdir");
  const directory = chdir === undefined ? "." : chdir.path;
  const change = environmentChange(request, environment, pathFacts(choice));
  const program = findProgram(request.program, programsPath(request, environment), directory);
  const { argv } = request.program;
  const [first, ...rest] =
    request.program.kind === "original"
      ? [{ kind: "original-args", first: request.program.first, count: argv.length } as const]
      : argv.map((value) => ({ kind: "arg", value }) as const);
  if (first === undefined) throw new FenceError("FENCE_USAGE", "no PROGRAM was named");
  const plan = execPlan(buildId)
    .environment(change.steps)
    .arguments([first, ...rest])
    .process(request.process)
    .landlock({ restricts: choice.kind === "ruleset", flags: restrictFlags })
    .seccomp(programFilter(request.seccomp, additions, architecture()))
    .program(program);
  const programPath = program.kind === "exec" ? program.path : (argv[0] ?? "");
  return { plan, repaired: change.repaired, directory, programPath };
}

/** PATH as the program will have it. */
function programsPath(
  { environment }: BootstrapRequest,
  inherited: BootstrapContext["environment"],
): string | undefined {
  const set = environment.set.findLast(({ name }) => name === "PATH");
  if (set !== undefined) return set.value;
  return environment.clear || environment.unset.includes("PATH") ? undefined : inherited["PATH"];
}

function closeAll(addon: Addon, bridges: readonly OpenBridge[]): void {
  for (const { listener } of bridges) closeListener(addon, listener);
}
