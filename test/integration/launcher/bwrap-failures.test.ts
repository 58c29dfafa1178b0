import { chmodSync, chownSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { recogniseFailure } from "../../../src/launcher/bwrap-failure.ts";
import { docTable } from "../../kit/docs.ts";
import { plainGround } from "../../kit/host-fixtures.ts";
import {
  afterShell,
  asMappedRoot,
  asUser,
  both,
  denying,
  type Enter,
  inBwrap,
  killing,
  netlinkSockets,
  newUserNamespaces,
  systemContainer,
  underFence,
  usualCapabilities,
} from "../../kit/places-restricted.ts";
import { requires } from "../../kit/requires.ts";
import { folder, run } from "../../kit/sandbox.ts";
import { ask } from "./ask.ts";

const user = { uid: 1000, gid: 1000 };
const strictBwrap = inBwrap("--disable-userns");

const withCapabilities: Enter = (command) => [
  ...["setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps", "+sys_admin", "--ambient-caps", "+sys_admin"],
  ...command,
];

const places: readonly (readonly [id: string, where: string, enter: Enter])[] = [
  ["root-without-setfcap", "in bubblewrap, as root", inBwrap()],
  [
    "root-without-setfcap",
    "as root without capabilities",
    (command) => ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", ...command],
  ],
  ["root-without-setfcap", "in a container without capabilities", systemContainer({})],
  ["namespace-limit", "in a sandbox that has --disable-userns", strictBwrap],
  ["namespace-limit", "the same, unprivileged", both(asUser, strictBwrap)],
  ["userns-turned-off", "where user namespaces are off", asMappedRoot("echo 0 > /proc/sys/user/max_user_namespaces")],
  ["namespace-limit", "where network namespaces are off", asMappedRoot("echo 0 > /proc/sys/user/max_net_namespaces")],
  ["uid-map-denied", "under Landlock without the right to write", underFence("--seccomp=off", "--rox", "/")],
  ["mount-refused", "under Landlock with all rights", underFence("--seccomp=off", "--rwx", "/")],
  ["mount-refused", "under fence's seccomp filter", underFence()],
  ["proc-masked", "where a part of /proc is hidden", afterShell("mount -t tmpfs none /proc/acpi")],
  ["proc-masked", "in a usual container, as root", systemContainer({ capabilities: usualCapabilities, masked: true })],
  ["proc-masked", "in a usual container", systemContainer({ capabilities: usualCapabilities, masked: true, user })],
  [
    "namespace-filtered",
    "in a container that denies user namespaces",
    systemContainer({ denied: [newUserNamespaces], user }),
  ],
  ["mount-refused", "in a container without mount", systemContainer({ denied: [denying("mount")], user })],
  ["mount-refused", "in a container without pivot_root", systemContainer({ denied: [denying("pivot_root")], user })],
  ["namespace-filtered", "in a container without unshare", systemContainer({ denied: [denying("unshare")], user })],
  ["loopback", "in a container without netlink", systemContainer({ denied: [netlinkSockets], user })],
  ["capabilities-refused", "in a container without capset", systemContainer({ denied: [denying("capset")], user })],
  ["killed-by-filter", "in a container that kills who mounts", systemContainer({ denied: [killing("mount")], user })],
  ["caller-capabilities", "with capabilities, but not as root", withCapabilities],
];

describe("in a place that denies something:", () => {
  beforeEach(requires("root", "bwrap", "unshare", "setpriv", "crun"));

  test.for(places)("%s: %s", async ([id, , enter]) => {
    const answer = await ask(enter, "start");
    expect(answer).toMatchObject({ id });
  });

  test("userns-limit-read-only: where /proc/sys is read-only", async () => {
    const readOnly = afterShell("mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys");
    expect(await ask(readOnly, "namespaces")).toEqual({
      works: { layers: ["user", "pid", "network", "ipc", "uts", "cgroup"], proc: "host" },
      failures: { "nested-user": "userns-limit-read-only" },
      proc: "proc-masked",
      start: null,
    });
  });
});

const all = ["--unshare-all", "--ro-bind", "/", "/"];
const manyMounts = Buffer.from(Array.from({ length: 3001 }, () => "--ro-bind\0/\0/\0").join(""));

/** Command lines of bwrap that cannot work. */
const starts: readonly (readonly [id: string, command: readonly string[], input3?: Buffer])[] = [
  ["too-many-processes", asUser(["prlimit", "--nproc=1", "bwrap", ...all, "true"])],
  ["too-many-files", ["prlimit", "--nofile=3", "bwrap", ...all, "true"]],
  ["out-of-memory", ["prlimit", "--as=3000000", "bwrap", ...all, "true"]],
  ["missing-source", ["bwrap", "--ro-bind", "/nonexistent", "/a", "true"]],
  ["mount-point", ["bwrap", "--ro-bind", "/", "/", "--tmpfs", "/usr/nonexistent", "true"]],
  ["mount-point", ["bwrap", "--ro-bind", "/", "/", "--ro-bind", "/etc/passwd", "/nonexistent", "true"]],
  ["too-many-arguments", ["bwrap", "--args", "3", "true"], manyMounts],
  ["unknown-option", ["bwrap", "--no-such-option", "true"]],
  ["missing-directory", ["bwrap", "--ro-bind", "/", "/", "--chdir", "/nonexistent", "true"]],
  ["missing-program", ["bwrap", "--ro-bind", "/", "/", "/nonexistent"]],
  ["killed", ["bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "sh", "-c", "kill -9 $PPID"]],
];

describe("with a command line that cannot work:", () => {
  beforeEach(requires("root", "bwrap", "prlimit", "setpriv"));

  test.for(starts)("%s: %j", async ([id, command, input3]) => {
    const { status, signal, stderr } = await run(command, input3 === undefined ? {} : { input3 });
    expect(status).not.toBe(0);
    expect(recogniseFailure({ stderr, status, signal }, plainGround)).toMatchObject({ id });
  });
});

describe("with another bwrap:", () => {
  beforeEach(requires("root", "bwrap", "setpriv"));

  test.for([
    ["userns-limit-setuid", 0],
    ["setuid-owner", 7],
  ] as const)("%s: set-user-ID of user %d", async ([id, owner]) => {
    const at = folder();
    chmodSync(at, 0o755);
    const copy = join(at, "bwrap");
    const { stdout } = await run(["sh", "-c", "command -v bwrap"]);
    copyFileSync(stdout.trim(), copy);
    chownSync(copy, owner, 0);
    chmodSync(copy, 0o4755);
    const { stderr } = await run(asUser([copy, "--unshare-user", "--disable-userns", "--ro-bind", "/", "/", "true"]));
    expect(recogniseFailure({ stderr, status: 1, signal: null }, { ...plainGround, setUserId: true })).toMatchObject({
      id,
    });
  });

  test("no-proc: in a root without /proc", async () => {
    const at = folder();
    const line = `mount --rbind / ${at} && umount --lazy ${at}/proc && exec chroot ${at} bwrap --ro-bind / / true`;
    const { stderr } = await run(["unshare", "--mount", "sh", "-c", line]);
    expect(recogniseFailure({ stderr, status: 1, signal: null }, plainGround)).toMatchObject({ id: "no-proc" });
  });

  test("namespace-refused: in a chroot", async () => {
    const at = folder();
    const line = `mount --rbind / ${at} && exec chroot ${at} bwrap --unshare-user --ro-bind / / true`;
    const { stderr } = await run(["unshare", "--mount", "sh", "-c", line]);
    expect(recogniseFailure({ stderr, status: 1, signal: null }, plainGround)).toMatchObject({
      id: "namespace-refused",
    });
  });
});

test("docs/check.md says which failures these tests bring about", () => {
  const here = ["userns-limit-read-only", "userns-limit-setuid", "setuid-owner", "no-proc", "namespace-refused"];
  const tested = new Set([...places.map(([id]) => id), ...starts.map(([id]) => id), ...here]);
  const listed = docTable("check.md", "failure").filter(([, , , known]) => known === "tested");
  expect(new Set(listed.map(([id]) => id))).toEqual(tested);
});
