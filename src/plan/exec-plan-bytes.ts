/**
 * Exec plans as bytes, and back.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: what decodes is a plan that the stub accepts; anything else is FENCE_EXEC_PLAN.
 * Source:   docs/exec-plan.md; native/stub/exec-plan.h reads these bytes
 */
import { FenceError, unreachable } from "../base/errors.ts";
import { type ExecPlan, type ExecStep, rankOf, type StepKind, stepTypes } from "./exec-plan.ts";

export const execPlanFormat = {
  /** "FXPL", little-endian. */
  magic: 0x4c505846,
  version: 1,
  headerBytes: 32,
  stepBytes: 8,
  maxBytes: 64 << 20,
  maxFilterBytes: 4096 * 8,
  rlimits: 16,
} as const;

const { headerBytes, stepBytes } = execPlanFormat;
const alignmentBytes = 8;
const filterBytes = 8;
const lastStream = 2;
/** AF_INET, AF_INET6. */
const family = { ipv4: 2, ipv6: 10 } as const;
/** Of a Landlock rule, before its path. */
const pathRuleBytes = 24;
/** Stands for a standard stream that is to be closed. */
const closed = -1;

/** Throws FENCE_EXEC_PLAN for a plan that is too large. */
export function encodeExecPlan(plan: ExecPlan): Buffer {
  const steps = plan.steps.map(encodeStep);
  const sizeBytes = headerBytes + steps.reduce((sum, step) => sum + step.length, 0);
  if (sizeBytes > execPlanFormat.maxBytes) throw tooLarge(sizeBytes);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(execPlanFormat.magic, 0);
  header.writeUInt32LE(plan.version, 4);
  header.write(plan.buildId, 8, "hex");
  header.writeUInt32LE(sizeBytes, 24);
  header.writeUInt32LE(steps.length, 28);
  return Buffer.concat([header, ...steps]);
}

/** Throws FENCE_EXEC_PLAN. */
export function decodeExecPlan(bytes: Buffer): ExecPlan {
  if (bytes.length < headerBytes || bytes.length > execPlanFormat.maxBytes) throw malformed("it has a bad size");
  if (bytes.readUInt32LE(0) !== execPlanFormat.magic) throw malformed("it does not start as a plan");
  if (bytes.readUInt32LE(4) !== execPlanFormat.version) throw malformed("it has another version");
  if (bytes.readUInt32LE(24) !== bytes.length) throw malformed("it has another size than it says");
  const count = bytes.readUInt32LE(28);
  const steps: ExecStep[] = [];
  let offset: number = headerBytes;
  for (let i = 0; i < count; i++) {
    const { step, next } = decodeStep(bytes, offset);
    const previous = steps.at(-1);
    if (previous !== undefined && rankOf(step.kind) < rankOf(previous.kind)) throw malformed("its steps are unordered");
    steps.push(step);
    offset = next;
  }
  if (offset !== bytes.length) throw malformed("it has bytes after its last step");
  checkWhole(steps);
  return { version: 1, buildId: bytes.toString("hex", 8, 24), steps };
}

function encodeStep(step: ExecStep): Buffer {
  const payload = encodePayload(step);
  const bytes = Buffer.alloc(stepBytes + aligned(payload.length));
  bytes.writeUInt16LE(stepTypes[step.kind], 0);
  bytes.writeUInt32LE(payload.length, 4);
  bytes.set(payload, stepBytes);
  return bytes;
}

function encodePayload(step: ExecStep): Uint8Array {
  switch (step.kind) {
    case "clear-env":
    case "drop-capabilities":
      return Buffer.alloc(0);
    case "unset-env":
      return text(step.name);
    case "set-env":
      return text(`${step.name}=${step.value}`);
    case "original-args":
      return numbers(step.first, step.count);
    case "arg":
      return text(step.value);
    case "chdir":
    case "exec":
      return text(step.path);
    case "umask":
      return numbers(step.mask);
    case "rlimit":
      return Buffer.concat([numbers(step.resource, 0), longNumbers(step.soft, step.hard)]);
    case "stream":
      return signedNumbers(step.from ?? closed, step.to);
    case "signals":
      return longNumbers(step.blocked, step.ignored);
    case "landlock":
      return numbers(step.restricts ? 1 : 0, step.flags);
    case "seccomp":
      return step.filter;
    case "exec-original":
      return numbers(step.index);
    case "exec-found":
      return Buffer.alloc(0);
    case "listen":
      return step.address;
    case "search":
      return Buffer.concat(step.paths.map(text));
    case "ruleset":
      return masks(step.handledFs, step.handledNet, step.scoped, step.quietFs, step.quietNet, step.quietScoped);
    case "path-rule":
      return Buffer.concat([masks(step.directoryAccess, step.fileAccess), ruleFlags(step.quiet), text(step.path)]);
    case "port-rule":
      return Buffer.concat([masks(step.port, step.access), ruleFlags(step.quiet)]);
    default:
      return unreachable(step);
  }
}

