/**
 * `--dry-run`: what a run would do, for people as a tree and for programs as JSON.
 *
 * Runs:     host. Pure.
 * Promises: values of variables, contents of decoys and passwords are not in it; nothing is made, and nothing listens.
 * Source:   docs/run.md
 */
import { formatAddress } from "../bridge/address.ts";
import { decodeTcpAddress } from "../bridge/sockaddr.ts";
import { mountArgs } from "../plan/bwrap-argv.ts";
import type { ExecPlan, ExecStep } from "../plan/exec-plan.ts";
import type { MountPlan, MountStep, PlannedMount } from "../plan/mounts.ts";
import type { Json } from "../plan/schema.ts";
import type { PlannedEnd } from "./bridge-ends.ts";
import type { Decision } from "./decision.ts";
import type { InsideWay } from "./inside.ts";

export interface DryRun {
  readonly decision: Decision;
  readonly mounts: MountPlan;
  readonly bridges: readonly PlannedEnd[];
  /** What the stub does inside; null: the bootstrap will find out. */
  readonly execPlan: ExecPlan | null;
  /** bubblewrap's command line but for the numbers of descriptors. */
  readonly command: readonly string[];
}

/** struct sock_filter */
const instructionBytes = 8;

/** Stands for a descriptor that a run would pass on. */
export const someDescriptor = -1;

/** What bubblewrap would execute in the sandbox. */
export function wordsInside(way: InsideWay): readonly [string, ...string[]] {
  const fd = String(someDescriptor);
  return way === "launched" ? ["fence", "launched", fd] : ["fence", "bootstrap", "--plan-fd", fd, "--status-fd", fd];
}

/** What bubblewrap would be given, but that descriptors are not open yet. */
export function bwrapArguments({ isolation }: Decision, { mounts }: MountPlan): readonly string[] {
  return [
    ...isolation.bwrapArgs,
    ...mounts.flatMap(({ step }) =>
      step.kind === "proc" ? isolation.procArgs : mountArgs(step, () => someDescriptor),
    ),
  ];
}

export function dryRunJson(run: DryRun): Json {
  const { decision, mounts, bridges, execPlan, command } = run;
  return {
    version: 1,
    program: decision.argv,
    directory: decision.directory,
    environment: decision.environment.map(([name]) => name),
    isolation: decision.isolation.effective as unknown as Json,
    seccomp: decision.isolation.seccomp,
    landlock: { mode: decision.isolation.landlock, rules: mounts.grants.map(({ access, path }) => ({ access, path })) },
    mounts: mounts.mounts.map(({ step, phase, because }) => ({ ...step, phase, because })),
    bridges: bridges.map(describeBridge),
    notes: notesOf(run).map(({ where, says }) => ({ where, says })),
    bwrap: command,
    execPlan: execPlan === null ? null : execPlan.steps.filter(({ kind }) => kind !== "signals").map(describeStep),
  };
}

/** Without values of variables. What was inherited, signals and streams, only a run knows. */
function describeStep(step: ExecStep): Json {
  switch (step.kind) {
    case "set-env":
      return { kind: step.kind, name: step.name };
    case "listen":
      return { kind: step.kind, address: formatAddress(decodeTcpAddress(Buffer.from(step.address))) };
    case "seccomp":
      return { kind: step.kind, instructions: step.filter.length / instructionBytes };
    case "rlimit":
      return { kind: step.kind, resource: step.resource, soft: String(step.soft), hard: String(step.hard) };
    case "signals":
      return { kind: step.kind };
    case "search":
      return { kind: step.kind, paths: [...step.paths] };
    default:
      return { ...step };
  }
}

export function dryRunText(run: DryRun): string {
  const { decision, mounts, bridges } = run;
  const layers = decision.isolation.effective.layers;
  const applied = layers.filter(({ state }) => state === "applied").map(({ layer }) => layer);
  const others = layers.filter(({ state }) => state !== "applied");
  return [
    `program      ${decision.argv.join(" ")}`,
    `directory    ${decision.directory}`,
    `variables    ${decision.environment.length}, and those of fence`,
    `isolation    ${applied.join(", ")}`,
    ...others.map(({ layer, state, says }) => `             ${layer} is ${state}${says === null ? "" : `: ${says}`}`),
    `network      ${bridges.length === 0 ? networkWithoutBridges(decision) : ""}`,
    ...bridges.map((end) => `             ${bridgeLine(end)}`),
    "",
    "files",
    ...tree(mounts.mounts),
    ...notesOf(run).map(({ where, says }) => `note         ${where}: ${says}`),
    "",
  ].join("\n");
}

function networkWithoutBridges({ isolation }: Decision): string {
  return isolation.namespaces.layers.has("network")
    ? "none: an empty namespace with its own loopback"
    : "the host's own";
}

function describeBridge({ kind, listen, targets, port }: PlannedEnd): Json {
  return { kind, port, listen: formatAddress(listen), targets: targets.map(formatAddress) };
}

function bridgeLine({ kind, listen, targets, port }: PlannedEnd): string {
  if (kind === "published-port") return `${formatAddress(listen)} on the host reaches port ${port} in the sandbox`;
  return `127.0.0.1:${port} in the sandbox reaches ${targets.map(formatAddress).join(" or ")} (${kind})`;
}

/** Each place below the one that it lies in, with what is seen there and who asked for it. */
function tree(mounts: readonly PlannedMount[]): readonly string[] {
  const places = new Map(mounts.map((mount) => [mount.step.to as string, mount]));
  const width = Math.max(...[...places.keys()].map((path) => path.length + 2 * depthOf(path, places)));
  return [...places]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([path, { step, because }]) => {
      const name = `${"  ".repeat(depthOf(path, places))}${path}`;
      return `  ${name.padEnd(width)}  ${seenAs(step).padEnd(longestWord)}  ${because}`;
    });
}

function depthOf(path: string, places: ReadonlyMap<string, PlannedMount>): number {
  return [...places.keys()].filter((other) => other !== path && (other === "/" || path.startsWith(`${other}/`))).length;
}

const longestWord = "empty directory".length;

function seenAs(step: MountStep): string {
  switch (step.kind) {
    case "bind":
      return step.access === "devices" ? "devices" : step.access;
    case "tmpfs":
      return "empty directory";
    case "remount-read-only":
      return "read-only";
    case "empty-file":
      return "empty file";
    default:
      return step.kind;
  }
}

function notesOf({ decision, mounts }: DryRun) {
  return [...decision.notes, ...mounts.notes];
}
