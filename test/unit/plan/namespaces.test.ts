import fc from "fast-check";
import { expect, test } from "vitest";
import { namespaceArgs, namespaceLayers, procArgs, wantedNamespaces } from "../../../src/plan/namespaces.ts";
import { type IsolationPolicy, isolationLayers, type Requirement } from "../../../src/plan/policy.ts";

function policy(every: Requirement, but: Partial<IsolationPolicy> = {}): IsolationPolicy {
  return { ...(Object.fromEntries(isolationLayers.map((layer) => [layer, every])) as IsolationPolicy), ...but };
}

const args = (isolation: IsolationPolicy, hostNetwork = false) =>
  namespaceArgs(wantedNamespaces(isolation, hostNetwork), false).join(" ");

test("strict asks for every namespace, and that no further user namespace can be made", () => {
  expect(args(policy("required"))).toBe(
    "--unshare-user --unshare-pid --as-pid-1 --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup " +
      "--disable-userns --cap-drop ALL --die-with-parent",
  );
});

test("best-effort asks for the same at first", () => {
  expect(args(policy("best-effort"))).toBe(args(policy("required")));
});

test("what is off is not asked for, and capabilities are dropped all the same", () => {
  expect(args(policy("off"))).toBe("--cap-drop ALL --die-with-parent");
});

test("a policy that grants the host's network keeps the network namespace of the host", () => {
  expect(args(policy("required"), true)).toBe(args(policy("required", { network: "off" })));
  expect(args(policy("required"), true)).not.toContain("--unshare-net");
});

test("a new session is made only when it is asked for", () => {
  const wanted = wantedNamespaces(policy("required"), false);
  expect(namespaceArgs(wanted, true)).toContain("--new-session");
  expect(namespaceArgs(wanted, false)).not.toContain("--new-session");
});

test("without a pid namespace the host's /proc is shown, read-only", () => {
  expect(procArgs(wantedNamespaces(policy("required"), false)).slice(0, 5)).toEqual([
    ...["--proc", "/proc"],
    ...["--ro-bind", "/proc/sys", "/proc/sys"], // what root could write
  ]);
  expect(procArgs(wantedNamespaces(policy("required", { pid: "off" }), false))).toEqual([
    "--ro-bind",
    "/proc",
    "/proc",
  ]);
});

test("no policy yields a combination that bwrap refuses", () => {
  const requirement = fc.constantFrom<Requirement[]>("required", "best-effort", "off");
  const policies = fc.tuple(...namespaceLayers.map(() => requirement));
  fc.assert(
    fc.property(policies, fc.boolean(), (words, hostNetwork) => {
      const layers = Object.fromEntries(namespaceLayers.map((layer, i) => [layer, words[i]]));
      const given = args(policy("required", layers), hostNetwork);
      if (given.includes("--disable-userns")) expect(given).toContain("--unshare-user");
      expect(given.includes("--as-pid-1")).toBe(given.includes("--unshare-pid"));
    }),
  );
});