function decodeStep(bytes: Buffer, offset: number): { step: ExecStep; next: number } {
  if (bytes.length - offset < stepBytes) throw malformed("a step ends outside the plan");
  const length = bytes.readUInt32LE(offset + 4);
  const start = offset + stepBytes;
  if (aligned(length) > bytes.length - start || bytes.readUInt16LE(offset + 2) !== 0) {
    throw malformed("a step ends outside the plan");
  }
  const step = decodePayload(kindOf(bytes.readUInt16LE(offset)), bytes.subarray(start, start + length));
  return { step, next: start + aligned(length) };
}

const kinds = new Map<number, StepKind>(Object.entries(stepTypes).map(([kind, type]) => [type, kind as StepKind]));

function kindOf(type: number): StepKind {
  const kind = kinds.get(type);
  if (kind === undefined) throw malformed("a step has an unknown type");
  return kind;
}

function decodePayload(kind: StepKind, payload: Buffer): ExecStep {
  const size = (bytes: number) => {
    if (payload.length !== bytes) throw malformed(`the step ${kind} has a bad size`);
  };
  switch (kind) {
    case "clear-env":
    case "drop-capabilities":
      size(0);
      return { kind };
    case "unset-env":
      return { kind, name: variableName(string(payload)) };
    case "set-env":
      return { kind, ...variable(string(payload)) };
    case "original-args":
      size(8);
      return { kind, first: payload.readUInt32LE(0), count: atLeastOne(payload.readUInt32LE(4)) };
    case "arg":
      return { kind, value: argument(payload) };
    case "chdir":
    case "exec":
      return { kind, path: string(payload) };
    case "umask":
      size(4);
      return { kind, mask: below(0o1000, payload.readUInt32LE(0)) };
    case "rlimit": {
      size(24);
      const [soft, hard] = [payload.readBigUInt64LE(8), payload.readBigUInt64LE(16)];
      return { kind, resource: below(execPlanFormat.rlimits, payload.readUInt32LE(0)), soft, hard };
    }
    case "stream":
      size(8);
      return { kind, from: streamSource(payload.readInt32LE(0)), to: below(lastStream + 1, payload.readUInt32LE(4)) };
    case "signals":
      size(16);
      return { kind, blocked: payload.readBigUInt64LE(0), ignored: payload.readBigUInt64LE(8) };
    case "landlock":
      size(8);
      return { kind, restricts: below(2, payload.readUInt32LE(0)) === 1, flags: payload.readUInt32LE(4) };
    case "seccomp":
      if (payload.length % filterBytes !== 0 || payload.length > execPlanFormat.maxFilterBytes) {
        throw malformed("the seccomp filter has a bad size");
      }
      return { kind, filter: new Uint8Array(payload) };
    case "exec-original":
      size(4);
      return { kind, index: payload.readUInt32LE(0) };
    case "exec-found":
      size(0);
      return { kind };
    case "listen":
      return { kind, address: listenAddress(payload) };
    case "search":
      return { kind, paths: paths(payload) };
    case "ruleset": {
      size(48);
      const [handledFs = 0, handledNet = 0, scoped = 0, quietFs = 0, quietNet = 0, quietScoped = 0] = masksIn(payload);
      return { kind, handledFs, handledNet, scoped, quietFs, quietNet, quietScoped };
    }
    case "path-rule": {
      if (payload.length < pathRuleBytes) throw malformed("a Landlock rule has a bad size");
      const [directoryAccess = 0, fileAccess = 0] = masksIn(payload.subarray(0, 16));
      const path = string(payload.subarray(pathRuleBytes));
      return { kind, path, directoryAccess, fileAccess, quiet: isQuiet(payload.subarray(16)) };
    }
    case "port-rule": {
      size(24);
      const [port = 0, access = 0] = masksIn(payload.subarray(0, 16));
      return { kind, port: below(0x10000, port), access, quiet: isQuiet(payload.subarray(16)) };
    }
    default:
      return unreachable(kind);
  }
}

function checkWhole(steps: readonly ExecStep[]): void {
  const count = (...wanted: StepKind[]) => steps.filter(({ kind }) => wanted.includes(kind)).length;
  if (count("landlock") !== 1) throw malformed("there must be one answer for Landlock");
  if (count("seccomp") !== 1) throw malformed("there must be one answer for seccomp");
  if (count("exec", "exec-original", "exec-found") !== 1) throw malformed("there must be one program");
  if (count("search") !== count("exec-found")) throw malformed("what is searched for must be what is executed");
  if (count("ruleset") > 1) throw malformed("there must be one ruleset at most");
  const [ruleset, rule] = [steps.findIndex(isRuleset), steps.findIndex(isRule)];
  if (rule !== -1 && (ruleset === -1 || rule < ruleset)) throw malformed("a rule has no ruleset");
  const answer = steps.find((step) => step.kind === "landlock");
  if (ruleset !== -1 && answer?.restricts !== true) throw malformed("the ruleset is not enforced");
  if (count("original-args", "arg") === 0) throw malformed("the program has no argument 0");
}

