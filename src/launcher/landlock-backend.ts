/**
 * `fence run --backend landlock`: confines a program by Landlock and a system call filter alone, where bubblewrap cannot run.
 *
 * Runs:     host, in the launcher.
 * Promises: used only when it was asked for by name; the report says what is weaker; no file of the sandbox is left.
 * Source:   docs/backend-landlock.md
 */
import { FenceError } from "../base/errors.ts";
import { sandboxPath } from "../base/paths.ts";
import type { EffectiveIsolation } from "../plan/isolation.ts";
import { type LandlockPlan, landlockGrants } from "../plan/landlock-grants.ts";
import type { PlanNote } from "../plan/mounts.ts";
import type { Json } from "../plan/schema.ts";
import type { Addon } from "../sys/addon.ts";
import { type SandboxEnd, signalName } from "../sys/front.ts";
import type { Variables } from "../sys/original-environment.ts";
import { type DecisionDoors, decideProgram, type ProgramDecision } from "./decision.ts";
import type { Inside, InsideTold } from "./inside.ts";
import { insidePlan } from "./inside-plan.ts";
import { landlockIsolation } from "./isolation.ts";
import { decideHostNetwork, type NetworkAnswer } from "./landlock-backend-network.ts";
import { LandlockProxies } from "./landlock-backend-proxies.ts";
import { makeTemporary } from "./landlock-backend-temporary.ts";
import { notices } from "./notices.ts";
import type { LaunchReport } from "./report.ts";
import type { LaunchRequest } from "./request.ts";
import { RuntimeDirectory, sweepRuntimeDirectories } from "./runtime-directory.ts";
import { Sandbox } from "./sandbox.ts";
import { StandaloneInside } from "./standalone.ts";
import type { LaunchContext, StartedSandbox } from "./start.ts";
import { type Surroundings, surroundings } from "./surroundings.ts";

interface LandlockDecision extends ProgramDecision {
  readonly files: LandlockPlan;
  readonly host: NetworkAnswer;
  readonly effective: EffectiveIsolation;
}

const temporaryVariables = ["TMPDIR", "TMP", "TEMP"];
const proxyVariables = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].flatMap((name) => [
  name,
  name.toLowerCase(),
]);

/** Settles when all is over, as runSandbox() of launch.ts. */
export async function runLandlocked(
  context: LaunchContext,
  request: LaunchRequest,
  report: LaunchReport,
): Promise<void> {
  using resources = new DisposableStack();
  const { addon, front, messages } = context;
  const around = surroundings();
  const decision = decideLandlock(context, request, around);
  const directory = resources.adopt(temporaryPlace(addon, around), (made) => made.close());
  const temporary = makeTemporary(directory.path);
  const { httpProxy = null, socksProxy = null } = decision.bridges ?? {};
  const proxies = resources.adopt(await LandlockProxies.open(addon, { httpProxy, socksProxy }), (open) => open.close());
  const told: InsideTold = {
    ready: (isolation) => report.ready(readyReport(decision, isolation)),
    verified: (checks) => report.verified(checks),
    crash: (event) => messages.write(`fence: the bridges in the sandbox crashed: ${JSON.stringify(event)}\n`),
  };
  const { sandbox, inside } = await start(context, { request, decision, proxies, temporary, told, around });
  messages.write(notices(decision));
  sweepRuntimeDirectories(addon, around);
  const end = await sandbox.ended(front, inside);
  if (end === "gone") return; // whoever waited for this process has gone as well
  await proxies.drain();
  const said = await sandbox.allSaid(inside);
  refuseFailure(end, inside, said);
  report.ended(end, []);
  messages.write(said);
}

/** `--dry-run`: decides, and makes nothing. */
export function showLandlocked(doors: DecisionDoors, request: LaunchRequest, form: "tree" | "json"): string {
  const decision = decideLandlock(doors, request, surroundings());
  const { argv, directory, environment, effective, files, host } = decision;
  const notes = notesOf(decision);
  if (form === "json") {
    const shown = {
      version: 1,
      program: argv,
      directory,
      environment: environment.map(([name]) => name),
      isolation: effective as unknown as Json,
      landlock: { rules: files.rules.map(({ access, path }) => ({ access, path })), ...host.denials },
      connectTcp: host.deniesTcp ? localPorts(decision) : null,
      notes: notes.map(({ where, says }) => ({ where, says })),
    };
    return `${JSON.stringify(shown, null, 2)}\n`;
  }
  return [
    `program      ${argv.join(" ")}`,
    `directory    ${directory}`,
    `variables    ${environment.length}, and those of fence`,
    "isolation    by Landlock and seccomp alone: no namespaces, no mounts",
    ...effective.layers.flatMap(({ layer, state, says }) =>
      says === null ? [] : [`             ${layer} is ${state}: ${says}`],
    ),
    "",
    "files",
    ...files.rules.map(({ access, path }) => `  ${access.padEnd(3)}  ${path}`),
    ...notes.map(({ where, says }) => `note         ${where}: ${says}`),
    "",
  ].join("\n");
}

