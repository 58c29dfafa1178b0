import { describe, expect, test } from "vitest";
import { sandboxPath } from "../../../src/base/paths.ts";
import { parseJsonPlan } from "../../../src/inside/json-plan.ts";
import { type InsideRequest, insidePlan } from "../../../src/launcher/inside-plan.ts";

const request: InsideRequest = {
  argv: ["npm", "ci", ""],
  environment: [
    ["PATH", "/usr/bin"],
    ["EMPTY", ""],
    ["__proto__", "x"],
  ],
  removed: [],
  directory: "/home/u/work",
  grants: [
    { access: "rox", path: sandboxPath("/") },
    { access: "rwx", path: sandboxPath("/home/u/work") },
  ],
  unixSockets: ["/run/user/1000/bus"],
  connectTcp: null,
  network: {
    httpProxy: "unix:/tmp/fence/run/http-proxy",
    socksProxy: null,
    bridges: [{ listen: "fd:9", connect: "tcp:127.0.0.1:3000", acknowledge: true }],
  },
  hostNetwork: null,
  landlock: "required",
  landlockAbi: 7,
  seccomp: "required",
  verify: true,
  inherited: { control: 5, standardError: 6, closedStreams: [0] },
  blockedSignals: [13],
  ignoredSignals: [17],
};

/** As the bootstrap reads it, from the bytes that it gets. */
function read(changed: Partial<InsideRequest> = {}) {
  const json = JSON.stringify(insidePlan({ ...request, ...changed }));
  return parseJsonPlan(json, { kind: "original", first: 2, argv: [] });
}

describe("the plan for the inside", () => {
  test("is one that the bootstrap reads, with everything that was asked for", () => {
    const plan = read();
    expect(plan.program).toEqual({ kind: "plan", argv: ["npm", "ci", ""] });
    expect(plan.environment).toMatchObject({ clear: true, unset: [] });
    expect(plan.environment.set).toEqual([
      { name: "PATH", value: "/usr/bin" },
      { name: "EMPTY", value: "" },
      { name: "__proto__", value: "x" },
    ]);
    expect(plan).toMatchObject({
      init: true,
      verify: true,
      seccomp: "strict",
      hasHttpProxy: true,
      hasSocksProxy: false,
    });
    expect(plan.landlock).toMatchObject({ mode: "required", ignoreMissing: false });
    expect(plan.landlock.request.rules).toEqual(request.grants);
  });

  test("gives the streams and the signals of the caller back, and drops capabilities", () => {
    expect(read().process).toEqual([
      { kind: "chdir", path: "/home/u/work" },
      { kind: "stream", from: 6, to: 2 },
      { kind: "stream", from: null, to: 0 },
      { kind: "signals", blocked: 1n << 12n, ignored: 1n << 16n },
      { kind: "drop-capabilities" },
    ]);
    expect(read().launcher).toMatchObject({ control: 5 });
  });

  test("leaves a standard error alone that the caller had closed", () => {
    const inherited = { control: 5, standardError: null, closedStreams: [2] };
    expect(read({ inherited }).process).toContainEqual({ kind: "stream", from: null, to: 2 });
  });

  test.for([
    [0, "off", [], []],
    [1, "best-effort", [], []],
    [4, "best-effort", [], []],
    [5, "required", [], []],
    [6, "required", ["signal", "abstract-unix"], []],
    [8, "required", ["signal", "abstract-unix"], []],
    [9, "required", ["signal", "abstract-unix"], request.unixSockets],
  ] as const)("asks of Landlock what ABI %i has", ([landlockAbi, mode, scopes, unixSockets]) => {
    const { landlock } = read({ landlockAbi });
    expect(landlock.mode).toBe(mode);
    expect(landlock.request).toMatchObject({ scopes, unixSockets });
    expect(landlock.request.rules.length).toBe(mode === "off" ? 0 : 2);
  });

  test("turns off what the policy turns off", () => {
    expect(read({ landlock: "off", seccomp: "off" })).toMatchObject({ landlock: { mode: "off" }, seccomp: "off" });
  });

  test("restricts TCP only where the policy names ports", () => {
    expect(read({ connectTcp: [3128] }).landlock.request.connectTcp).toEqual([3128]);
    expect(read().landlock.request.connectTcp).toEqual([]);
  });
});
