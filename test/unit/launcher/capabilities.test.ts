import fc from "fast-check";
import { expect, test } from "vitest";
import { hostPath } from "../../../src/base/paths.ts";
import type { Bwrap } from "../../../src/launcher/bwrap.ts";
import { recogniseFailure } from "../../../src/launcher/bwrap-failure.ts";
import { findNamespaces, type TryStart, tryStarts } from "../../../src/launcher/capabilities.ts";
import { type NamespaceLayer, type Namespaces, namespaceLayers } from "../../../src/plan/namespaces.ts";
import type { RunChild } from "../../../src/sys/child.ts";
import { fakeBwrap, plainGround } from "../../kit/host-fixtures.ts";

const everything: Namespaces = { layers: new Set(namespaceLayers), proc: "own" };
const failure = recogniseFailure({ stderr: "bwrap: no", status: 1, signal: null }, plainGround);

/** A bwrap that starts exactly when none of the layers is in `broken` and /proc is not asked for in vain. */
function host(
  broken: readonly NamespaceLayer[],
  noProc = false,
): { readonly start: TryStart; readonly starts: string[] } {
  const starts: string[] = [];
  const start: TryStart = async ({ layers, proc }) => {
    starts.push(`${[...layers].join("+")}/${proc}`);
    return broken.some((layer) => layers.has(layer)) || (noProc && proc === "own") ? failure : null;
  };
  return { start, starts };
}

test("when everything works one start is enough", async () => {
  const { start, starts } = host([]);
  expect(await findNamespaces(everything, start)).toMatchObject({ works: everything, procFailure: null });
  expect(starts).toHaveLength(1);
});

test("what cannot be had is left out, and all the rest is kept", async () => {
  const { works, failures } = await findNamespaces(everything, host(["network", "cgroup"]).start);
  expect([...(works?.layers ?? [])]).toEqual(["user", "pid", "ipc", "uts", "nested-user"]);
  expect([...failures.keys()]).toEqual(["network", "cgroup"]);
});

test("where no new /proc can be mounted the host's is taken, and the PID namespace kept", async () => {
  const found = await findNamespaces(everything, host([], true).start);
  expect(found.works).toEqual({ layers: everything.layers, proc: "host" });
  expect(found.procFailure).toBe(failure);
  expect([...found.failures]).toEqual([]);
});

test("without a user namespace there is no limit on further ones, and bwrap is not asked for it", async () => {
  const { start, starts } = host(["user"]);
  const { failures } = await findNamespaces(everything, start);
  expect([...failures.keys()]).toEqual(["user", "nested-user"]);
  expect(starts.slice(1).filter((words) => words.includes("nested-user"))).toEqual([]);
});

test("when nothing works the first layer's cause is told, after a try without any", async () => {
  const starts: string[] = [];
  const found = await findNamespaces(everything, async ({ layers }) => {
    starts.push([...layers].join("+"));
    return { ...failure, id: [...layers].at(-1) ?? "none" };
  });
  expect(found).toMatchObject({ works: null, startFailure: { id: "user" } });
  expect(starts.at(-1)).toBe("");
});

test("what is kept is what was started last with success, whatever is broken", async () => {
  const layers = fc.subarray([...namespaceLayers]);
  await fc.assert(
    fc.asyncProperty(layers, layers, fc.boolean(), async (wanted, broken, noProc) => {
      const { start, starts } = host(broken, noProc);
      const { works, failures } = await findNamespaces({ layers: new Set(wanted), proc: "own" }, start);
      expect(starts).toContain(`${[...(works?.layers ?? [])].join("+")}/${works?.proc}`);
      for (const layer of wanted) expect(works?.layers.has(layer) !== failures.has(layer), layer).toBe(true);
      for (const layer of works?.layers ?? []) expect(wanted).toContain(layer);
      expect(works === null ? null : await start(works)).toBeNull();
    }),
  );
});

const bwrap: Bwrap = { path: hostPath("/usr/bin/bwrap"), version: "0.8.0", setUserId: false };

test("a try shows bwrap its own version, with the host inside read-only", async () => {
  const { run, requests } = fakeBwrap([]);
  expect(await tryStarts(bwrap, run, () => plainGround)(everything)).toBeNull();
  expect(requests[0]?.file).toBe(bwrap.path);
  expect(requests[0]?.args.join(" ")).toMatch(
    /--ro-bind \/ \/ --dev \/dev --proc \/proc .*-- \/usr\/bin\/bwrap --version$/,
  );
});

test.for<readonly [what: string, run: RunChild, quote: string]>([
  ["is refused", fakeBwrap([["--unshare-net", "bwrap: loopback: Failed"]]).run, "bwrap: loopback: Failed"],
  ["hangs", async () => ({ kind: "timed-out", timeoutMs: 5 }), "bwrap: no answer within 5 ms"],
  ["cannot be started", async () => ({ kind: "not-started", errno: "EAGAIN" }), "bwrap: execve: EAGAIN"],
])("a try that %s is a failure", async ([, run, quote]) => {
  expect(await tryStarts(bwrap, run, () => plainGround)(everything)).toMatchObject({ quote });
});

test("the ground is looked at only after a failure", async () => {
  const never = () => {
    throw new Error("it was looked at");
  };
  expect(await tryStarts(bwrap, fakeBwrap([]).run, never)(everything)).toBeNull();
});

test("a bwrap that hangs is waited for once", async () => {
  let starts = 0;
  const hangs: RunChild = async () => {
    starts++;
    return { kind: "timed-out", timeoutMs: 5 };
  };
  const found = await findNamespaces(
    everything,
    tryStarts(bwrap, hangs, () => plainGround),
  );
  expect(found).toMatchObject({ works: null, startFailure: { id: "no-answer" } });
  expect(starts).toBe(1);
});
