/**
 * `fence run`: plans a sandbox, starts it, serves it and says how it ended.
 *
 * Runs:     host, in the launcher, a detached child of the process that the user started.
 * Promises: the program runs only under everything that the policy requires; whatever happens nothing of the sandbox is
 *           left on the host.
 * Source:   docs/launch.md
 */
import { asFenceError, FenceError } from "../base/errors.ts";
import { hostPath } from "../base/paths.ts";
import type { NetworkPart } from "../network/network-part.ts";
import type { ExecPlan } from "../plan/exec-plan.ts";
import type { MountPlan } from "../plan/mounts.ts";
import type { Json } from "../plan/schema.ts";
import type { Addon } from "../sys/addon.ts";
import { type SandboxEnd, signalName } from "../sys/front.ts";
import type { PlannedEnd } from "./bridge-ends.ts";
import { explainBwrapFailure } from "./bwrap-failure.ts";
import { type Decision, decide, decideMounts } from "./decision.ts";
import { bwrapArguments, dryRunJson, dryRunText, wordsInside } from "./dry-run.ts";
import type { Inside, InsideTold, InsideWay } from "./inside.ts";
import { runLandlocked, showLandlocked } from "./landlock-backend.ts";
import { compiledPlan } from "./launched.ts";
import { listeningEnds } from "./launched-ends.ts";
import { MountPoints } from "./left-behind.ts";
import { LaunchLog } from "./log.ts";
import { noBridges, openNetwork, plannedNetwork, type SandboxNetwork } from "./network.ts";
import { notices, withoutEffect } from "./notices.ts";
import { madeSince } from "./prepare.ts";
import { shellPath } from "./program.ts";
import { LaunchReport } from "./report.ts";
import type { LaunchRequest } from "./request.ts";
import { sweepRuntimeDirectories } from "./runtime-directory.ts";
import { bubblewrap, environmentInside, type LaunchContext, planOfInside, startSandbox } from "./start.ts";
import { stubReport } from "./stub-report.ts";
import { type Surroundings, surroundings } from "./surroundings.ts";

/** Any descriptor: no step is made of it. */
const someControl = 3;
/** Of a path that could not be protected since it did not exist. */
const whyItMatters = "other programs of yours obey this file; look at it before you go on, or remove it";

export interface ShowContext extends LaunchContext {
  /** To standard output. */
  readonly say: (text: string) => void;
}

/** `--dry-run`: the same decisions, and nothing is made. Throws as launch(). */
export async function showLaunch(context: ShowContext, request: LaunchRequest, form: "tree" | "json"): Promise<void> {
  const { addon, say } = context;
  if (request.backend === "landlock") {
    say(showLandlocked(context, request, form));
    return;
  }
  const around = surroundings();
  const decision = await decide(context, request, around);
  const way = wayOf(request);
  const bridges = await plannedNetwork(way, { addon, decision });
  const sockets = bridges.flatMap(({ listen, name }) =>
    listen.kind === "unix" ? [{ name, path: hostPath(listen.path) }] : [],
  );
  const mounts = decideMounts(decision, around, sockets);
  const { argv } = bubblewrap(decision.bwrap.path, bwrapArguments(decision, mounts), wordsInside(way));
  const environment = environmentInside(decision, request, mounts);
  const run = {
    decision: { ...decision, environment },
    mounts,
    bridges,
    execPlan: way === "launched" ? shownPlan(addon, { decision, request, mounts }, bridges) : null,
    command: argv,
  };
  say(form === "json" ? `${JSON.stringify(dryRunJson(run), null, 2)}\n` : dryRunText(run));
}

/** What the stub would do; what it would inherit is not known yet. */
function shownPlan(addon: Addon, parts: Parameters<typeof planOfInside>[1], bridges: readonly PlannedEnd[]): ExecPlan {
  const inherited = { control: someControl, standardError: null, closedStreams: [] };
  const plan = planOfInside(addon, parts, {
    network: noBridges,
    inherited,
    blockedSignals: [],
    ignoredSignals: [],
  });
  return compiledPlan(addon, plan, listeningEnds(bridges)).plan;
}

