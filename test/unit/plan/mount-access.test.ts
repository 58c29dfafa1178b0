import { expect, test } from "vitest";
import { accessAt, isThere } from "../../../src/plan/mount-access.ts";
import { planMounts } from "../../../src/plan/mount-plan.ts";
import type { FilesystemPolicy } from "../../../src/plan/policy.ts";
import { factsOf, hostOf } from "../../kit/hosts.ts";
import { merged } from "../../kit/odd-hosts.ts";
import { policyOf } from "../../kit/policies.ts";

const work = "/home/u/work";
const host = hostOf({ ...merged, "/srv/x/y": "", "/home/u/.ssh/id": "" });
const planOf = (filesystem: Partial<FilesystemPolicy>) => planMounts(policyOf({ filesystem }), factsOf(), host);

test("a path of the host is what mounts make of it", () => {
  const plan = planOf({ allowWrite: [work], denyRead: ["/home/u/.ssh"] });
  expect(accessAt(plan, "/usr/bin")).toBe("read-only");
  expect(accessAt(plan, `${work}/main.c`)).toBe("read-write");
  expect(accessAt(plan, "/home/u/.ssh")).toBe("read-only");
  expect(accessAt(plan, "/home/u/.ssh/id")).toBe("none");
});

test("/tmp can be written to, fence's own place cannot", () => {
  const plan = planOf({});
  expect(accessAt(plan, "/tmp")).toBe("read-write");
  expect(accessAt(plan, "/tmp/anything")).toBe("read-write");
  expect(accessAt(plan, "/tmp/fence")).toBe("read-only");
  expect(accessAt(plan, "/tmp/fence/bin/fence")).toBe("read-only");
});

test("in an empty root what is not granted is not there, and directories above a grant can be read", () => {
  const plan = planOf({ defaultDenyRead: true, allowRead: ["/srv/x", work] });
  expect(accessAt(plan, "/srv/x/y")).toBe("read-only");
  expect(accessAt(plan, "/srv")).toBe("read-only");
  expect(accessAt(plan, "/home/u")).toBe("read-only");
  expect(accessAt(plan, "/var/lib")).toBe("none");
  expect(["/srv/x/y", "/srv", "/home/u", "/run"].filter((path) => !isThere(plan.mounts, path))).toEqual([]);
  expect(["/var/lib", "/home/u/.ssh"].filter((path) => isThere(plan.mounts, path))).toEqual([]);
});
