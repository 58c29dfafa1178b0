/**
 * `fence run`: plans a sandbox, starts it, serves it and says how it ended.
 *
 * Runs:     host, in the launcher, a detached child of the process that the user started.
 * Promises: the program runs only under everything that the policy requires; whatever happens nothing of the sandbox is
 *           left on the host.
 * Source:   docs/launch.md
 */
import { asFenceError, bug, FenceError } from "../base/errors.ts";
import type { SandboxPath } from "../base/paths.ts";
import type { Address } from "../bridge/address.ts";
import { loadPolicy } from "../config/load.ts";
import { mountArgs } from "../plan/bwrap-argv.ts";
import { planMounts } from "../plan/mount-plan.ts";
import type { MountPlan } from "../plan/mounts.ts";
import { namespaceArgs, wantedNamespaces } from "../plan/namespaces.ts";
import type { Policy } from "../plan/policy.ts";
import type { Json } from "../plan/schema.ts";
import type { Addon } from "../sys/addon.ts";
import type { Front, SandboxEnd } from "../sys/front.ts";
import { hostView } from "../sys/host-view.ts";
import type { Messages } from "../sys/messages.ts";
import { readSettingsFile } from "../sys/settings-files.ts";
import type { WaitingProcess } from "../sys/stub.ts";
import { HostBridges } from "./host-bridges.ts";
import { InsideEvents } from "./inside-events.ts";
import { type InsideNetwork, insidePlan } from "./inside-plan.ts";
import { programArguments, programEnvironment, shellPath } from "./program.ts";
import { LaunchReport } from "./report.ts";
import type { LaunchRequest } from "./request.ts";
import { RuntimeDirectory, sweepRuntimeDirectories } from "./runtime-directory.ts";
import { Sandbox, type SandboxMaker } from "./sandbox.ts";
import { type Surroundings, surroundings } from "./surroundings.ts";

export interface LaunchContext {
  readonly addon: Addon;
  readonly waiting: WaitingProcess;
  readonly front: Front;
  readonly messages: Messages;
}

const bootstrapPath = "/tmp/fence/bin/fence";

/** Settles when all is over; the front then ends as the program did. Throws what the user is to be told. */
export async function launch(context: LaunchContext, request: LaunchRequest): Promise<void> {
  const { statusFd } = request;
  const taken = statusFd === null ? null : context.waiting.takeDescriptor(statusFd, "--status-fd");
  const report = new LaunchReport(taken, statusFd);
  try {
    report.starting();
    await runSandbox(context, request, report);
  } catch (thrown) {
    const error = asFenceError(thrown);
    if (error.code !== "FENCE_STATUS") report.failed(error);
    throw error;
  }
}

async function runSandbox(context: LaunchContext, request: LaunchRequest, report: LaunchReport): Promise<void> {
  using resources = new DisposableStack();
  const { addon, front, messages } = context;
  const around = surroundings();
  const { policy } = loadPolicy({ read: readSettingsFile, uid: around.uid }, { ...request.policy, ...around });
  const bridges = await openBridges(addon, request, policy, around, resources);
  const mounts = planMounts(policy, { ...around, bridgeSockets: bridges?.sockets ?? [] }, hostView());

  const inside = new InsideEvents({
    ready: ({ isolation = null }) => report.ready({ isolation, published: publishedPorts(bridges) }),
    verified: (checks) => report.verified(checks),
    crash: (event) => messages.write(`fence: the bridges in the sandbox crashed: ${JSON.stringify(event)}\n`),
  });
  const sandbox = await startSandbox(context, { request, policy, around, bridges, mounts, inside });
  bridges?.handedOver();
  bridges?.serve();
  sweepRuntimeDirectories(addon, around);
  const end = await front.ended();
  if (end === "gone") return; // whoever waited for this process has gone as well
  await bridges?.drain();
  const said = await sandbox.messages;
  await sandbox.reported;
  refuseFailure(end, inside, said, request);
  report.ended(end, bridgeStatistics(bridges));
  messages.write(said);
}

interface Decided {
  readonly request: LaunchRequest;
  readonly policy: Policy;
  readonly around: Surroundings;
  readonly bridges: HostBridges | null;
  readonly mounts: MountPlan;
  readonly inside: InsideEvents;
}