function isRuleset({ kind }: ExecStep): boolean {
  return kind === "ruleset";
}

function isRule({ kind }: ExecStep): boolean {
  return kind === "path-rule" || kind === "port-rule";
}

function aligned(length: number): number {
  return Math.ceil(length / alignmentBytes) * alignmentBytes;
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function numbers(...values: number[]): Buffer {
  return Buffer.from(Uint32Array.from(values).buffer);
}

function signedNumbers(...values: number[]): Buffer {
  return Buffer.from(Int32Array.from(values).buffer);
}

function longNumbers(...values: bigint[]): Buffer {
  return Buffer.from(BigUint64Array.from(values).buffer);
}

/** Bits of Landlock, in 64 each; none is above 32. */
function masks(...values: number[]): Buffer {
  return longNumbers(...values.map(BigInt));
}

function masksIn(payload: Buffer): number[] {
  return Array.from({ length: payload.length / 8 }, (_, i) => below(2 ** 32, Number(payload.readBigUInt64LE(i * 8))));
}

/** LANDLOCK_ADD_RULE_QUIET, and padding. */
function ruleFlags(quiet: boolean): Buffer {
  return numbers(quiet ? 1 : 0, 0);
}

function isQuiet(payload: Buffer): boolean {
  if (payload.readUInt32LE(4) !== 0) throw malformed("the flags of a rule are malformed");
  return below(2, payload.readUInt32LE(0)) === 1;
}

/** struct sockaddr_in or sockaddr_in6; the port is at the same place in both. */
function listenAddress(payload: Buffer): Uint8Array {
  const bytesOf: Readonly<Record<number, number>> = { [family.ipv4]: 16, [family.ipv6]: 28 };
  if (payload.length < 4 || bytesOf[payload.readUInt16LE(0)] !== payload.length || payload.readUInt16BE(2) === 0) {
    throw malformed("the address to listen on is malformed");
  }
  return new Uint8Array(payload);
}

function paths(payload: Buffer): [string, ...string[]] {
  const all: string[] = [];
  for (let at = 0; at < payload.length; ) {
    const end = payload.indexOf(0, at) + 1;
    all.push(string(payload.subarray(at, end === 0 ? payload.length : end)));
    at = end === 0 ? payload.length : end;
  }
  const [first, ...rest] = all;
  if (first === undefined) throw malformed("there is no path to search");
  return [first, ...rest];
}

/** A string that fills the payload; not empty. */
function string(payload: Buffer): string {
  const value = argument(payload);
  if (value === "") throw malformed("a string is empty");
  return value;
}

function argument(payload: Buffer): string {
  if (payload.indexOf(0) !== payload.length - 1 || payload.length === 0) throw malformed("a string does not end");
  const value = payload.toString("utf8", 0, payload.length - 1);
  if (!Buffer.from(value).equals(payload.subarray(0, -1))) throw malformed("a string is not UTF-8");
  return value;
}

function variableName(name: string): string {
  if (name.includes("=")) throw malformed("the name of a variable is malformed");
  return name;
}

function variable(assignment: string): { name: string; value: string } {
  const equals = assignment.indexOf("=");
  if (equals < 1) throw malformed("a variable is malformed");
  return { name: assignment.slice(0, equals), value: assignment.slice(equals + 1) };
}

function atLeastOne(count: number): number {
  if (count === 0) throw malformed("a range of arguments is empty");
  return count;
}

function streamSource(from: number): number | null {
  if (from === closed) return null;
  if (from <= lastStream) throw malformed("a standard stream is malformed");
  return from;
}

function below(limit: number, value: number): number {
  if (value >= limit) throw malformed(`${value} is not below ${limit}`);
  return value;
}

function tooLarge(sizeBytes: number): FenceError {
  const message = `the exec plan must have at most ${execPlanFormat.maxBytes} bytes, got ${sizeBytes}`;
  return new FenceError("FENCE_EXEC_PLAN", message, {
    step: "encode-exec-plan",
    hint: "give the program fewer or shorter arguments and variables: execve(2) takes a few MB",
  });
}

function malformed(why: string): FenceError {
  return new FenceError("FENCE_EXEC_PLAN", `the exec plan is malformed: ${why}`, { step: "decode-exec-plan" });
}
