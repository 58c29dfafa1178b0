/**
 * Sets the sandbox up from the inside and hands the last steps to P0, which becomes the program.
 *
 * Runs:     sandbox, in the set-up Node, a detached child of P0.
 * Promises: P0 gets its plan only when every listener is open and every rule is made; any failure ends P0 with 125 and
 *           leaves nothing behind.
 * Source:   docs/bootstrap.md
 */
import { buildId } from "../base/build.ts";
import { asFenceError, bug, FenceError } from "../base/errors.ts";
import { formatAddress } from "../bridge/address.ts";
import type { OpenBridge } from "../bridge/bridge.ts";
import { openBridges } from "../bridge/bridges.ts";
import { closeListener } from "../bridge/listener.ts";
import { describeLandlock } from "../landlock/report.ts";
import { type ExecPlan, execPlan, preparationTypes, stepTypes } from "../plan/exec-plan.ts";
import { encodeExecPlan } from "../plan/exec-plan-bytes.ts";
import { defaultFilter } from "../seccomp/default-filter.ts";
import type { Addon } from "../sys/addon.ts";
import { systemError } from "../sys/errno.ts";
import type { Messages } from "../sys/messages.ts";
import type { StepFailure, WaitingProcess } from "../sys/stub.ts";
import { serveBridges } from "./bridge-process.ts";
import { environmentChange } from "./environment.ts";
import { parseJsonPlan, readPlan } from "./json-plan.ts";
import type { BootstrapCommand } from "./options.ts";
import { pathFacts } from "./path-facts.ts";
import { explainExec, findProgram } from "./program.ts";
import type { BootstrapRequest } from "./request.ts";
import { type EnforcedRuleset, makeRuleset } from "./ruleset.ts";
import { failed, type Report, starting, statusReport } from "./status.ts";

export interface BootstrapContext {
  readonly addon: Addon;
  readonly waiting: WaitingProcess;
  /** What P0 was started with; the program's is made from P0's own bytes. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly messages: Messages;
}

/** Settles when this process has nothing left to do. */
export async function bootstrap(context: BootstrapContext, command: BootstrapCommand): Promise<void> {
  const report = statusReport(takeStatusFd(context, command), command.statusFd);
  try {
    report(starting);
    const request = readRequest(context, command);
    await setUp(context, request, report, command.debug);
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

async function setUp(
  context: BootstrapContext,
  request: BootstrapRequest,
  report: Report,
  isDebugging: boolean,
): Promise<void> {
  const { addon, waiting, messages } = context;
  const debug = isDebugging
    ? (text: string) =>
        messages.write(`fence: debug: ${text}
`)
    : null;
  const bridges = openBridges(addon, request.bridges);
  try {
    const ruleset = makeRuleset(addon, request.landlock, request.bridges, () => waiting.pid);
    const prepared = preparePlan(context, request, ruleset);
    report({
      event: "ready",
      isolation: {
        landlock: { ...describeLandlock(ruleset.choice, addon.landlockErrata()), skippedPaths: ruleset.skipped },
        seccomp: request.seccomp,
        noNewPrivs: true,
      },
      bridges: request.bridges.map(({ listen, connect }) => ({
        listen: formatAddress(listen),
        connect: formatAddress(connect),
      })),
      repaired: prepared.repaired,
    });
    debug?.(`ready: Landlock ${ruleset.choice.kind}, seccomp ${request.seccomp}`);
    messages.leaveStdio(addon, waiting.pidfd);
    waiting.start(encodeExecPlan(prepared.plan), ruleset.fd);
    const failure = await waiting.started();
    if (failure !== null) throw explain(failure, prepared, request, ruleset);
  } catch (error) {
    closeAll(addon, bridges);
    throw error;
  }
  if (debug === null) messages.end(addon);
  if (bridges.length > 0) await serveBridges({ addon, program: waiting, bridges, report, debug });
}

interface Prepared {
  readonly plan: ExecPlan;
  readonly repaired: readonly object[];
  readonly directory: string;
  readonly programPath: string;
}

function preparePlan(
  { environment }: BootstrapContext,
  request: BootstrapRequest,
  { choice }: EnforcedRuleset,
): Prepared {
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
    .landlock({ restricts: choice.kind === "ruleset", flags: 0 })
    .seccomp(request.seccomp === "off" ? new Uint8Array() : defaultFilter(architecture()))
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

function architecture(): "x64" | "arm64" {
  if (process.arch === "x64" || process.arch === "arm64") return process.arch;
  throw new FenceError("FENCE_SECCOMP", `there is no filter for the architecture ${process.arch}`);
}

/** A step of the plan that failed in P0, as the error that the user reads. */
function explain(
  failure: StepFailure,
  { plan, directory, programPath }: Prepared,
  request: BootstrapRequest,
  { choice }: EnforcedRuleset,
): FenceError {
  const preparation = explainPreparation(failure);
  if (preparation !== null) return preparation;
  const step = plan.steps[failure.index];
  if (step === undefined || stepTypes[step.kind] !== failure.type) {
    throw bug(`step ${failure.index} of type ${failure.type} failed, which the plan does not have`);
  }
  switch (step.kind) {
    case "exec":
    case "exec-original":
      return explainExec(programPath, directory, failure.result, choice);
    case "chdir":
      return systemError("FENCE_EXEC_PLAN", `cannot enter ${step.path}`, "chdir", failure.result, {
        step: "chdir",
        path: step.path,
        hint: "--chdir must name a directory inside the sandbox",
      });
    case "rlimit":
      return systemError("FENCE_EXEC_PLAN", "cannot set a resource limit", "prlimit", failure.result, {
        step: "rlimits",
        hint: "a hard limit can only be raised with CAP_SYS_RESOURCE",
      });
    case "landlock":
      return systemError("FENCE_LANDLOCK", "cannot enforce the ruleset", "landlock_restrict_self", failure.result, {
        step: "enforce-landlock",
        hint: "the kernel stacks at most 16 Landlock domains",
      });
    case "seccomp":
      return systemError("FENCE_SECCOMP", "cannot install the seccomp filter", "seccomp", failure.result, {
        step: "seccomp",
        hint:
          request.seccomp === "default" ? "the kernel needs CONFIG_SECCOMP_FILTER; --seccomp=off does without it" : "",
      });
    default:
      return systemError("FENCE_EXEC_PLAN", `the step ${step.kind} failed`, step.kind, failure.result, {
        step: "exec-plan",
      });
  }
}

/** What P0 does before the first step; null when it is past that. */
function explainPreparation({ type, index, result }: StepFailure): FenceError | null {
  const step = "exec-plan";
  switch (type) {
    case preparationTypes.check:
      return systemError("FENCE_EXEC_PLAN", `the exec plan was refused at its step ${index}`, "mmap", result, { step });
    case preparationTypes.vectors:
      return systemError("FENCE_EXEC_PLAN", "no room for the arguments and the environment", "mmap", result, { step });
    case preparationTypes.noNewPrivs:
      return systemError("FENCE_EXEC_PLAN", "cannot set no_new_privs", "prctl", result, { step });
    default:
      return null;
  }
}

function closeAll(addon: Addon, bridges: readonly OpenBridge[]): void {
  for (const { listener } of bridges) closeListener(addon, listener);
}