async function startSandbox({ addon, waiting, messages }: LaunchContext, decided: Decided): Promise<Sandbox> {
  const { request, policy, around, bridges, mounts, inside } = decided;
  const argv = programArguments(request.program);
  const environment = programEnvironment(request.environment);
  const sandbox = new Sandbox(addon, waiting, messages.descriptor);
  const namespaces = wantedNamespaces(policy.isolation, hasHostNetwork(policy));
  const mountArguments = mounts.mounts.flatMap(({ step }) =>
    mountArgs(step, () => sandbox.giveBytes(Buffer.alloc(0), "an empty file")),
  );
  const argsFd = sandbox.giveBytes(
    nulTerminated([...namespaceArgs(namespaces, policy.forceNewSession), ...mountArguments]),
    "bubblewrap's arguments",
  );
  const plan = insidePlan({
    argv,
    environment,
    directory: request.directory ?? around.directory,
    grants: mounts.grants,
    unixSockets: mounts.allowedSockets,
    connectTcp: null,
    network: insideNetwork(bridges, mounts, sandbox),
    landlock: policy.isolation.landlock,
    landlockAbi: Math.max(0, addon.landlockAbi()),
    seccomp: policy.isolation.seccomp,
    verify: request.verify,
    inherited: sandbox.inherited,
    blockedSignals: sandbox.blockedSignals(),
  });
  sandbox.onReport((line) => inside.take(line));
  messages.leaveStdio(addon, waiting.pidfd);
  await sandbox.start(bubblewrap(argsFd), plan);
  return sandbox;
}

function bubblewrap(argsFd: number): SandboxMaker {
  return {
    path: "/usr/bin/bwrap",
    argv: (planFd, statusFd) => [
      ...["bwrap", "--args", String(argsFd), "--", bootstrapPath],
      ...["bootstrap", "--plan-fd", String(planFd), "--status-fd", String(statusFd)],
    ],
  };
}

async function openBridges(
  addon: Addon,
  request: LaunchRequest,
  { network }: Policy,
  around: Surroundings,
  resources: DisposableStack,
): Promise<HostBridges | null> {
  const ports = network.allowLocalOutbound ? network.allowLocalOutboundPorts : [];
  const wanted = {
    httpProxy: request.httpProxy ?? loopbackPort(network.httpProxyPort),
    socksProxy: request.socksProxy ?? loopbackPort(network.socksProxyPort),
    localPorts: ports,
    publish: request.publish,
  };
  const isNeeded = wanted.httpProxy !== null || wanted.socksProxy !== null || ports.length + wanted.publish.length > 0;
  if (!isNeeded) return null;
  const directory = resources.adopt(RuntimeDirectory.make(addon, around), (made) => made.close());
  return resources.adopt(await HostBridges.open(addon, wanted, directory, { uid: around.uid }), (open) => open.close());
}

function loopbackPort(port: number | null): Address | null {
  return port === null ? null : { kind: "tcp", host: "127.0.0.1", port };
}

function insideNetwork(bridges: HostBridges | null, mounts: MountPlan, sandbox: Sandbox): InsideNetwork {
  if (bridges === null) return { httpProxy: null, socksProxy: null, bridges: [] };
  const places = new Map(bridges.sockets.map(({ name }, i) => [name, mounts.bridgeSockets[i]]));
  return bridges.plan({
    socket(name): SandboxPath {
      const place = places.get(name);
      if (place === undefined) throw bug(`the socket ${name} is not mounted`);
      return place;
    },
    descriptors: bridges.handed.map(({ fd }) => sandbox.give(fd)),
  });
}

/** Whether the policy grants the host's network itself. */
function hasHostNetwork({ network }: Policy): boolean {
  return network.allowedDomains.includes("*");
}

function publishedPorts(bridges: HostBridges | null): Json {
  return (bridges?.published ?? []).map(({ host, hostPort, port }) => ({ host, hostPort, port }));
}

function bridgeStatistics(bridges: HostBridges | null): Json {
  return (bridges?.statistics() ?? []).map((each) => ({ ...each }));
}

function nulTerminated(values: readonly string[]): Buffer {
  return Buffer.from(values.map((value) => `${value}\0`).join(""));
}

/** Throws what kept the program from starting; nothing when it was started, or the user ended the start. */
function refuseFailure(end: SandboxEnd, inside: InsideEvents, said: string, { program }: LaunchRequest): void {
  const { failure, wasReady } = inside;
  if (failure !== null) throw program.kind === "shell" ? withShellHint(failure) : failure;
  if (wasReady || (end.ofProgram && end.signal !== null)) return;
  throw new FenceError("FENCE_BWRAP", `bubblewrap ended with ${end.exit ?? end.signal}: ${said.trim()}`, {
    step: "start-sandbox",
  });
}

function withShellHint(failure: FenceError): FenceError {
  if (failure.code !== "FENCE_PROGRAM_NOT_FOUND") return failure;
  return new FenceError(failure.code, failure.message, {
    ...failure.details,
    hint: `-c needs a shell in the sandbox: show it ${shellPath}, or name the program without -c`,
  });
}
