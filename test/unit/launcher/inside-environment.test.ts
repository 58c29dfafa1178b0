import { expect, test } from "vitest";
import { insideEnvironment } from "../../../src/launcher/inside-environment.ts";
import { planMounts } from "../../../src/plan/mount-plan.ts";
import type { FilesystemPolicy } from "../../../src/plan/policy.ts";
import { factsOf, hostOf } from "../../kit/hosts.ts";
import { merged } from "../../kit/odd-hosts.ts";
import { policyOf } from "../../kit/policies.ts";

const work = "/home/u/work";
const view = hostOf({ ...merged, "/run/user/1000/bus": "", "/tmp/mine/x": "", "/var/tmp/x": "" });

interface Given {
  readonly filesystem?: Partial<FilesystemPolicy>;
  readonly hasProxy?: boolean;
  readonly set?: Readonly<Record<string, string>>;
}

function inside(
  inherited: Readonly<Record<string, string>>,
  { filesystem = {}, hasProxy = false, set = {} }: Given = {},
) {
  const { mounts } = planMounts(policyOf({ filesystem }), factsOf(), view);
  const named = Object.entries(set).map(([name, value]) => ({ name, value }));
  const variables = Object.entries({ ...inherited, ...set });
  return Object.fromEntries(insideEnvironment(variables, { set: named }, { mounts, view, hasProxy }));
}

const proxies = {
  ...{ HTTP_PROXY: "http://corp:1", https_proxy: "http://corp:1", ALL_PROXY: "socks5://corp:2", NO_PROXY: "corp" },
  PATH: "/usr/bin",
};

test("with a proxy of the sandbox, those of the host are left out: the bootstrap sets its own", () => {
  expect(inside(proxies, { hasProxy: true })).toEqual({ PATH: "/usr/bin" });
  expect(inside(proxies)).toEqual(proxies);
});

test("what the user sets stays", () => {
  const set = { HTTP_PROXY: "http://mine:3", FENCE_SANDBOX: "mine", TMPDIR: "/no/such", HOME: "/no/such" };
  expect(inside(proxies, { hasProxy: true, set })).toEqual({ PATH: "/usr/bin", ...set });
});

test("directories for files of the moment are named where the program can write to them", () => {
  const filesystem = { allowWrite: [work] };
  for (const path of ["/tmp", work]) expect(inside({ TMPDIR: path }, { filesystem })).toEqual({ TMPDIR: path });
  for (const path of ["/var/tmp", "/tmp/mine", "/no/such", "relative", ""]) {
    expect(inside({ TMPDIR: path }, { filesystem }), path).toEqual({});
  }
  expect(inside({ XDG_RUNTIME_DIR: "/run/user/1000" })).toEqual({});
});

test("a home that is not there is /tmp, one that can only be read stays", () => {
  expect(inside({ HOME: "/home/u" })).toEqual({ HOME: "/home/u" });
  expect(inside({ HOME: "/nonexistent" })).toEqual({ HOME: "/tmp" });
});

test("a sandbox in a sandbox says its own FENCE_SANDBOX", () => {
  expect(inside({ FENCE_SANDBOX: "0" })).toEqual({});
});
