import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ExecPlan,
  type ExecStep,
  execPlan,
  rankOf,
  type StepKind,
  stepTypes,
} from "../../../src/plan/exec-plan.ts";
import { anyBuildId, execPlans } from "../../kit/exec-plans.ts";

const buildId = "0".repeat(32);
const argument = { kind: "arg", value: "program" } as const;
const program = { kind: "exec", path: "/program" } as const;
const noFilter = new Uint8Array();

function build(): ExecPlan {
  return execPlan(buildId)
    .environment([{ kind: "set-env", name: "A", value: "1" }, { kind: "unset-env", name: "B" }, { kind: "clear-env" }])
    .arguments([argument])
    .process([{ kind: "drop-capabilities" }, { kind: "umask", mask: 0o22 }, { kind: "chdir", path: "/" }])
    .landlock({ restricts: true, flags: 0 })
    .seccomp(noFilter)
    .program(program);
}

describe("the builder", () => {
  test("puts the steps of each part in the safe order", () => {
    expect(build().steps.map(({ kind }) => kind)).toEqual([
      "clear-env",
      "unset-env",
      "set-env",
      "arg",
      "chdir",
      "umask",
      "drop-capabilities",
      "landlock",
      "seccomp",
      "exec",
    ]);
  });

  test("keeps the order of steps of one kind", () => {
    const variables = ["B", "A", "C"].map((name) => ({ kind: "set-env", name, value: "" }) as const);
    const { steps } = execPlan(buildId)
      .environment(variables)
      .arguments([argument, { kind: "original-args", first: 3, count: 1 }, { ...argument, value: "last" }])
      .process([])
      .landlock({ restricts: false, flags: 0 })
      .seccomp(noFilter)
      .program(program);
    expect(steps.slice(0, 3)).toEqual(variables);
    expect(steps.slice(3, 6).map(({ kind }) => kind)).toEqual(["arg", "original-args", "arg"]);
  });

  test("keeps rules behind their ruleset, and listens in the directory that was entered", () => {
    const masks = { handledFs: 1, handledNet: 0, scoped: 0, quietFs: 0, quietNet: 0, quietScoped: 0 };
    const { steps } = execPlan(buildId)
      .environment([])
      .arguments([argument])
      .process([
        { kind: "ruleset", ...masks },
        { kind: "path-rule", path: "/x", directoryAccess: 1, fileAccess: 1, quiet: false },
        { kind: "search", paths: ["/x"] },
        { kind: "chdir", path: "/" },
        { kind: "listen", address: new Uint8Array(16) },
      ])
      .landlock({ restricts: true, flags: 0 })
      .seccomp(noFilter)
      .program({ kind: "exec-found" });
    expect(steps.slice(1, 6).map(({ kind }) => kind)).toEqual(["chdir", "listen", "ruleset", "path-rule", "search"]);
  });

  test("makes only plans whose ranks never go down, with one answer each for Landlock and seccomp", () => {
    fc.assert(
      fc.property(execPlans(anyBuildId), ({ steps }) => {
        const ranks = steps.map(({ kind }) => rankOf(kind));
        expect(ranks).toEqual(ranks.toSorted((one, other) => one - other));
        expect(kindsOf(steps, "landlock", "seccomp")).toEqual(["landlock", "seccomp"]);
        expect(kindsOf(steps, "exec", "exec-original", "exec-found")).toEqual([steps.at(-1)?.kind]);
      }),
    );
  });
});

test("the order of the ranks is the safe one", () => {
  const byRank = (Object.keys(stepTypes) as StepKind[]).toSorted((one, other) => stepTypes[one] - stepTypes[other]);
  expect(byRank).toEqual(Object.keys(stepTypes));
  expect(rankOf("drop-capabilities")).toBeGreaterThan(rankOf("rlimit"));
  expect(rankOf("landlock")).toBeGreaterThan(rankOf("chdir"));
  expect(rankOf("seccomp")).toBeGreaterThan(rankOf("landlock"));
  expect(rankOf("exec")).toBeGreaterThan(rankOf("seccomp"));
});

test("the types allow no other order and no missing part", () => {
  const neverRuns = () => {
    const start = execPlan(buildId);
    const process = start.environment([]).arguments([argument]);
    const landlock = process.process([]);
    const answer = { restricts: true, flags: 0 };
    const seccomp = landlock.landlock(answer);
    // @ts-expect-error the environment comes first
    start.arguments([argument]);
    // @ts-expect-error there is an argument 0
    start.environment([]).arguments([]);
    // @ts-expect-error a program is not an argument
    start.environment([]).arguments([program]);
    // @ts-expect-error a step of the environment is not one of the process
    process.process([{ kind: "clear-env" }]);
    // @ts-expect-error no plan without an answer for Landlock
    landlock.seccomp(noFilter);
    // @ts-expect-error an answer for Landlock says whether it restricts
    landlock.landlock({ flags: 0 });
    // @ts-expect-error no plan without an answer for seccomp
    seccomp.program(program);
    // @ts-expect-error only the program yields a plan
    seccomp.seccomp(noFilter) satisfies ExecPlan;
    // @ts-expect-error nothing comes after the program
    seccomp.seccomp(noFilter).program(program).process([]);
  };
  expect(neverRuns).toBeTypeOf("function");
});

function kindsOf(steps: readonly ExecStep[], ...kinds: readonly StepKind[]): readonly StepKind[] {
  return steps.map(({ kind }) => kind).filter((kind) => kinds.includes(kind));
}