/** Settles when all is over; the front then ends as the program did. Throws what the user is to be told. */
export async function launch(context: LaunchContext, request: LaunchRequest): Promise<void> {
  const { statusFd } = request;
  let report = new LaunchReport(null, null);
  const failed = (error: FenceError) => report.failed(error);
  const ended = (end: SandboxEnd) => report.ended(end, []);
  await told(context, { failed, ended }, async () => {
    const taken = statusFd === null ? null : context.waiting.takeDescriptor(statusFd, "--status-fd");
    report = new LaunchReport(taken, statusFd);
    report.starting();
    await (request.backend === "landlock" ? runLandlocked : runSandbox)(context, request, report);
  });
}

/**
 * Tells what `run` throws to the report, and what became of a start that the user has ended. Throws what the user is to
 * be told.
 */
export async function told(
  context: LaunchContext,
  report: { readonly failed: (error: FenceError) => void; readonly ended: (end: SandboxEnd) => void },
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run();
  } catch (thrown) {
    const end = await endOfStart(context);
    if (end === "gone") return;
    if (end?.ofProgram && end.signal !== null) return report.ended(end); // the user has ended the start
    const error = asFenceError(thrown);
    if (error.code !== "FENCE_STATUS") report.failed(error);
    const hasSaid = end?.exit !== null && !context.waiting.isProgram; // what was to become bubblewrap, and ended by itself
    if (end === null || !hasSaid) throw error;
  }
}

/** How what was to become bubblewrap has ended, which explains whatever failed then; null: it has not. */
async function endOfStart({ waiting, front }: LaunchContext): Promise<SandboxEnd | "gone" | null> {
  return waiting.hasEnded || waiting.pid === -1 ? front.ended() : null;
}

async function runSandbox(context: LaunchContext, request: LaunchRequest, report: LaunchReport): Promise<void> {
  using resources = new DisposableStack();
  const around = surroundings();
  const log = resources.adopt(new LaunchLog(context.messages, request, around.directory), (open) => open.close());
  const decision = await decide(context, request, around);
  const crashed = (text: string) => context.messages.write(`fence: ${text}\n`);
  const said = notices(decision);
  const started = () => {
    if (decision.bridges !== null) sweepRuntimeDirectories(context.addon, around); // who has none leaves none, and /tmp may be full
  };
  const launch = { request, around, decision, mounts: null, log, report, started, crashed, notices: said, part: null };
  await runDecided(context, launch);
}

/** What a start of a decided program needs. */
export interface DecidedLaunch {
  readonly request: LaunchRequest;
  readonly around: Surroundings;
  readonly decision: Decision;
  /** null: they are planned when its network is open. */
  readonly mounts: MountPlan | null;
  readonly log: Pick<LaunchLog, "isDebugging" | "debug" | "denied">;
  readonly report: Pick<LaunchReport, "ready" | "verified" | "ended">;
  /** What relays for all sandboxes of this configuration; null: this one has its own. */
  readonly part: NetworkPart | null;
  /** The sandbox has started: what need not be done before is done now. */
  readonly started: () => void;
  /** What is said at the start, whatever the program: notices(), unless it has been said. */
  readonly notices: string;
  /** Told when what serves the sandbox has ended before its time. */
  readonly crashed: (text: string) => void;
}

