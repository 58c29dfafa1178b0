import fc from "fast-check";
import { expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import type { HostView } from "../../../src/base/host.ts";
import { isWithin } from "../../../src/base/paths.ts";
import { mountArgs } from "../../../src/plan/bwrap-argv.ts";
import { followPath } from "../../../src/plan/mount-paths.ts";
import { planMounts } from "../../../src/plan/mount-plan.ts";
import type { MountPlan } from "../../../src/plan/mounts.ts";
import type { FilesystemPolicy, Policy } from "../../../src/plan/policy.ts";
import { factsOf, hostOf, type Tree } from "../../kit/hosts.ts";
import { replay } from "../../kit/mount-model.ts";
import { policyOf } from "../../kit/policies.ts";

const system: Tree = {
  "/dev": "/",
  "/proc/version": "",
  "/tmp": "/",
  "/run/docker.sock": "socket",
  "/usr/bin/true": "",
  "/usr/local/bin/fence": "",
  "/etc/passwd": "",
  "/home/u/.bashrc": "",
  "/home/u/.ssh/id": "",
};

const name = fc.constantFrom("a", "b", "c", ".git", "hooks");
const place = fc
  .tuple(fc.constantFrom("/srv", "/home/u", "/tmp", "/run"), fc.array(name, { maxLength: 3 }))
  .map(([top, names]) => [top, ...names].join("/"));
const tree = fc
  .array(
    fc.tuple(
      place,
      fc.oneof(
        fc.constantFrom("/", "text", "socket"),
        place.map((target) => `-> ${target}`),
      ),
    ),
    { maxLength: 14 },
  )
  .map((entries): Tree => {
    const host: Record<string, string> = { ...system };
    for (const [path, what] of entries) {
      const taken = Object.keys(host);
      // A path is one thing, and only directories have something below them.
      const isFree = !taken.some((other) => isWithin(other, path) || (isWithin(path, other) && host[other] !== "/"));
      if (isFree) host[path] = what;
    }
    return host;
  });
const pattern = fc.oneof(
  place,
  place.map((path) => `${path}/*`),
  place.map((path) => `${path}/**/b`),
  place.map((path) => `${path}/**`),
);
const patterns = fc.array(pattern, { maxLength: 3 });
const filesystem: fc.Arbitrary<Partial<FilesystemPolicy>> = fc.record({
  defaultDenyRead: fc.boolean(),
  allowRead: patterns,
  allowWrite: patterns,
  denyRead: patterns,
  denyWrite: patterns,
  mask: fc.array(place, { maxLength: 1 }),
});

interface Case {
  readonly host: HostView;
  readonly policy: Policy;
  readonly plan: MountPlan;
  readonly paths: readonly string[];
}

/** Plans for any host and policy; what is refused is refused for a reason of the user's. */
function forAnyPlan(check: (planned: Case) => void): void {
  let planned = 0;
  fc.assert(
    fc.property(tree, filesystem, (entries, parts) => {
      const host = hostOf(entries);
      const policy = policyOf({ filesystem: parts, isolation: "best-effort" });
      try {
        const plan = planMounts(policy, factsOf({ directory: "/usr" }), host);
        planned += 1;
        check({ host, policy, plan, paths: [...Object.keys(entries), "/tmp/x", "/home/u/.ssh", "/home/u", "/srv"] });
      } catch (error) {
        if (!(error instanceof FenceError) || error.code === "FENCE_BUG") throw error;
        expect(error.code).toBe("FENCE_MOUNTS");
      }
    }),
    { numRuns: 1500 },
  );
  expect(planned).toBeGreaterThan(500);
}

/** Where a list of the policy leads, by an independent reading of it: every path of the host is tried. */
function real(host: HostView, paths: readonly string[], patterns: readonly string[]): string[] {
  const names = patterns.flatMap((pattern) => {
    const plain = pattern.replace(/\/\*\*$/, "");
    if (!/\*/.test(plain)) return [plain];
    const [, fixed = "", wild = ""] = /^([^*]*)\/(.*)$/.exec(plain) ?? [];
    const prefix = followPath(host, fixed)?.path ?? fixed;
    const expression = new RegExp(`^${prefix}/${wild.replace("**/", "(?:.*/)?").replace(/^\*$/, "[^/]*")}$`);
    return allPaths(paths).filter((path) => expression.test(path));
  });
  return names.flatMap((path) => followPath(host, path)?.path ?? []);
}

function allPaths(paths: readonly string[]): string[] {
  return [
    ...new Set(
      paths.flatMap((path) => path.split("/").map((_, index, parts) => parts.slice(0, index + 1).join("/") || "/")),
    ),
  ];
}

test("a denied path is never readable, by whatever name, but where a narrower grant says so", () => {
  forAnyPlan(({ host, policy, plan, paths }) => {
    const { denyRead, allowRead, allowWrite } = policy.filesystem;
    const grants = real(host, paths, [...allowRead, ...allowWrite]);
    const seen = replay(plan.mounts, host, plan.leftBehind);
    for (const denied of denyRead.filter((path) => !/\*\*\/b|\*$/.test(path) || path.endsWith("/**"))) {
      for (const place of real(host, paths, [denied])) {
        if (host.entry(place) === null || place.startsWith("/proc")) continue;
        for (const path of allPaths(paths)) {
          const source = seen.look(path)?.source ?? null;
          if (source === null || !isWithin(source, place)) continue;
          const isGranted = grants.some(
            (grant) => grant !== place && isWithin(grant, place) && isWithin(source, grant),
          );
          expect(isGranted, `${path} shows ${source} of ${place}`).toBe(true);
        }
      }
    }
  });
});

test("only what allowWrite names can be written to, and nothing that denyWrite or denyRead names", () => {
  forAnyPlan(({ host, policy, plan, paths }) => {
    const { denyRead, denyWrite, allowWrite } = policy.filesystem;
    const grants = real(host, paths, allowWrite);
    const denials = real(
      host,
      paths,
      [...denyRead, ...denyWrite].filter((path) => !/\*\*\/b|[^*]\*$/.test(path)),
    );
    const seen = replay(plan.mounts, host, plan.leftBehind);
    for (const path of allPaths(paths)) {
      const found = seen.look(path);
      if (found === null || found.source === null || !found.isWritable) continue;
      const { source } = found;
      const narrowest = longest(grants.filter((grant) => isWithin(source, grant)));
      expect(narrowest, `${path} is ${source}, writable`).not.toBe("");
      const denied = longest(denials.filter((denial) => isWithin(source, denial) && host.entry(denial) !== null));
      expect(narrowest.length, `${source}: ${narrowest} against ${denied}`).toBeGreaterThan(denied.length);
    }
  });
});

function longest(paths: readonly string[]): string {
  return paths.reduce((best, path) => (path.length > best.length ? path : best), "");
}

test("bwrap could carry out every plan, and leaves nothing on the host", () => {
  forAnyPlan(({ host, plan }) => {
    expect(replay(plan.mounts, host, plan.leftBehind).problems).toEqual([]);
  });
});

test("parents are mounted before what is below them, each place once", () => {
  forAnyPlan(({ plan }) => {
    const places = plan.mounts.filter(({ step }) => step.kind !== "remount-read-only").map(({ step }) => step.to);
    expect(new Set(places).size).toBe(places.length);
    for (const [index, path] of places.entries())
      expect(places.slice(index + 1).filter((later) => isWithin(path, later))).toEqual([]);
  });
});

test("fence is in its place and cannot be changed, whatever the policy", () => {
  forAnyPlan(({ host, plan }) => {
    const seen = replay(plan.mounts, host, plan.leftBehind);
    expect(seen.look("/tmp/fence/bin/fence")).toMatchObject({ source: "/usr/local/bin/fence", isWritable: false });
    expect(seen.look("/tmp/fence")).toMatchObject({ source: null, isWritable: false });
  });
});

test("no socket of a service is seen that nobody asked for", () => {
  forAnyPlan(({ host, policy, plan, paths }) => {
    const grants = real(host, paths, [...policy.filesystem.allowRead, ...policy.filesystem.allowWrite]);
    const found = replay(plan.mounts, host, plan.leftBehind).look("/run/docker.sock");
    if (found?.source === "/run/docker.sock")
      expect(grants.some((grant) => isWithin("/run/docker.sock", grant) && grant !== "/")).toBe(true);
  });
});

test("what Landlock lets be written is shown writable by a mount", () => {
  forAnyPlan(({ host, plan }) => {
    const seen = replay(plan.mounts, host, plan.leftBehind);
    for (const { access, path } of plan.grants)
      if (access.startsWith("rw") && path !== "/proc") expect(seen.look(path)).toMatchObject({ isWritable: true });
  });
});

const counts: Readonly<Record<string, number>> = {
  "--ro-bind": 2,
  "--bind": 2,
  "--dev-bind": 2,
  "--ro-bind-data": 2,
  "--perms": 1,
  "--size": 1,
  "--tmpfs": 1,
  "--dir": 1,
  "--symlink": 2,
  "--dev": 1,
  "--proc": 1,
  "--remount-ro": 1,
};

test("no text of a user becomes an option of bwrap", () => {
  const text = fc.oneof(
    fc.constantFrom("--bind", "--dev-bind / /", "--args", "-- sh", "\n--bind", "*", "[", "--"),
    fc.string({ maxLength: 8 }),
  );
  const odd = text.filter((name) => !/[/\0]/.test(name) && !["", ".", ".."].includes(name));
  fc.assert(
    fc.property(
      odd,
      odd,
      text.filter((target) => !target.includes("\0") && target !== ""),
      (directory, file, target) => {
        const path = `/srv/${directory}/${file}`;
        const host = hostOf({ ...system, [path]: "", [`/srv/${directory}/${file}.link`]: `-> ${target}` });
        const all = [path, `${path}.link`];
        const policy = policyOf({
          filesystem: { defaultDenyRead: true, allowRead: all, denyWrite: all, mask: [path] },
          isolation: "best-effort",
        });
        let plan: MountPlan;
        try {
          plan = planMounts(policy, factsOf({ directory: "/usr" }), host);
        } catch (error) {
          expect((error as FenceError).code).toBe("FENCE_MOUNTS");
          return;
        }
        for (const { step } of plan.mounts) {
          const args = [...mountArgs(step, () => 7)];
          while (args.length > 0) {
            const values = counts[args.shift() ?? ""];
            expect(values).toBeDefined();
            const taken = args.splice(0, values);
            expect(taken.every((value) => !value.includes("\0"))).toBe(true);
          }
        }
      },
    ),
  );
});
