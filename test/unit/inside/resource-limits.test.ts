import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { resourceLimits } from "../../../src/inside/resource-limits.ts";
import { execPlanFormat } from "../../../src/plan/exec-plan-bytes.ts";

test("the index of each limit is the kernel's number", () => {
  const header = readFileSync("/usr/include/asm-generic/resource.h", "utf8");
  const numbers = [...header.matchAll(/define\s+RLIMIT_(\w+)\s+(\d+)/g)];
  expect(numbers.length).toBe(resourceLimits.length);
  for (const [, name = "", number] of numbers) expect(resourceLimits[Number(number)]).toBe(name.toLowerCase());
});

test("the decoders, in TypeScript and in C, know as many", () => {
  const decoder = readFileSync(resolve(import.meta.dirname, "../../../native/stub/exec-plan.c"), "utf8");
  expect(/^#define RLIMIT_COUNT (\d+)$/m.exec(decoder)?.[1]).toBe(String(resourceLimits.length));
  expect(execPlanFormat.rlimits).toBe(resourceLimits.length);
});
