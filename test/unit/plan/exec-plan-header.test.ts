import { expect, test } from "vitest";
import { type ExecStep, execPlan, stepTypes } from "../../../src/plan/exec-plan.ts";
import { encodeExecPlan, execPlanFormat } from "../../../src/plan/exec-plan-bytes.ts";
import { readHeader } from "../../kit/c-header.ts";

const { macros, enums, structs } = readHeader("stub/exec-plan.h", readHeader("stub/pack-index.h"));

function structOf(name: string) {
  const found = structs[name];
  if (found === undefined) throw new Error(`there is no struct ${name}`);
  return { sizeBytes: found.sizeBytes, at: (member: string) => found.offsets[member] ?? Number.NaN };
}

function encoded(
  ...process: Parameters<ReturnType<ReturnType<ReturnType<typeof execPlan>["environment"]>["arguments"]>["process"]>[0]
) {
  return encodeExecPlan(
    execPlan("0123456789abcdef0123456789abcdef")
      .environment([])
      .arguments([{ kind: "original-args", first: 3, count: 4 }])
      .process(process)
      .landlock({ restricts: true, flags: 7 })
      .seccomp(new Uint8Array())
      .program({ kind: "exec-original", index: 3 }),
  );
}

/** The payload of the first step of a kind. */
function payload(bytes: Buffer, kind: ExecStep["kind"]): Buffer {
  const step = structOf("exec_plan_step");
  for (let at = structOf("exec_plan_header").sizeBytes; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + step.at("length"));
    const start = at + step.sizeBytes;
    if (bytes.readUInt16LE(at + step.at("type")) === stepTypes[kind]) return bytes.subarray(start, start + length);
    at = start + Math.ceil(length / 8) * 8;
  }
  throw new Error(`there is no step ${kind}`);
}

test("the step types are those of exec-plan.h, each and no other", () => {
  const names = Object.fromEntries(
    Object.entries(stepTypes).map(([kind, type]) => [`PLAN_${kind.toUpperCase().replaceAll("-", "_")}`, type]),
  );
  expect(names).toEqual(enums["exec_plan_type"]);
});

test("what the stub names before the first step is no step type: its rank is 0", () => {
  for (const number of Object.values(enums["exec_plan_preparation"] ?? {})) expect(number >> 4).toBe(0);
});

test("magic, version, sizes and bounds are those of exec-plan.h", () => {
  expect(execPlanFormat.magic).toBe(macros["EXEC_PLAN_MAGIC"]);
  expect(Buffer.from(Uint32Array.of(execPlanFormat.magic).buffer).toString()).toBe("FXPL");
  expect(execPlanFormat.version).toBe(macros["EXEC_PLAN_VERSION"]);
  expect(execPlanFormat.maxBytes).toBe(macros["EXEC_PLAN_MAX_SIZE"]);
  expect(execPlanFormat.maxFilterBytes).toBe(Number(macros["EXEC_PLAN_MAX_FILTER"]) * 8);
  expect(execPlanFormat.headerBytes).toBe(structOf("exec_plan_header").sizeBytes);
  expect(execPlanFormat.stepBytes).toBe(structOf("exec_plan_step").sizeBytes);
});

test("the header's members stand where struct exec_plan_header has them", () => {
  const bytes = encoded();
  const { at } = structOf("exec_plan_header");
  expect(bytes.readUInt32LE(at("magic"))).toBe(execPlanFormat.magic);
  expect(bytes.readUInt32LE(at("version"))).toBe(1);
  expect(bytes.toString("hex", at("build_id"), at("build_id") + Number(macros["BUILD_ID_SIZE"]))).toBe(
    "0123456789abcdef0123456789abcdef",
  );
  expect(bytes.readUInt32LE(at("size"))).toBe(bytes.length);
  expect(bytes.readUInt32LE(at("step_count"))).toBe(4);
});

test("the operands stand where the structures have them", () => {
  const bytes = encoded({ kind: "rlimit", resource: 7, soft: 2n ** 40n, hard: 2n ** 64n - 1n });
  const [range, rlimit, landlock] = ["range", "rlimit", "landlock"].map((name) => structOf(`exec_plan_${name}`));
  const args = payload(bytes, "original-args");
  expect(args.length).toBe(range?.sizeBytes);
  expect(args.readUInt32LE(range?.at("first"))).toBe(3);
  expect(args.readUInt32LE(range?.at("count"))).toBe(4);
  const limit = payload(bytes, "rlimit");
  expect(limit.length).toBe(rlimit?.sizeBytes);
  expect(limit.readUInt32LE(rlimit?.at("resource"))).toBe(7);
  expect(limit.readBigUInt64LE(rlimit?.at("soft"))).toBe(2n ** 40n);
  expect(limit.readBigUInt64LE(rlimit?.at("hard"))).toBe(2n ** 64n - 1n);
  const answer = payload(bytes, "landlock");
  expect(answer.length).toBe(landlock?.sizeBytes);
  expect(answer.readUInt32LE(landlock?.at("restricts"))).toBe(1);
  expect(answer.readUInt32LE(landlock?.at("flags"))).toBe(7);
});
