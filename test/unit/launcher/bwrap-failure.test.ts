import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { explainBwrapFailure, type FailureGround, recogniseFailure } from "../../../src/launcher/bwrap-failure.ts";
import { knownFailures } from "../../../src/launcher/bwrap-failures.ts";
import { docTable } from "../../kit/docs.ts";
import { plainGround } from "../../kit/host-fixtures.ts";

const uidMap = "bwrap: setting up uid map: Operation not permitted";
const uidMapDenied = "bwrap: setting up uid map: Permission denied";
const noPermissions =
  "bwrap: No permissions to create new namespace, likely because the kernel does not allow non-privileged user namespaces. See <https://deb.li/bubblewrap> or <file:///usr/share/doc/bubblewrap/README.Debian.gz>.";
const noSpace =
  "bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)";

/** What bwrap 0.8 to 0.11 says, on which ground, and which entry of the table it is. */
const recorded: readonly (readonly [id: string, stderr: string, ground?: Partial<FailureGround>])[] = [
  ["apparmor-userns", uidMapDenied, { apparmorRestrictsUserns: true }],
  [
    "apparmor-userns",
    "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted",
    { apparmorRestrictsUserns: true },
  ],
  ["root-without-setfcap", uidMap, { uid: 0 }],
  ["uid-not-mapped", uidMap, { uid: 0, mayMapRoot: true }],
  ["uid-not-mapped", uidMap],
  ["uid-not-mapped", "bwrap: error writing to setgroups: Permission denied"],
  ["uid-map-denied", uidMapDenied],
  ["uid-map-denied", uidMapDenied, { uid: 0, apparmorRestrictsUserns: true }],
  ["userns-turned-off", noSpace, { maxUserNamespaces: 0 }],
  ["namespace-limit", noSpace],
  ["namespace-limit", "bwrap: unshare user ns: No space left on device"],
  ["userns-clone-off", noPermissions, { unprivilegedUserns: false }],
  ["namespace-filtered", noPermissions, { filtered: true }],
  ["namespace-filtered", "bwrap: Creating new namespace failed: Operation not permitted", { filtered: true }],
  ["unshare-denied", "bwrap: unshare user ns: Operation not permitted"],
  ["namespace-refused", noPermissions],
  [
    "namespace-refused",
    "bwrap: No permissions to creating new namespace, likely because the kernel does not allow it.",
  ],
  ["needs-sys-admin", "bwrap: Creating new namespace failed: Operation not permitted"],
  [
    "no-user-namespaces",
    "bwrap: Creating new namespace failed, likely because the kernel does not support user namespaces.  bwrap must be installed setuid on such systems.",
  ],
  ["too-many-processes", "bwrap: Creating new namespace failed: Resource temporarily unavailable"],
  ["out-of-memory", "bwrap: Creating new namespace failed: Cannot allocate memory"],
  [
    "out-of-memory",
    "bwrap: error while loading shared libraries: libpcre2-8.so.0: failed to map segment from shared object",
  ],
  [
    "too-many-files",
    "bwrap: error while loading shared libraries: libselinux.so.1: cannot open shared object file: Error 24",
  ],
  [
    "broken-bwrap",
    "bwrap: error while loading shared libraries: libcap.so.2: cannot open shared object file: No such file or directory",
  ],
  ["proc-masked", "bwrap: Can't mount proc on /newroot/proc: Operation not permitted"],
  ["userns-limit-read-only", "bwrap: cannot open /proc/sys/user/max_user_namespaces: Read-only file system"],
  [
    "userns-limit-setuid",
    "bwrap: cannot open /proc/sys/user/max_user_namespaces: Permission denied",
    { setUserId: true },
  ],
  ["userns-limit-denied", "bwrap: cannot open /proc/sys/user/max_user_namespaces: Permission denied"],
  ["userns-limit-denied", "bwrap: creation of new user namespaces was not disabled as requested"],
  ["loopback", "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted"],
  ["loopback", "bwrap: loopback: Failed to look up lo: No such file or directory"],
  ["cgroup-namespace", "bwrap: Cannot create new cgroup namespace because the kernel does not support it"],
  ["caller-capabilities", "bwrap: Unexpected capabilities but not setuid, old file caps config?"],
  ["setuid-owner", "bwrap: Unexpected setuid user 1000, should be 0"],
  ["too-many-arguments", "bwrap: Exceeded maximum number of arguments 9000"],
  ["too-many-mounts", "bwrap: Can't bind mount /oldroot/a on /newroot/a: No space left on device"],
  [
    "too-many-mounts",
    "bwrap: Failed to mount tmpfs: Limit exceeded (ENOSPC). (Hint: Check that /proc/sys/fs/mount-max is sufficient, typically 100000)",
  ],
  ["no-space", "bwrap: Can't write data to file /newroot/a: No space left on device"],
  ["missing-source", "bwrap: Can't find source path /nonexistent: No such file or directory"],
  ["mount-point", "bwrap: Can't mkdir /usr/newproc: Read-only file system"],
  ["mount-point", "bwrap: Can't create file at /newfile: Read-only file system"],
  [
    "submount",
    "bwrap: Can't bind mount /oldroot/mnt on /newroot/mnt: Unable to mount source on destination: Input/output error",
  ],
  ["submount", 'bwrap: Unable to apply mount flags: remount "/newroot/mnt/fuse": Permission denied'],
  ["submount", "bwrap: Can't remount readonly on /newroot/net: Stale file handle"],
  ["root-is-initramfs", "bwrap: pivot_root: Invalid argument"],
  ["mount-refused", "bwrap: Failed to make / slave: Operation not permitted"],
  ["mount-refused", "bwrap: Failed to make / slave: Permission denied", { filtered: true }],
  ["mount-refused", "bwrap: pivot_root: Operation not permitted", { filtered: true }],
  ["root-read-only", "bwrap: Creating newroot failed: Read-only file system"],
  ["no-proc", "bwrap: Can't read /proc/sys/kernel/overflowuid: No such file or directory"],
  ["capabilities-refused", "bwrap: capset failed: Operation not permitted"],
  ["capabilities-refused", "bwrap: prctl(PR_SET_NO_NEW_PRIVS) failed: Operation not permitted"],
  ["unknown-option", "bwrap: Unknown option --disable-userns"],
  ["missing-directory", "bwrap: Can't chdir to /gone: No such file or directory"],
  ["missing-program", "bwrap: execvp /tmp/fence/bin/fence: No such file or directory"],
  ["no-answer", "bwrap: no answer within 10000 ms"],
  ["not-started", "bwrap: execve: EACCES"],
  ["unknown", "bwrap: something new"],
  ["unknown", ""],
];

