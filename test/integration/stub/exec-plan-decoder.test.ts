import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { type ExecPlan, execPlan, stepTypes } from "../../../src/plan/exec-plan.ts";
import { decodeExecPlan, encodeExecPlan, execPlanFormat } from "../../../src/plan/exec-plan-bytes.ts";
import { limitCases } from "../../kit/exec-plan-limits.ts";
import { damagedPlans, execPlans, originalArgs } from "../../kit/exec-plans.ts";
import { compileDecoder, type Decoder, decoderBuildId } from "./decoder.ts";

let decoder: Decoder;
beforeAll(() => {
  decoder = compileDecoder();
});
afterAll(() => decoder.remove());

const buildId = fc.constant(decoderBuildId);

/** The plan, or what is wrong with it. */
function decodeInTypeScript(bytes: Buffer): ExecPlan | string {
  try {
    return decodeExecPlan(bytes);
  } catch (error) {
    if (error instanceof FenceError && error.code === "FENCE_EXEC_PLAN") return error.message;
    throw error;
  }
}

/** What only the stub can know: its build, and how many arguments its process has. */
function wrongForThisProcess({ buildId: id, steps }: ExecPlan): boolean {
  const indexes = steps.flatMap((step) => {
    if (step.kind === "original-args") return [step.first + step.count - 1];
    return step.kind === "exec-original" ? [step.index] : [];
  });
  return id !== decoderBuildId || indexes.some((index) => index >= originalArgs);
}

test("the stub accepts every plan that is encoded", () => {
  const plans = fc.sample(execPlans(buildId), 2000).map(encodeExecPlan);
  const refused = decoder.check(plans, originalArgs).filter((wrong) => wrong !== null);
  expect(refused).toEqual([]);
});

test("the stub accepts the largest filter, long strings and many steps", () => {
  const variables = Array.from({ length: 5000 }, (_, i) => ({ kind: "set-env", name: `N${i}`, value: "x" }) as const);
  const plan = execPlan(decoderBuildId)
    .environment(variables)
    .arguments([{ kind: "arg", value: "x".repeat(1 << 20) }])
    .process([])
    .landlock({ restricts: true, flags: 0xffff_ffff })
    .seccomp(new Uint8Array(execPlanFormat.maxFilterBytes))
    .program({ kind: "exec", path: `/${"y".repeat(4094)}` });
  expect(decoder.check([encodeExecPlan(plan)], 0)).toEqual([null]);
});

test("the stub refuses more bytes than a plan may have, and reads the most that it may", () => {
  const { headerBytes, stepBytes, maxBytes } = execPlanFormat;
  const others = encodeExecPlan(plainPlan({ kind: "exec", path: "/x" })).length - headerBytes;
  const largest = maxBytes - headerBytes - others - stepBytes;
  const plan = (length: number) => {
    const bytes = encodeExecPlan(plainPlan({ kind: "exec", path: "/x" }));
    const step = Buffer.alloc(stepBytes + length, "x");
    step.writeUInt32LE(stepTypes.arg, 0);
    step.writeUInt32LE(length, 4);
    step[step.length - 1] = 0;
    const whole = Buffer.concat([bytes.subarray(0, headerBytes), step, bytes.subarray(headerBytes)]);
    whole.writeUInt32LE(whole.length, 24);
    whole.writeUInt32LE(bytes.readUInt32LE(28) + 1, 28);
    return whole;
  };
  const answers = decoder.check([plan(largest), plan(largest + 8)], 0);
  expect(answers).toEqual([null, "0 it does not start as a plan of its size"]);
});

test("the stub decides at the limits of the format as the format says", () => {
  const cases = limitCases(decoderBuildId);
  const answers = decoder.check(
    cases.map(({ bytes }) => bytes),
    originalArgs,
  );
  const wrong = cases.filter(({ accepts }, i) => accepts.stub !== (answers[i] === null)).map(({ what }) => what);
  expect(wrong).toEqual([]);
});