/** Throws FENCE_CONFIG, FENCE_COMMAND, FENCE_USAGE, FENCE_ISOLATION, FENCE_MOUNTS. */
function decideLandlock(doors: DecisionDoors, request: LaunchRequest, around: Surroundings): LandlockDecision {
  const program = decideProgram(doors, request, around);
  const { policy, wanted } = program;
  const effective = landlockIsolation(wanted);
  const host = decideHostNetwork({
    policy,
    hostNetwork: wanted.hostNetwork,
    publish: request.publish,
    landlockAbi: wanted.landlockAbi,
    hasFilter: wanted.seccomp && policy.isolation.seccomp !== "off",
  });
  return { ...program, effective, host, files: landlockGrants(policy, around, program.view()) };
}

/** On a disk where there is one: XDG_RUNTIME_DIR is small. */
function temporaryPlace(addon: Addon, around: Surroundings): RuntimeDirectory {
  try {
    return RuntimeDirectory.make(addon, { uid: around.uid, environment: {} });
  } catch (error) {
    if (!(error instanceof FenceError)) throw error;
    return RuntimeDirectory.make(addon, around);
  }
}

interface Parts {
  readonly request: LaunchRequest;
  readonly decision: LandlockDecision;
  readonly proxies: LandlockProxies;
  readonly temporary: string;
  readonly told: InsideTold;
  readonly around: Surroundings;
}

async function start({ addon, waiting, messages }: LaunchContext, parts: Parts): Promise<StartedSandbox> {
  const { request, decision, proxies, temporary, told, around } = parts;
  const { policy, files, host, wanted } = decision;
  const sandbox = new Sandbox(addon, waiting, messages);
  const rules = [...files.rules, { access: "rwx" as const, path: temporary }];
  const plan = insidePlan({
    argv: decision.argv,
    environment: programVariables(request, decision.environment, proxies, temporary),
    removed: request.environment.unset,
    directory: decision.directory,
    grants: rules.map(({ access, path }) => ({ access, path: sandboxPath(path) })),
    unixSockets: host.denials.denied.includes("unix-sockets") ? files.allowedSockets : [],
    connectTcp: host.deniesTcp ? [...proxies.ports, ...localPorts(decision)] : null,
    network: { httpProxy: null, socksProxy: null, bridges: [] },
    hostNetwork: host.denials,
    landlock: "required",
    landlockAbi: wanted.landlockAbi,
    seccomp: wanted.seccomp ? policy.isolation.seccomp : "off",
    verify: request.verify,
    inherited: sandbox.inherited,
    ...sandbox.signals(),
  });
  const inside = new StandaloneInside(sandbox, plan, told, false);
  messages.leaveStdio(addon, waiting.pidfd);
  await sandbox.start({ path: around.executable, argv: inside.words });
  return { sandbox, inside };
}

/** What the user sets or removes counts for more than what fence would set. */
function programVariables(
  { environment: { set, unset } }: LaunchRequest,
  inherited: Variables,
  proxies: LandlockProxies,
  temporary: string,
): Variables {
  const named = new Set([...unset, ...set.map(({ name }) => name)]);
  const variables = new Map(inherited);
  const ours = [...proxies.variables, ...temporaryVariables.map((name) => [name, temporary] as const)];
  // A proxy that was inherited is out of reach as soon as there is one of the sandbox.
  if (proxies.ports.length > 0) for (const name of proxyVariables) if (!named.has(name)) variables.delete(name);
  for (const [name, value] of ours) if (!named.has(name)) variables.set(name, value);
  return [...variables];
}

/** Ports of the host's loopback; they are open on every other host, too. */
function localPorts({ bridges }: ProgramDecision): readonly number[] {
  return bridges?.localPorts ?? [];
}

function readyReport(decision: LandlockDecision, inside: Json) {
  const published = (decision.bridges?.publish ?? []).map(({ host, hostPort, port }) => ({ host, hostPort, port }));
  return {
    isolation: { ...decision.effective } as unknown as Json,
    inside,
    published,
    notes: notesOf(decision).map(({ where, says }) => ({ where, says })),
  };
}

function notesOf({ notes, host, files }: LandlockDecision): readonly PlanNote[] {
  const temporary = {
    where: "default: /tmp",
    says: "is not granted: TMPDIR is a directory that fence removes at the end",
  };
  return [...notes, ...host.notes, ...files.notes, temporary];
}

/** Throws what kept the program from starting; nothing when it was started, or the user ended the start. */
function refuseFailure(end: SandboxEnd, { failure, wasReady }: Inside, said: string): void {
  if (failure !== null) throw failure;
  if (wasReady || (end.ofProgram && end.signal !== null)) return;
  const how = end.signal === null ? `exit status ${end.exit}` : signalName(end.signal);
  throw new FenceError("FENCE_LAUNCH", `the sandbox ended before its program started: ${how}`, {
    step: "start-sandbox",
    hint: said === "" ? "run fence bootstrap here by hand: it says what it cannot do" : `it said: ${said.trim()}`,
  });
}