/** Settles when all is over. Bridges are opened for this start alone. Throws as launch(). */
export async function runDecided(context: LaunchContext, launch: DecidedLaunch): Promise<void> {
  using resources = new DisposableStack();
  const { addon, front, messages } = context;
  const { request, around, decision, log, report } = launch;
  const way = wayOf(request);
  const { part, crashed } = launch;
  context.waiting.askFront();
  const opened = await openNetwork(way, { addon, decision, around, log, part, crashed });
  const network = resources.adopt(opened, (open) => open.close());
  const mounts = launch.mounts ?? decideMounts(decision, around, network.sockets);
  resources.adopt(new MountPoints(addon, mounts.leftBehind, around.uid), (points) => points.release());
  const told: InsideTold = {
    ready(isolation) {
      report.ready(readyReport({ decision, mounts, network, inside: isolation, way }));
      network.ready();
    },
    verified: (checks) => report.verified(checks),
    crash: (event) => launch.crashed(`the bridges in the sandbox crashed: ${JSON.stringify(event)}`),
  };
  const { sandbox, inside } = await startSandbox(context, { request, decision, network, mounts, told, resources, log });
  messages.write(launch.notices + withoutEffect(request.policy.overrides, mounts.notes, around));
  network.serve();
  launch.started();
  const end = await sandbox.ended(front, inside);
  if (end === "gone") return; // whoever waited for this process has gone as well
  const said = await sandbox.allSaid(inside); // a listener of the sandbox's may be among it
  await network.drain();
  refuseFailure({ end, inside, said, request, decision });
  report.ended(
    end,
    network.statistics().map((each) => ({ ...each })),
  );
  messages.write(said);
  for (const path of madeSince(mounts.unprotected))
    messages.write(`fence: the program made ${path}: ${whyItMatters}\n`);
}

interface ReadyParts {
  readonly decision: Decision;
  readonly mounts: MountPlan;
  readonly network: SandboxNetwork;
  /** What was applied inside. */
  readonly inside: Json;
  readonly way: InsideWay;
}

/** What a caller may rely on: from here on it holds. */
function readyReport({ decision: { isolation, notes }, mounts, network, inside, way }: ReadyParts) {
  return {
    way,
    isolation: { ...isolation.effective } as unknown as Json,
    inside,
    published: network.published.map(({ host, hostPort, port }) => ({ host, hostPort, port })),
    notes: [...notes, ...mounts.notes].map(({ where, says }) => ({ where, says })),
  };
}

/** The proof of --verify needs somebody inside who prepares it. */
export function wayOf({ fastPath, verify }: Pick<LaunchRequest, "fastPath" | "verify">): InsideWay {
  return fastPath && !verify ? "launched" : "standalone";
}

interface Ending {
  readonly end: SandboxEnd;
  readonly inside: Inside;
  /** What bubblewrap and the bootstrap wrote. */
  readonly said: string;
  readonly request: LaunchRequest;
  readonly decision: Decision;
}

/** Throws what kept the program from starting; nothing when it was started, or the user ended the start. */
function refuseFailure({ end, inside, said, request, decision }: Ending): void {
  const { failure, wasReady } = inside;
  if (failure !== null) {
    const cause = isEndOfOther(failure) ? stubReport(said) : null;
    throw cause ?? (request.program.kind === "shell" ? withShellHint(failure) : failure);
  }
  if (wasReady || (end.ofProgram && end.signal !== null)) return;
  const report = stubReport(said);
  if (report !== null) throw report;
  const signal = end.signal === null ? null : signalName(end.signal);
  throw explainBwrapFailure({ stderr: said, status: end.exit, signal }, decision.isolationDoors.ground());
}

/** Somebody in the sandbox saw no more than that another process there had ended. */
function isEndOfOther({ details: { errno } }: FenceError): boolean {
  return errno === "EPIPE" || errno === "ECONNRESET";
}

function withShellHint(failure: FenceError): FenceError {
  const isHidden = failure.details.errno === "EACCES"; // what nobody may read is masked
  if (failure.code !== "FENCE_PROGRAM_NOT_FOUND" && !isHidden) return failure;
  return new FenceError(failure.code, failure.message, {
    ...failure.details,
    hint: `-c needs a shell in the sandbox: show it ${shellPath}, or name the program without -c`,
  });
}
