import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { compileInside, type TcpAddress } from "../../../src/inside/compile.ts";
import { parseJsonPlan } from "../../../src/inside/json-plan.ts";
import { decodeExecPlan, encodeExecPlan } from "../../../src/plan/exec-plan-bytes.ts";

const machine = { landlockAbi: 7, architecture: "x64" } as const;
const listeners: readonly TcpAddress[] = [
  { kind: "tcp", host: "127.0.0.1", port: 3128 },
  { kind: "tcp", host: "::1", port: 8080 },
];

function compiled(plan: object, listening: readonly TcpAddress[] = [], on = machine) {
  const json = JSON.stringify({ version: 1, clearEnv: true, program: ["true"], ...plan });
  return compileInside(parseJsonPlan(json, { kind: "plan", argv: [] }), listening, on);
}

function kinds(plan: object, listening: readonly TcpAddress[] = []): readonly string[] {
  return compiled(plan, listening).plan.steps.map(({ kind }) => kind);
}

describe("a plan that was compiled on the host", () => {
  test("holds every step by value, in the safe order, and is one that the stub takes", () => {
    const { plan } = compiled(
      {
        env: { A: "1", PATH: "/bin:/usr/bin" },
        chdir: "/work",
        umask: "077",
        capabilities: "drop",
        rules: [{ access: "rox", path: "/usr" }],
      },
      listeners,
    );
    expect(plan.steps.map(({ kind }) => kind)).toEqual([
      ...["clear-env", "set-env", "set-env", "set-env", "arg", "listen", "listen", "chdir"],
      ...["search", "ruleset", "path-rule", "umask", "drop-capabilities"],
      ...["landlock", "seccomp", "exec-found"],
    ]);
    expect(decodeExecPlan(encodeExecPlan(plan))).toEqual(plan);
  });

  test("listens where it was told, and says which steps that are", () => {
    const { plan, listenSteps } = compiled({}, listeners);
    const addresses = listenSteps.map((at) => plan.steps[at]);
    expect(addresses).toEqual([
      { kind: "listen", address: Uint8Array.of(2, 0, 0x0c, 0x38, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0) },
      { kind: "listen", address: expect.objectContaining({ length: 28 }) },
    ]);
  });

  test("executes a path as it is, and searches PATH for a name", () => {
    const path = compiled({ program: ["./tool", "-x"], chdir: "/work" });
    expect(path.plan.steps.at(-1)).toEqual({ kind: "exec", path: "./tool" });
    expect(path.directory).toBe("/work");
    const name = compiled({ program: ["tool"], env: { PATH: "/a::/b" } });
    expect(name.plan.steps).toContainEqual({ kind: "search", paths: ["/a/tool", "./tool", "/b/tool"] });
    expect(compiled({}).plan.steps).toContainEqual({ kind: "search", paths: ["/bin/true", "/usr/bin/true"] });
  });

  test("has a ruleset when there are rules, and none without", () => {
    expect(kinds({ rules: [{ access: "ro", path: "/" }] })).toEqual(expect.arrayContaining(["ruleset", "path-rule"]));
    const open = compiled({ landlock: "off" });
    expect(open.choice.kind).toBe("off");
    expect(open.plan.steps).toContainEqual({ kind: "landlock", restricts: false, flags: 0 });
    expect(open.plan.steps.map(({ kind }) => kind)).not.toContain("ruleset");
  });

  test("lets the program connect to its listeners where ports are denied", () => {
    const { plan } = compiled({ connectTcp: [443] }, listeners);
    const ports = plan.steps.flatMap((step) => (step.kind === "port-rule" ? step.port : []));
    expect(ports.toSorted((one, other) => one - other)).toEqual([443, 3128, 8080]);
  });

  test("is refused as the bootstrap would refuse it", () => {
    const rules = [{ access: "ro", path: "/" }];
    const old = { ...machine, landlockAbi: 0 };
    expect(() => compiled({ rules }, [], old as unknown as typeof machine)).toThrow(
      expect.objectContaining({ code: "FENCE_LANDLOCK_ABI" }),
    );
    expect(() => compiled({ program: [""] })).toThrow(FenceError);
  });

  test("is never made of what only the bootstrap can do", () => {
    expect(() => compiled({ clearEnv: false })).toThrow(expect.objectContaining({ code: "FENCE_BUG" }));
    expect(() => compiled({ ignoreMissing: true })).toThrow(expect.objectContaining({ code: "FENCE_BUG" }));
  });
});
