import { expect, test } from "vitest";
import { stepTypes } from "../../../src/plan/exec-plan.ts";
import { encodeExecPlan } from "../../../src/plan/exec-plan-bytes.ts";
import { docTable } from "../../kit/docs.ts";

test("docs/exec-plan.md lists the step types, each and no other", () => {
  const listed = docTable("exec-plan.md", "type").map(([type, step]) => [step, Number(type)]);
  expect(Object.fromEntries(listed)).toEqual(stepTypes);
});

test("the header that it describes is as long as a header is", () => {
  const [last] = docTable("exec-plan.md", "header, offset").slice(-1);
  const header = encodeExecPlan({ version: 1, buildId: "00".repeat(16), steps: [] });
  expect(Number(last?.[0]) + Number(last?.[1])).toBe(header.length);
});
