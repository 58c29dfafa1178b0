/**
 * Reads a JSON plan: the same requests as the options make, for those who generate them.
 *
 * Runs:     sandbox.
 * Promises: a plan with an unknown key, or of another version, is refused; plans hold no default that the options lack.
 * Source:   docs/plan.md
 */
import { closeSync, openSync, readSync } from "node:fs";
import { FenceError } from "../base/errors.ts";
import type { BridgeAddresses } from "../bridge/address.ts";
import type { RightName } from "../landlock/abi.ts";
import { type ProcessStep, signalMask } from "../plan/exec-plan.ts";
import { parseJson } from "../plan/json.ts";
import { fromUsage } from "../plan/schema.ts";
import { nodeError } from "../sys/errno.ts";
import { type JsonPlan, planSchema } from "./plan-schema.ts";
import {
  type BootstrapRequest,
  type EnvironmentRequest,
  environmentRequest,
  type LandlockAnswer,
  landlockAnswer,
  networkRequest,
  type ProgramRequest,
} from "./request.ts";
import { resourceLimits } from "./resource-limits.ts";

/** Plans are read whole. */
export const maxPlanBytes = 16 << 20;

const step = "read-plan";

const networkNames = {
  httpProxy: "plan.httpProxy",
  socksProxy: "plan.socksProxy",
  bridge: (index: number) => `plan.bridges[${index}].listen`,
  nonLoopbackListeners: '"nonLoopbackListeners": true',
};

const landlockNames = {
  mode: "plan.landlock",
  quiet: "plan.quiet",
  log: "plan.landlockLog",
  scopes: "plan.scopes",
};

/**
 * The plan's text from a path, or from an open descriptor. `given` is what the user knows it by. Throws FENCE_PLAN.
 */
export function readPlan(from: string | number, given = from): string {
  const where = typeof given === "number" ? `descriptor ${given}` : given;
  const bytes = readBytes(from, where);
  if (bytes.length > maxPlanBytes) {
    throw new FenceError("FENCE_PLAN", `${where} must be a plan of at most ${maxPlanBytes} bytes`, { step });
  }
  return planText(bytes, where);
}

/** The text of these bytes; `where` is where they came from. Throws FENCE_PLAN. */
export function planText(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FenceError("FENCE_PLAN", `${where} is not valid UTF-8`, { step, cause });
  }
}

function readBytes(from: string | number, where: string): Buffer {
  try {
    if (typeof from === "number") return readAll(from);
    const file = openSync(from, "r");
    try {
      return readAll(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw nodeError("FENCE_PLAN", `cannot read the plan ${where}`, error, { step });
  }
}

/** Up to one byte more than a plan may have: what is read may never end. */
function readAll(file: number): Buffer {
  const bytes = Buffer.alloc(maxPlanBytes + 1);
  let length = 0;
  for (;;) {
    const got = readSync(file, bytes, { offset: length });
    length += got;
    if (got === 0 || length === bytes.length) return bytes.subarray(0, length);
  }
}

/** `program` is what follows the options on the command line; it may be empty when the plan names one. */
export function parseJsonPlan(json: string, program: ProgramRequest): BootstrapRequest {
  return planRequest(parseJson(json, "the plan"), program);
}

/** The same of a plan that was never text. Throws FENCE_PLAN. */
export function planRequest(json: unknown, program: ProgramRequest): BootstrapRequest {
  const plan = planSchema.parse(json, "plan");
  if (plan.program.length > 0 && program.argv.length > 0) {
    throw new FenceError("FENCE_PLAN", "plan.program and the command line both name a program");
  }
  return {
    ...fromUsage(() => networkRequest({ ...plan, bridges: plan.bridges.map(bridgeAddresses) }, networkNames)),
    environment: environment(plan),
    process: processSteps(plan),
    landlock: landlock(plan),
    seccomp: plan.seccomp,
    init: plan.init,
    verify: plan.verify,
    launcher: plan.launcher,
    program: plan.program.length > 0 ? { kind: "plan", argv: plan.program } : program,
  };
}

function bridgeAddresses({ listen, connect, acknowledge }: JsonPlan["bridges"][number]): BridgeAddresses {
  return { listen, connect, ...(acknowledge && { acknowledge }) };
}

function environment(plan: JsonPlan): EnvironmentRequest {
  const request = {
    clear: plan.clearEnv,
    unset: plan.unsetEnv,
    set: plan.env.map(([variable, value]) => ({ name: variable, value })),
    noProxy: plan.noProxy.join(","),
    allProxy: plan.allProxy,
  };
  return fromUsage(() => environmentRequest(request, { set: "plan.env", unset: "plan.unsetEnv" }));
}

function landlock(plan: JsonPlan): LandlockAnswer {
  const { landlock: mode, ignoreMissing, quiet, landlockLog: log } = plan;
  const { rules, unixSockets, bindTcp, connectTcp, bindUdp, connectUdp, scopes } = plan;
  const { denied = [], bindsAnyPort = false, exactPaths = false } = plan.launcher ?? {};
  const leftAlone: readonly RightName[] = bindsAnyPort ? ["BIND_TCP"] : [];
  const named = { rules, unixSockets, bindTcp, connectTcp, bindUdp, connectUdp, scopes, quiet, log };
  const request = { ...named, denied, leftAlone };
  return fromUsage(() => landlockAnswer({ mode, request, ignoreMissing, exactPaths }, landlockNames));
}

/** The front and the sandbox's maker worked with other streams and a larger mask. */
function launcherSteps(launcher: JsonPlan["launcher"]): readonly ProcessStep[] {
  if (launcher === null) return [];
  const { standardError, closedStreams, blockedSignals, ignoredSignals } = launcher;
  return [
    ...(standardError === null ? [] : [{ kind: "stream", from: standardError, to: 2 } as const]),
    ...closedStreams.map((to) => ({ kind: "stream", from: null, to }) as const),
    { kind: "signals", blocked: signalMask(blockedSignals), ignored: signalMask(ignoredSignals) },
  ];
}

function processSteps(plan: JsonPlan): readonly ProcessStep[] {
  return [
    ...(plan.chdir === null ? [] : [{ kind: "chdir", path: plan.chdir } as const]),
    ...(plan.umask === null ? [] : [{ kind: "umask", mask: plan.umask } as const]),
    ...plan.rlimits.map(
      ([limit, { soft, hard }]): ProcessStep => ({
        kind: "rlimit",
        resource: resourceLimits.indexOf(limit),
        soft,
        hard,
      }),
    ),
    ...launcherSteps(plan.launcher),
    ...(plan.capabilities === "drop" ? [{ kind: "drop-capabilities" } as const] : []),
  ];
}
