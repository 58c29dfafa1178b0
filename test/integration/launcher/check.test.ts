import { writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { checkText } from "../../../src/cli/check-text.ts";
import type { CheckReport } from "../../../src/plan/check-report.ts";
import {
  afterShell,
  asUser,
  both,
  type Enter,
  inBwrap,
  systemContainer,
  usualCapabilities,
} from "../../kit/places-restricted.ts";
import { requires } from "../../kit/requires.ts";
import { fence, folder, run } from "../../kit/sandbox.ts";
import { nixBuild } from "../../kit/sandbox-nix.ts";
import { ask, driverCommand } from "./ask.ts";

const repository = resolve(import.meta.dirname, "../../..");
const nixSystem = process.arch === "arm64" ? "aarch64-linux" : "x86_64-linux";

const here: Enter = (command) => command;
const user = { uid: 1000, gid: 1000 };

/** What is not ok, of what does not depend on the kernel's Landlock. */
async function lacking(enter: Enter) {
  const report: CheckReport = await ask(enter, "check");
  const entries = report.capabilities.filter(({ id, state }) => id !== "landlock" && state !== "ok");
  const above = "bwrap does not start here, see above";
  for (const { remedies, says } of entries) expect(remedies.length > 0, says ?? "").toBe(says !== above);
  return { report, lacks: Object.fromEntries(entries.map(({ id, state }) => [id, state])) };
}

describe("fence check", () => {
  beforeEach(requires("root", "bwrap", "unprivileged bwrap", "unshare", "setpriv", "crun"));

  test.for([
    ["root", here],
    ["an unprivileged user", asUser],
  ] as const)("finds everything for %s", async ([, enter]) => {
    const { report, lacks } = await lacking(enter);
    expect(lacks).toEqual({});
    expect(report.verdict).toBe(report.reduced.length === 0 ? "strict" : "best-effort");
    expect(checkText(report)).not.toContain("missing");
  });

  test("sees that a strict sandbox around it lets nothing but Landlock work", async () => {
    const { report, lacks } = await lacking(inBwrap("--disable-userns"));
    expect(report.verdict).toBe("landlock");
    expect(lacks).toMatchObject({ bwrap: "missing", mount: "missing", user: "missing", pid: "missing" });
    expect(report.capabilities.find(({ id }) => id === "bwrap")?.says).toContain("or a sandbox around this one");
  });

  test("finds everything in a sandbox of an unprivileged user that allows another", async () => {
    expect((await lacking(both(asUser, inBwrap()))).lacks).toEqual({});
  });

  test("finds in a usual container what can be had with the container's /proc", async () => {
    const place = systemContainer({ capabilities: usualCapabilities, masked: true, user });
    const { report, lacks } = await lacking(place);
    expect(lacks).toEqual({ proc: "weaker", "nested-user": "missing" });
    expect(report).toMatchObject({ verdict: "best-effort", reduced: expect.arrayContaining(["pid", "nested-user"]) });
    expect(report.ground).toContainEqual({ name: "container", value: expect.any(String) });
  });

  test("finds in a container without capabilities, as root, nothing but Landlock", async () => {
    const { report } = await lacking(systemContainer({}));
    expect(report.verdict).toBe("landlock");
    expect(report.capabilities.find(({ id }) => id === "bwrap")?.remedies.join()).toContain("SETFCAP");
  });

  test("names each kind of namespace that is used up, and no other", async () => {
    const line = "echo 0 > /proc/sys/user/max_net_namespaces && echo 0 > /proc/sys/user/max_uts_namespaces";
    const enter: Enter = (command) => [
      ...["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc"],
      ...["sh", "-c", `${line} && exec "$@"`, "sh", ...command],
    ];
    expect((await lacking(enter)).lacks).toEqual({ network: "missing", uts: "missing" });
  });

  test("leaves no mount and no file behind", async () => {
    const places = "ls -A /tmp /run | sort; cat /proc/self/mountinfo";
    const own = afterShell("mount -t tmpfs none /tmp && mount -t tmpfs none /run");
    const look = 'before=$(eval "$0"); "$@" > /dev/null; after=$(eval "$0"); [ "$before" = "$after" ] && echo same';
    const { stdout, stderr } = await run(own(["sh", "-c", look, places, ...driverCommand("check")]));
    expect(stdout.trim(), stderr).toBe("same");
  });

  test("leaves no process behind", async () => {
    // bwrap's own first process holds our pipes, and ends when every other process of its PID namespace has ended.
    const { status, stdout } = await run(both(asUser, inBwrap())(driverCommand("check")));
    expect([status, JSON.parse(stdout).version]).toEqual([0, 1]);
  });
});

test("in a Nix build everything can be had", { timeout: 120_000 }, async (context) => {
  requires("nix-build", "bwrap")(context);
  const words = driverCommand("check").map((word) => `'${word}'`);
  const expression = join(folder(), "check.nix");
  const script = `${words.join(" ")} > $out`;
  writeFileSync(
    expression,
    `derivation { name = "check"; system = "${nixSystem}"; builder = "/bin/sh"; PATH = "/usr/bin:/bin"; args = [ "-c" ${JSON.stringify(script)} ]; }`,
  );
  const given = ["/usr", "/lib", "/lib64", "/bin", repository, dirname(fence)];
  const { status, stderr, read } = await nixBuild([expression], { "sandbox-paths": [...new Set(given)].join(" ") });
  expect(status, stderr).toBe(0);
  const report: CheckReport = JSON.parse(read());
  expect(report.capabilities.filter(({ id, state }) => id !== "landlock" && state !== "ok")).toEqual([]);
  expect(report.ground).toContainEqual({ name: "container", value: "Nix build" });
});
