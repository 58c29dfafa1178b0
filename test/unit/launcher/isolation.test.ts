import { describe, expect, test } from "vitest";
import { hostPath } from "../../../src/base/paths.ts";
import type { Bwrap } from "../../../src/launcher/bwrap.ts";
import {
  decideIsolation,
  type IsolationRequest,
  landlockIsolation,
  preflight,
} from "../../../src/launcher/isolation.ts";
import {
  type EffectiveIsolation,
  layerPurposes,
  missingUnderBwrap,
  underLandlock,
  weakerUnderBwrap,
} from "../../../src/plan/isolation.ts";
import { isolationLayers } from "../../../src/plan/policy.ts";
import type { RunChild } from "../../../src/sys/child.ts";
import { docTable } from "../../kit/docs.ts";
import { failure } from "../../kit/errors.ts";
import { fakeBwrap, isolationPolicy, plainGround } from "../../kit/host-fixtures.ts";

const bwrap: Bwrap = { path: hostPath("/usr/bin/bwrap"), version: "0.8.0", setUserId: false };
const strict: IsolationRequest = {
  isolation: isolationPolicy("required"),
  hostNetwork: false,
  newSession: false,
  landlockAbi: 7,
  seccomp: true,
};
const bestEffort: IsolationRequest = { ...strict, isolation: isolationPolicy("best-effort") };

const doors = (run: RunChild) => ({ run, ground: () => plainGround });
const procMasked = "bwrap: Can't mount proc on /newroot/proc: Operation not permitted";
const noNetlink = "bwrap: loopback: Failed to create NETLINK_ROUTE socket: Operation not permitted";
const readOnlySysctl = "bwrap: cannot open /proc/sys/user/max_user_namespaces: Read-only file system";

const reduced = ({ layers }: EffectiveIsolation) =>
  layers.filter(({ state }) => state === "weaker" || state === "missing").map(({ layer, state }) => [layer, state]);

describe("before the first start", () => {
  test("everything is asked for, and all of it counts as in force", () => {
    const { effective, bwrapArgs, procArgs, landlock, seccomp } = decideIsolation(strict);
    expect(effective).toMatchObject({ backend: "bwrap", reduced: false });
    expect(effective.layers.map(({ layer, state }) => [layer, state])).toEqual(
      isolationLayers.map((layer) => [layer, "applied"]),
    );
    expect(bwrapArgs).toContain("--disable-userns");
    expect(procArgs.slice(0, 2)).toEqual(["--proc", "/proc"]);
    expect([landlock, seccomp]).toEqual(["required", "strict"]);
  });

  test("best-effort asks for the same", () => {
    expect(decideIsolation(bestEffort).bwrapArgs).toEqual(decideIsolation(strict).bwrapArgs);
  });

  test("a host's network that the policy grants is off, not missing", () => {
    const { effective } = decideIsolation({ ...strict, hostNetwork: true });
    expect(effective.reduced).toBe(false);
    expect(effective.layers.find(({ layer }) => layer === "network")).toMatchObject({
      state: "off",
      why: expect.stringContaining("allowedDomains"),
    });
  });

  test("what the policy turns off is off", () => {
    const isolation = isolationPolicy("required", { seccomp: "off", landlock: "off", uts: "off" });
    const { effective, landlock, seccomp, bwrapArgs } = decideIsolation({ ...strict, isolation });
    expect(effective.layers.filter(({ state }) => state === "off").map(({ layer }) => layer)).toEqual([
      "uts",
      "landlock",
      "seccomp",
    ]);
    expect([landlock, seccomp]).toEqual(["off", "off"]);
    expect(bwrapArgs).not.toContain("--unshare-uts");
  });

  test.for([
    ["landlock", { landlockAbi: -95 }, "cannot be had: this kernel has no Landlock"],
    ["seccomp", { seccomp: false }, "cannot be had: this kernel has no seccomp filters"],
  ] as const)("a required layer %s that the kernel lacks is an error: %o", ([layer, lack, why]) => {
    const error = failure(() => decideIsolation({ ...strict, ...lack }));
    expect(error).toMatchObject({ code: "FENCE_ISOLATION", exitStatus: 125 });
    expect(error.message).toContain(`isolation layer ${layer} is required and ${why}`);
    expect(error.details.hint).toMatch(/^use .*; or --isolation best-effort, but then /);
  });

  test("an older Landlock is the second wall as far as it goes, also where it is required: reported, not refused", () => {
    const older = decideIsolation({ ...strict, landlockAbi: 2 });
    expect(reduced(older.effective)).toEqual([["landlock", "weaker"]]);
  });

  test("what the kernel lacks is reported with best-effort, and not asked of bootstrap", () => {
    const nothing = decideIsolation({ ...bestEffort, landlockAbi: 0, seccomp: false });
    expect(reduced(nothing.effective)).toEqual([
      ["landlock", "missing"],
      ["seccomp", "missing"],
    ]);
    expect([nothing.landlock, nothing.seccomp]).toEqual(["off", "off"]);
    const older = decideIsolation({ ...bestEffort, landlockAbi: 2 });
    expect(reduced(older.effective)).toEqual([["landlock", "weaker"]]);
    expect(older.landlock).toBe("best-effort");
  });

  test("a layer that needs another which is off is an error, or reported", () => {
    const without = (word: "required" | "best-effort") =>
      isolationPolicy("required", { user: "off", "nested-user": word });
    expect(failure(() => decideIsolation({ ...strict, isolation: without("required") }))).toMatchObject({
      code: "FENCE_ISOLATION",
    });
    const { effective } = decideIsolation({ ...strict, isolation: without("best-effort") });
    expect(reduced(effective)).toEqual([["nested-user", "missing"]]);
  });
});

