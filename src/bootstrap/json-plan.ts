/**
 * Reads a JSON plan: the same requests as the options make, for those who generate them.
 *
 * Runs:     sandbox.
 * Promises: a plan with an unknown key, or of another version, is refused; plans hold no default that the options lack.
 * Source:   docs/plan.md
 */
import { closeSync, openSync, readSync } from "node:fs";
import { FenceError } from "../base/errors.ts";
import { parseConnectAddress, parseListenAddress } from "../bridge/address.ts";
import { accessWords, scopeWords } from "../landlock/options.ts";
import type { ProcessStep } from "../plan/exec-plan.ts";
import { parseJson } from "../plan/json.ts";
import {
  absolutePath,
  dictionary,
  exactly,
  flag,
  fromUsage,
  integer,
  list,
  mismatch,
  optional,
  type Parse,
  record,
  required,
  secretText,
  text,
  textAs,
  word,
} from "../plan/schema.ts";
import { nodeError } from "../sys/errno.ts";
import { variableName } from "./options.ts";
import {
  type BootstrapRequest,
  defaultNoProxy,
  type LandlockAnswer,
  landlockAnswer,
  landlockModes,
  networkRequest,
  type ProgramRequest,
  seccompModes,
} from "./request.ts";
import { resourceLimits } from "./resource-limits.ts";

/** Plans are read whole. */
const maxPlanBytes = 16 << 20;
/** RLIM_INFINITY, getrlimit(2). */
const infinity = 2n ** 64n - 1n;

const address = { listen: textAs(parseListenAddress), connect: textAs(parseConnectAddress) };
const name = textAs(variableName);
const limitValue: Parse<bigint> = (value, where) => {
  if (value === "unlimited") return infinity;
  if (typeof value === "string") throw mismatch(where, 'a number or "unlimited"', value);
  return BigInt(integer(0, Number.MAX_SAFE_INTEGER)(value, where));
};
const umask: Parse<number> = (value, where) => {
  const digits = text(value, where);
  if (/^0?[0-7]{1,3}$/.test(digits)) return Number.parseInt(digits, 8);
  throw mismatch(where, 'octal digits such as "022"', digits);
};

const step = "read-plan";
/** An absent proxy, directory or mask. */
const none = null;

const parsePlan = record({
  version: required(exactly(1)),
  bridges: optional(list(record({ listen: required(address.listen), connect: required(address.connect) })), []),
  httpProxy: optional(orNone(address.connect), none),
  socksProxy: optional(orNone(address.connect), none),
  noProxy: optional(list(text), defaultNoProxy.split(",")),
  allProxy: optional(flag, true),
  env: optional(dictionary(name, secretText), []),
  unsetEnv: optional(list(name), []),
  clearEnv: optional(flag, false),
  chdir: optional(orNone(absolutePath), none),
  umask: optional(orNone(umask), none),
  rlimits: optional(
    dictionary(word(resourceLimits), record({ soft: required(limitValue), hard: required(limitValue) })),
    [],
  ),
  capabilities: optional(word(["keep", "drop"]), "keep"),
  rules: optional(list(record({ access: required(word(accessWords)), path: required(absolutePath) })), []),
  unixSockets: optional(list(absolutePath), []),
  bindTcp: optional(list(integer(0, 65535)), []),
  connectTcp: optional(list(integer(1, 65535)), []),
  scopes: optional(list(word(scopeWords)), []),
  landlock: optional(word(landlockModes), "required"),
  ignoreMissing: optional(flag, false),
  seccomp: optional(word(seccompModes), "default"),
  init: optional(flag, false),
  verify: optional(flag, false),
  program: optional(list(text), []),
});

/**
 * The plan's text from a path, or from an open descriptor. `given` is what the user knows it by. Throws FENCE_PLAN.
 */
export function readPlan(from: string | number, given = from): string {
  const where = typeof given === "number" ? `descriptor ${given}` : given;
  const bytes = readBytes(from, where);
  if (bytes.length > maxPlanBytes) {
    throw new FenceError("FENCE_PLAN", `${where} must be a plan of at most ${maxPlanBytes} bytes`, { step });
  }
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
  const plan = parsePlan(parseJson(json, "the plan"), "plan");
  if (plan.program.length > 0 && program.argv.length > 0) {
    throw new FenceError("FENCE_PLAN", "plan.program and the command line both name a program");
  }
  return {
    ...fromUsage(() => networkRequest(plan, "plan.bridges")),
    environment: {
      clear: plan.clearEnv,
      unset: plan.unsetEnv,
      set: plan.env.map(([variable, value]) => ({ name: variable, value })),
      noProxy: plan.noProxy.join(","),
      allProxy: plan.allProxy,
    },
    process: processSteps(plan),
    landlock: landlock(plan),
    seccomp: plan.seccomp,
    init: plan.init,
    verify: plan.verify,
    program: plan.program.length > 0 ? { kind: "plan", argv: plan.program } : program,
  };
}

type Plan = ReturnType<typeof parsePlan>;

function landlock(plan: Plan): LandlockAnswer {
  const { landlock: mode, ignoreMissing, rules, unixSockets, bindTcp, connectTcp, scopes } = plan;
  const request = { rules, unixSockets, bindTcp, connectTcp, scopes, denied: [] };
  return fromUsage(() => landlockAnswer({ mode, request, ignoreMissing }, "plan.landlock"));
}

function processSteps(plan: Plan): readonly ProcessStep[] {
  const limits = plan.rlimits.map(([limit, { soft, hard }]): ProcessStep => {
    if (soft > hard) throw new FenceError("FENCE_PLAN", `plan.rlimits.${limit}.soft must not be above its hard limit`);
    return { kind: "rlimit", resource: resourceLimits.indexOf(limit), soft, hard };
  });
  return [
    ...(plan.chdir === none ? [] : [{ kind: "chdir", path: plan.chdir } as const]),
    ...(plan.umask === none ? [] : [{ kind: "umask", mask: plan.umask } as const]),
    ...limits,
    ...(plan.capabilities === "drop" ? [{ kind: "drop-capabilities" } as const] : []),
  ];
}

function orNone<T>(parse: Parse<T>): Parse<T | null> {
  return (value, where) => (value === none ? none : parse(value, where));
}
