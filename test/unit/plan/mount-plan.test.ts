import { expect, test } from "vitest";
import { mountArgs } from "../../../src/plan/bwrap-argv.ts";
import { planMounts } from "../../../src/plan/mount-plan.ts";
import { factsOf, hostOf } from "../../kit/hosts.ts";
import { policyOf } from "../../kit/policies.ts";

const plainHost = { "/dev": "/", "/proc": "/", "/tmp": "/", "/usr/local/bin/fence": "", "/home/u/work/file": "" };

test("without a policy the host is read-only, /tmp is the program's own, and fence is in its place", () => {
  const plan = planMounts(policyOf(), factsOf(), hostOf(plainHost));
  const args = plan.mounts.map(({ step }) => mountArgs(step, () => 9).join(" "));
  expect(args).toEqual([
    "--ro-bind / /",
    "--dev /dev",
    "--proc /proc",
    "--perms 01777 --tmpfs /tmp",
    "--tmpfs /tmp/fence",
    "--ro-bind /usr/local/bin/fence /tmp/fence/bin/fence",
    "--remount-ro /tmp/fence",
  ]);
  expect(plan.leftBehind).toEqual([]);
});

test("the working directory can be written to when allowWrite names it", () => {
  const policy = policyOf({ filesystem: { allowWrite: ["/home/u/work"] } });
  const plan = planMounts(policy, factsOf(), hostOf(plainHost));
  expect(plan.mounts.map(({ step }) => mountArgs(step, () => 9).join(" "))).toContain(
    "--bind /home/u/work /home/u/work",
  );
  expect(plan.grants).toContainEqual({ access: "rwx", path: "/home/u/work" });
});