describe("the pre-flight", () => {
  test("leaves out with best-effort what cannot be had, and says so", async () => {
    const { run } = fakeBwrap([
      ["--proc /proc", procMasked],
      ["--unshare-net", noNetlink],
      ["--disable-userns", readOnlySysctl],
    ]);
    const { effective, bwrapArgs, procArgs } = await preflight(bestEffort, bwrap, doors(run));
    expect(reduced(effective)).toEqual([
      ["pid", "weaker"],
      ["network", "missing"],
      ["nested-user", "missing"],
    ]);
    expect(bwrapArgs.join(" ")).toBe(
      "--unshare-user --unshare-pid --as-pid-1 --unshare-ipc --unshare-uts --unshare-cgroup --cap-drop ALL --die-with-parent",
    );
    expect(procArgs).toEqual(["--ro-bind", "/proc", "/proc"]);
    const network = effective.layers.find(({ layer }) => layer === "network");
    expect(network).toMatchObject({ says: missingUnderBwrap.network, why: expect.stringContaining("netlink") });
    expect(JSON.parse(JSON.stringify(effective))).toEqual(effective);
  });

  test("a required layer is an error with its cause, its remedies and, last, best-effort", async () => {
    const { run } = fakeBwrap([["--disable-userns", readOnlySysctl]]);
    await expect(preflight(strict, bwrap, doors(run))).rejects.toMatchObject({
      code: "FENCE_ISOLATION",
      message:
        "isolation layer nested-user is required and cannot be had: /proc/sys is read-only, as in containers, so the limit on user namespaces cannot be set for the sandbox",
      details: {
        hint: expect.stringMatching(/unmask=ALL.*; or --isolation best-effort, but then the program can make user/),
      },
    });
  });

  test("a new /proc is required where the PID namespace is", async () => {
    const { run } = fakeBwrap([["--proc /proc", procMasked]]);
    await expect(preflight(strict, bwrap, doors(run))).rejects.toMatchObject({
      message: expect.stringContaining("isolation layer pid is required and can only be had in part"),
    });
  });

  test("required and best-effort layers go together", async () => {
    const mixed = { ...strict, isolation: isolationPolicy("required", { network: "best-effort" }) };
    const network = fakeBwrap([["--unshare-net", noNetlink]]);
    const { effective } = await preflight(mixed, bwrap, doors(network.run));
    expect(reduced(effective)).toEqual([["network", "missing"]]);
    const ipc = fakeBwrap([["--unshare-ipc", "bwrap: Creating new namespace failed: Invalid argument"]]);
    await expect(preflight(mixed, bwrap, doors(ipc.run))).rejects.toMatchObject({
      code: "FENCE_ISOLATION",
      message: expect.stringContaining("layer ipc"),
    });
  });

  test("where bwrap cannot start at all best-effort does not go on with another backend", async () => {
    const { run } = fakeBwrap([["", "bwrap: Failed to make / slave: Operation not permitted"]]);
    await expect(preflight(bestEffort, bwrap, doors(run))).rejects.toMatchObject({
      code: "FENCE_BWRAP",
      details: { hint: expect.stringContaining("--backend landlock") },
    });
  });
});