const recognised = (stderr: string, ground: Partial<FailureGround> = {}) =>
  recogniseFailure({ stderr: `${stderr}\n`, status: 1, signal: null }, { ...plainGround, ...ground });

test.for(recorded)("%s: %s", ([id, stderr, ground]) => {
  expect(recognised(stderr, ground)).toMatchObject({ id, quote: stderr === "" ? "it said nothing" : stderr });
});

test("every entry of the table is recognised in some message", () => {
  const seen = new Set(recorded.map(([id]) => id));
  for (const bySignal of ["killed-by-filter", "killed"]) seen.add(bySignal);
  expect(
    knownFailures()
      .map(({ id }) => id)
      .filter((id) => !seen.has(id)),
  ).toEqual([]);
});

test.for([
  ["killed-by-filter", null, "SIGSYS"],
  ["killed-by-filter", 128 + 31, null],
  ["killed", null, "SIGKILL"],
  ["killed", 128 + 9, null],
  ["killed", 128 + 11, null],
  ["unknown", 1, null],
] as const)("%s: without a word, exit status %s, signal %s", ([id, status, signal]) => {
  expect(recogniseFailure({ stderr: "\n", status, signal }, plainGround)).toMatchObject({ id });
});

test("what others wrote to standard error is not taken for bwrap's", () => {
  expect(recognised("bwrap: pivot_root: Invalid argument\nsome shell: noise").id).toBe("root-is-initramfs");
});

test("the error quotes bwrap, and offers each remedy", () => {
  const error = explainBwrapFailure({ stderr: `${uidMap}\n`, status: 1, signal: null }, { ...plainGround, uid: 0 });
  expect(error.code).toBe("FENCE_BWRAP");
  expect(error.message).toContain(`(${uidMap})`);
  expect(error.details).toMatchObject({ step: "start-bwrap", hint: expect.stringContaining("--cap-add SETFCAP") });
});

describe("a message", () => {
  test("names the path that cannot be had", () => {
    expect(recognised("bwrap: Can't find source path /a: b/c: No such file or directory").says).toBe(
      "/a: b/c, which is to be mounted, cannot be had: No such file or directory",
    );
  });

  test("of any kind has a cause and a remedy", () => {
    const words = fc.constantFrom(...recorded.map(([, stderr]) => stderr));
    const texts = fc.oneof(
      fc.string(),
      words,
      fc.tuple(words, fc.string()).map(([a, b]) => a + b),
    );
    fc.assert(
      fc.property(texts, fc.boolean(), fc.boolean(), (text, filtered, apparmorRestrictsUserns) => {
        const { says, remedies } = recognised(text, { filtered, apparmorRestrictsUserns });
        expect(says).toMatch(/\S/);
        expect(remedies.length).toBeGreaterThan(0);
      }),
    );
  });
});

test("docs/check.md lists the known failures with the layer each concerns", () => {
  const listed = docTable("check.md", "failure").map(([id, layer]) => [id, layer]);
  expect(listed).toEqual(knownFailures().map(({ id, layer }) => [id, layer ?? "—"]));
});
