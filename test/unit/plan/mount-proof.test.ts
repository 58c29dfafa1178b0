import { describe, expect, test } from "vitest";
import type { HostMount } from "../../../src/base/host.ts";
import { hostPath, sandboxPath } from "../../../src/base/paths.ts";
import { misplacedMount } from "../../../src/plan/mount-proof.ts";
import type { MountStep } from "../../../src/plan/mounts.ts";

const disk = "254:0";
const home = "0:40";
const own = "0:99";

const host: readonly HostMount[] = [
  { device: disk, root: "/", point: "/", type: "ext4" },
  { device: home, root: "/@home", point: "/home", type: "ext4" },
  { device: disk, root: "/var/data", point: "/data", type: "ext4" },
];

const bind = (path: string, from = path): MountStep => ({
  ...{ kind: "bind", from: hostPath(from), to: sandboxPath(path), access: "read-write" },
});
const steps: readonly MountStep[] = [
  bind("/"),
  { kind: "tmpfs", to: sandboxPath("/run"), mode: 0o755, sizeBytes: null },
  bind("/home/u/work"),
  { kind: "empty-file", to: sandboxPath("/home/u/.netrc") },
  bind("/tmp/fence/bin/fence", "/opt/fence"),
  { kind: "remount-read-only", to: sandboxPath("/run") },
];

/** What bubblewrap mounts when all goes well. */
const mounted: readonly HostMount[] = [
  { device: own, root: "/", point: "/", type: "ext4" },
  { device: disk, root: "/", point: "/oldroot", type: "ext4" },
  { device: disk, root: "/", point: "/newroot", type: "ext4" },
  { device: home, root: "/@home", point: "/newroot/home", type: "ext4" },
  { device: disk, root: "/var/data", point: "/newroot/data", type: "ext4" },
  { device: own, root: "/", point: "/newroot/run", type: "ext4" },
  { device: home, root: "/@home/u/work", point: "/newroot/home/u/work", type: "ext4" },
  { device: own, root: "/bindfileX//deleted", point: "/newroot/home/u/.netrc", type: "ext4" },
  { device: disk, root: "/opt/fence", point: "/newroot/tmp/fence/bin/fence", type: "ext4" },
];

const verdict = (sandbox: readonly HostMount[]) => misplacedMount({ steps, host, sandbox });
const changed = (point: string, to: Partial<HostMount>) =>
  mounted.map((mount) => (mount.point === point ? { ...mount, ...to } : mount));

test("what was planned passes, with what the host has mounted below it", () => {
  expect(verdict(mounted)).toBeNull();
});

test("the terminal that bwrap puts into its /dev is none of the plan's", () => {
  expect(
    verdict([...mounted, { device: disk, root: "/dev/pts/3", point: "/newroot/dev/console", type: "ext4" }]),
  ).toBeNull();
});

describe("what was replaced while bubblewrap mounted is found:", () => {
  test.for([
    ["another directory of the same file system", { root: "/@home/u/.ssh" }],
    ["one of another file system", { device: disk, root: "/etc" }],
    ["another place for the mount", { point: "/newroot/home/u/other" }],
    ["what was removed", { root: "/@home/u/work//deleted" }],
  ] as const)("%s", ([, to]) => {
    expect(verdict(changed("/newroot/home/u/work", to))).not.toBeNull();
  });

  test("a mount that nobody planned", () => {
    const point = "/newroot/home/u/work/link";
    expect(verdict([...mounted, { device: home, root: "/@home/u/.ssh", point, type: "ext4" }])).toBe(
      "/home/u/work/link",
    );
  });

  test("another fence", () => {
    const point = "/newroot/tmp/fence/bin/fence";
    expect(verdict(changed(point, { device: home, root: "/@home/u/work/fence" }))).toBe("/tmp/fence/bin/fence");
  });

  test.for(["/newroot/run", "/newroot/home/u/.netrc", "/newroot"])("nothing at %s", (point) => {
    expect(verdict(mounted.filter((mount) => mount.point !== point))).not.toBeNull();
  });
});