test("the pre-flight without a failure gives what a start without it would", async () => {
  expect(await preflight(strict, bwrap, doors(fakeBwrap([]).run))).toEqual(decideIsolation(strict));
  const { run } = fakeBwrap([["--unshare-net", noNetlink]]);
  expect(reduced((await preflight(bestEffort, bwrap, doors(run))).effective)).toEqual([["network", "missing"]]);
  await expect(preflight(strict, bwrap, doors(run))).rejects.toMatchObject({ code: "FENCE_ISOLATION" });
});

describe("--backend landlock", () => {
  test("says of each layer what is weaker", () => {
    const { backend, reduced: isReduced, layers } = landlockIsolation(strict);
    expect([backend, isReduced]).toEqual(["landlock", true]);
    expect(layers.map(({ layer, state, says }) => [layer, state, says])).toEqual([
      ...Object.entries(underLandlock).map(([layer, { state, says }]) => [layer, state, says]),
      ["landlock", "applied", null],
      ["seccomp", "applied", null],
    ]);
  });

  test("still requires what it consists of", () => {
    expect(failure(() => landlockIsolation({ ...strict, landlockAbi: 0 }))).toMatchObject({ code: "FENCE_ISOLATION" });
  });
});

test.for<[what: string, request: Partial<typeof strict>, says: RegExp]>([
  [
    "an older Landlock that lets files be truncated",
    { landlockAbi: 2 },
    /mount is required, and Landlock ABI 2 cannot/,
  ],
  ["no Landlock", { landlockAbi: 0 }, /--backend landlock is not possible: this kernel has no Landlock/],
  [
    "a policy without Landlock",
    { isolation: isolationPolicy("required", { landlock: "off" }) },
    /isolation.landlock is off/,
  ],
])("--backend landlock refuses %s", ([, request, says]) => {
  expect(() => landlockIsolation({ ...strict, ...request })).toThrow(says);
});

test("--backend landlock needs Landlock with best-effort, too, and takes an older one", () => {
  expect(() => landlockIsolation({ ...bestEffort, landlockAbi: 0 })).toThrow(/not possible/);
  const { layers } = landlockIsolation({ ...bestEffort, landlockAbi: 2 });
  expect(layers).toContainEqual(expect.objectContaining({ layer: "landlock", state: "weaker" }));
});

describe("docs/isolation.md", () => {
  test("says what each layer is for", () => {
    expect(docTable("isolation.md", "layer")).toEqual(Object.entries(layerPurposes));
  });

  test("lists every degradation under bubblewrap with its message", () => {
    const missing = Object.entries(missingUnderBwrap).map(([layer, says]) => [layer, "missing", says]);
    const weaker = Object.entries(weakerUnderBwrap).map(([layer, says]) => [layer, "weaker", says]);
    expect(docTable("isolation.md", "under bubblewrap")).toEqual([...missing, ...weaker]);
  });

  test("lists what the landlock backend does not give", () => {
    const listed = Object.entries(underLandlock).map(([layer, { state, says }]) => [layer, state, says]);
    expect(docTable("isolation.md", "under landlock")).toEqual(listed);
  });
});
