import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { type ExecPlan, execPlan, rankOf } from "../../../src/plan/exec-plan.ts";
import { decodeExecPlan, encodeExecPlan, execPlanFormat } from "../../../src/plan/exec-plan-bytes.ts";
import { limitCases } from "../../kit/exec-plan-limits.ts";
import { anyBuildId, damagedPlans, execPlans } from "../../kit/exec-plans.ts";

/** The plan, or null when it was refused as it should be: anything else that is thrown fails the test. */
function decoded(bytes: Uint8Array): ExecPlan | null {
  try {
    return decodeExecPlan(Buffer.from(bytes));
  } catch (error) {
    if (error instanceof FenceError && error.code === "FENCE_EXEC_PLAN") return null;
    throw error;
  }
}

test("a plan that was encoded decodes to an equal one", () => {
  fc.assert(
    fc.property(execPlans(anyBuildId), (plan) => {
      expect(decodeExecPlan(encodeExecPlan(plan))).toEqual(plan);
    }),
  );
});

test("any bytes decode or give FENCE_EXEC_PLAN", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(decoded(bytes)).toBeNull();
    }),
  );
});

test("bytes of a damaged plan decode to steps in the safe order, or give FENCE_EXEC_PLAN", () => {
  let accepted = 0;
  fc.assert(
    fc.property(damagedPlans(anyBuildId), (bytes) => {
      const plan = decoded(bytes);
      if (plan === null) return;
      accepted++;
      const ranks = plan.steps.map(({ kind }) => rankOf(kind));
      expect(ranks).toEqual(ranks.toSorted((one, other) => one - other));
      expect(decodeExecPlan(encodeExecPlan(plan))).toEqual(plan);
    }),
    { numRuns: 2000 },
  );
  expect(accepted).toBeGreaterThan(0);
});

const whole = encodeExecPlan(
  execPlan("ab".repeat(16))
    .environment([{ kind: "unset-env", name: "A" }])
    .arguments([{ kind: "arg", value: "x" }])
    .process([])
    .landlock({ restricts: false, flags: 0 })
    .seccomp(new Uint8Array())
    .program({ kind: "exec", path: "/x" }),
);
/** Where the first step starts, and its payload. */
const first = { type: 32, reserved: 34, length: 36, payload: 40 } as const;

type Change = (bytes: Buffer) => void;

describe("refuses", () => {
  test.for<[what: string, why: string, change: Change]>([
    ["another magic", "does not start as a plan", (bytes) => bytes.writeUInt32LE(1, 0)],
    ["another version", "another version", (bytes) => bytes.writeUInt32LE(2, 4)],
    ["another size", "another size than it says", (bytes) => bytes.writeUInt32LE(bytes.length - 8, 24)],
    ["more steps than there are", "a step ends outside", (bytes) => bytes.writeUInt32LE(99, 28)],
    ["fewer steps than there are", "after its last step", (bytes) => bytes.writeUInt32LE(4, 28)],
    ["an unknown type", "unknown type", (bytes) => bytes.writeUInt16LE(0x21, first.type)],
    ["a reserved field that is set", "a step ends outside", (bytes) => bytes.writeUInt16LE(1, first.reserved)],
    ["a payload past the end", "a step ends outside", (bytes) => bytes.writeUInt32LE(0xffff_fff9, first.length)],
    ["a string without end", "does not end", (bytes) => bytes.writeUInt32LE(1, first.length)],
    ["a string with NUL inside", "does not end", (bytes) => bytes.writeUInt8(0, first.payload)],
    ["bytes that are not UTF-8", "not UTF-8", (bytes) => bytes.writeUInt8(0xff, first.payload)],
    ["a name with =", "the name of a variable", (bytes) => bytes.write("=", first.payload)],
    ["a variable without =", "a variable is malformed", (bytes) => bytes.writeUInt16LE(0x30, first.type)],
    ["steps in another order", "unordered", (bytes) => bytes.writeUInt16LE(0x50, first.type)],
  ])("%s", ([, why, change]) => {
    const bytes = Buffer.from(whole);
    change(bytes);
    expect(() => decodeExecPlan(bytes)).toThrow(why);
  });

  test("every beginning of a plan", () => {
    for (let length = 0; length < whole.length; length++) expect(decoded(whole.subarray(0, length))).toBeNull();
  });

  test("more bytes than a plan may have, before it reads them", () => {
    expect(() => decodeExecPlan(Buffer.alloc(execPlanFormat.maxBytes + 1))).toThrow("bad size");
  });
});

describe("at the limits of the format", () => {
  test.for(limitCases("00".repeat(16)))("$what is accepted: $accepts.typescript", ({ bytes, accepts }) => {
    expect(decoded(bytes) !== null).toBe(accepts.typescript);
  });
});

test("characters outside of ASCII, U+FFFD too, keep their bytes", () => {
  const path = "/\u{1f600}\u00e9\ufffd";
  const plan = decodeExecPlan(whole);
  const steps = plan.steps.map((step) => (step.kind === "exec" ? { ...step, path } : step));
  expect(decodeExecPlan(encodeExecPlan({ ...plan, steps })).steps.at(-1)).toEqual({ kind: "exec", path });
});

test("a plan that is too large is refused before the stub sees it", () => {
  const value = "x".repeat(execPlanFormat.maxBytes / 2);
  const plan = execPlan("00".repeat(16))
    .environment([])
    .arguments([
      { kind: "arg", value },
      { kind: "arg", value },
    ])
    .process([])
    .landlock({ restricts: false, flags: 0 })
    .seccomp(new Uint8Array())
    .program({ kind: "exec", path: "/x" });
  expect(() => encodeExecPlan(plan)).toThrow(expect.objectContaining({ code: "FENCE_EXEC_PLAN" }));
  expect(() => encodeExecPlan(plan)).toThrow(/^the exec plan must have at most 67108864 bytes, got \d+$/);
});
