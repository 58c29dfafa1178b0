import { expect, test } from "vitest";
import { type ExecStep, execPlan, readCalls, stepCalls, stepTypes } from "../../../src/plan/exec-plan.ts";
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

test.for([
  { name: "exec_plan_listen_call", prefix: "PLAN_LISTEN_", calls: stepCalls.listen },
  { name: "exec_plan_path_rule_call", prefix: "PLAN_PATH_RULE_", calls: stepCalls["path-rule"] },
  { name: "exec_plan_signals_call", prefix: "PLAN_SIGNALS_", calls: stepCalls.signals },
])("the calls of failures are those of enum $name", ({ name, prefix, calls }) => {
  const numbered = Object.fromEntries(calls.map((call, number) => [`${prefix}${call.toUpperCase()}`, number]));
  expect(numbered).toEqual(enums[name]);
});

test("a failure to read the plan has as many calls as enum exec_plan_read", () => {
  expect(Object.values(enums["exec_plan_read"] ?? {})).toEqual(readCalls.map((_, number) => number));
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

test("what is to be set up stands where the structures have it", () => {
  const masks = { handledFs: 1, handledNet: 2, scoped: 3, quietFs: 4, quietNet: 5, quietScoped: 6 };
  const bytes = encoded(
    { kind: "ruleset", ...masks },
    { kind: "path-rule", path: "/some", directoryAccess: 7, fileAccess: 8, quiet: true },
    { kind: "port-rule", port: 9, access: 10, quiet: true },
  );
  const [ruleset, pathRule, portRule] = ["ruleset", "path_rule", "port_rule"].map((name) =>
    structOf(`exec_plan_${name}`),
  );
  const handled = payload(bytes, "ruleset");
  expect(handled.length).toBe(ruleset?.sizeBytes);
  const members = ["handled_fs", "handled_net", "scoped", "quiet_fs", "quiet_net", "quiet_scoped"];
  expect(members.map((member) => handled.readBigUInt64LE(ruleset?.at(member)))).toEqual([1n, 2n, 3n, 4n, 5n, 6n]);
  const path = payload(bytes, "path-rule");
  expect(path.readBigUInt64LE(pathRule?.at("directory_access"))).toBe(7n);
  expect(path.readBigUInt64LE(pathRule?.at("file_access"))).toBe(8n);
  expect(path.readUInt32LE(pathRule?.at("flags"))).toBe(1);
  expect(path.subarray(pathRule?.sizeBytes).toString()).toBe("/some\0");
  const port = payload(bytes, "port-rule");
  expect(port.length).toBe(portRule?.sizeBytes);
  expect(port.readBigUInt64LE(portRule?.at("port"))).toBe(9n);
  expect(port.readBigUInt64LE(portRule?.at("access"))).toBe(10n);
  expect(port.readUInt32LE(portRule?.at("flags"))).toBe(1);
});