describe("the decoders in C and in TypeScript", () => {
  test("agree on damaged plans", () => {
    const plans = fc.sample(damagedPlans(buildId), 20_000);
    const answers = decoder.check(plans, originalArgs);
    const disagreements = plans.flatMap((bytes, i) => {
      const inC = answers[i] ?? null;
      const inTypeScript = decodeInTypeScript(bytes);
      // A decoder of strings is stricter than the kernel, which takes any bytes but NUL.
      if (typeof inTypeScript === "string" && inTypeScript.endsWith("is not UTF-8")) return [];
      if (typeof inTypeScript === "string" && inC !== null) return [];
      if (typeof inTypeScript !== "string" && (inC !== null) === wrongForThisProcess(inTypeScript)) return [];
      return [{ inC, inTypeScript, bytes: bytes.toString("hex") }];
    });
    expect(disagreements.slice(0, 3)).toEqual([]);
    const accepted = answers.filter((wrong) => wrong === null).length;
    expect(accepted).toBeGreaterThan(plans.length / 50);
    expect(accepted).toBeLessThan((plans.length * 9) / 10);
  });

  test("agree on every beginning of a plan, and on every byte of it changed", () => {
    const [plan] = fc.sample(execPlans(buildId), { numRuns: 1, seed: 1 });
    if (plan === undefined) throw new Error("no plan");
    const bytes = encodeExecPlan(plan);
    const changes = Array.from(bytes, (byte, at) =>
      Buffer.from(bytes.map((old, i) => (i === at ? (byte ^ 1) & 0xff : old))),
    );
    const beginnings = Array.from(bytes, (_, length) => bytes.subarray(0, length));
    const answers = decoder.check([...beginnings, ...changes], originalArgs);
    expect(answers.slice(0, bytes.length)).not.toContain(null);
    changes.forEach((change, at) => {
      const inTypeScript = decodeInTypeScript(change);
      const isAccepted = typeof inTypeScript !== "string" && !wrongForThisProcess(inTypeScript);
      expect({ at, isAccepted }).toEqual({ at, isAccepted: answers[bytes.length + at] === null });
    });
  });

  test("differ on strings that are not UTF-8, which only the kernel takes", () => {
    const bytes = encodeExecPlan(plainPlan({ kind: "exec", path: "/x" }));
    bytes[bytes.lastIndexOf("x")] = 0xff;
    expect(decodeInTypeScript(bytes)).toMatch(/is not UTF-8$/);
    expect(decoder.check([bytes], 0)).toEqual([null]);
  });

  test("differ on the build and on arguments that the process does not have, which only the stub knows", () => {
    const ofAnother = encodeExecPlan({ ...plainPlan({ kind: "exec", path: "/x" }), buildId: "00".repeat(16) });
    const beyond = encodeExecPlan(plainPlan({ kind: "exec-original", index: 3 }));
    for (const bytes of [ofAnother, beyond]) expect(decodeInTypeScript(bytes)).not.toBeTypeOf("string");
    expect(decoder.check([ofAnother], 9)).toEqual(["0 it was made by another build of fence"]);
    expect(decoder.check([beyond], 4)).toEqual([null]);
    expect(decoder.check([beyond], 3)).toEqual(["3 the program's path is not an argument of this process"]);
  });
});

test("no mutation makes the stub's decoder read outside of the plan or accept what it should not", () => {
  const corpus = fc.sample(execPlans(buildId), { numRuns: 200, seed: 7 }).map(encodeExecPlan);
  const accepted = decoder.fuzz(corpus, originalArgs, { seed: 12345, rounds: 300_000 });
  expect(accepted).toBeGreaterThan(1000);
});

function plainPlan(program: Parameters<ReturnType<typeof ready>["program"]>[0]): ExecPlan {
  return ready().program(program);
}

function ready() {
  return execPlan(decoderBuildId)
    .environment([])
    .arguments([{ kind: "arg", value: "z" }])
    .process([])
    .landlock({ restricts: false, flags: 0 })
    .seccomp(new Uint8Array());
}
