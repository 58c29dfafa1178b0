import { expect, test } from "vitest";
import { findBwrap, isOlder, locateBwrap, searchFolders } from "../../../src/launcher/bwrap.ts";
import type { RunChild } from "../../../src/sys/child.ts";
import type { FileFacts } from "../../../src/sys/host-files.ts";
import { bwrapVersion, ended, files, program } from "../../kit/host-fixtures.ts";

const answers: RunChild = async () => bwrapVersion;

const find = (path: string | undefined, facts: Readonly<Record<string, FileFacts>>, run: RunChild = answers) =>
  findBwrap(path, {
    files: files({ facts, texts: { "/etc/os-release": 'NAME="x"\nID=ubuntu\nID_LIKE=debian\n' } }),
    run,
  });

test("the first folder of PATH that has a bwrap decides", async () => {
  const facts = { "/a/bwrap": program, "/b/bwrap": program };
  expect(await find("/none:/b:/a", facts)).toEqual({ path: "/b/bwrap", version: "0.8.0", setUserId: false });
});

test("it is located without being started", () => {
  const given = files({ facts: { "/a/bwrap": { ...program, mode: 0o4755 } } });
  expect(locateBwrap("/a", given)).toEqual({ path: "/a/bwrap", setUserId: true });
});

test("relative and empty folders of PATH are never searched", () => {
  expect(searchFolders("bin::/a:./b:..:/c\0d")).toEqual(["/a", ...searchFolders(undefined)]);
});

test("on NixOS it is found where PATH does not lead", async () => {
  const path = "/run/current-system/sw/bin/bwrap";
  expect(await find("/home/a/.nix-profile/bin", { [path]: program })).toMatchObject({ path });
});

test("a directory and a file that we may not execute are passed over", async () => {
  const facts = {
    "/a/bwrap": { ...program, isFile: false },
    "/b/bwrap": { ...program, executable: false },
    "/c/bwrap": program,
  };
  expect(await find("/a:/b:/c", facts)).toMatchObject({ path: "/c/bwrap" });
});

test("a missing bwrap is an error with this distribution's way to install it", async () => {
  await expect(find("/a", {})).rejects.toMatchObject({
    code: "FENCE_BWRAP",
    details: { step: "find-bwrap", errno: "ENOENT", hint: expect.stringContaining("apt-get install bubblewrap") },
  });
});

test.for([0o777, 0o775, 0o757])("one that others can change, %o, is not started", async (mode) => {
  const never: RunChild = () => Promise.reject(new Error("it was started"));
  await expect(find("/a", { "/a/bwrap": { ...program, mode } }, never)).rejects.toMatchObject({
    code: "FENCE_BWRAP",
    message: "/a/bwrap can be changed by other users, so it is not started",
  });
});

test("one of another user is not started", () => {
  const owned = (uid: number) => files({ facts: { "/a/bwrap": { ...program, uid } } });
  expect(() => locateBwrap("/a", owned(7))).toThrow("/a/bwrap belongs to the user 7, so it is not started");
  for (const uid of [0, 65534, process.geteuid?.() ?? 0]) expect(locateBwrap("/a", owned(uid)).path).toBe("/a/bwrap");
});

test("set-user-ID root is known, and for any other user it is not started", async () => {
  expect(await find("/a", { "/a/bwrap": { ...program, mode: 0o4755 } })).toMatchObject({ setUserId: true });
  // Of a user namespace that does not know root: the bit has no effect there.
  expect(await find("/a", { "/a/bwrap": { ...program, uid: 65534, mode: 0o4755 } })).toMatchObject({
    setUserId: false,
  });
  await expect(find("/a", { "/a/bwrap": { ...program, uid: 7, mode: 0o4755 } })).rejects.toMatchObject({
    message: "/a/bwrap would run as user 7, so it is not started",
    details: { hint: "chmod u-s /a/bwrap" },
  });
});

test.for([
  ["0.7.9", "0.8.0", true],
  ["0.8.0", "0.8.0", false],
  ["0.11.1", "0.8.0", false],
  ["1.0", "0.8.0", false],
  ["0.8", "0.8.0", false],
  ["0.8", "0.8.1", true],
] as const)("%s is older than %s: %s", ([version, than, older]) => {
  expect(isOlder(version, than)).toBe(older);
});

test("an older version is an error that names both", async () => {
  await expect(
    find("/a", { "/a/bwrap": program }, async () => ended({ stdout: "bubblewrap 0.4.1\n" })),
  ).rejects.toMatchObject({ code: "FENCE_BWRAP", message: "/a/bwrap is bubblewrap 0.4.1, fence needs 0.8.0 or newer" });
});

test.for([
  ["says something else", ended({ stdout: "hello\n" }), "it did not say its version"],
  ["cannot load", ended({ status: 127, stderr: "bwrap: error while loading\n" }), "bwrap: error while loading"],
  ["hangs", { kind: "timed-out", timeoutMs: 7 }, "it did not end within 7 ms"],
  ["is for another machine", { kind: "not-started", errno: "ENOEXEC" }, "execve: ENOEXEC"],
] as const)("a bwrap that %s is an error that says so", async ([, outcome, why]) => {
  await expect(find("/a", { "/a/bwrap": program }, async () => outcome)).rejects.toMatchObject({
    code: "FENCE_BWRAP",
    message: `cannot use /a/bwrap: ${why}`,
  });
});
