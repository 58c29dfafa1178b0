import { expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { landlockGrants } from "../../../src/plan/landlock-grants.ts";
import { mostRules } from "../../../src/plan/landlock-places.ts";
import { factsOf, hostOf, type Tree } from "../../kit/hosts.ts";
import { type PolicyParts, policyOf } from "../../kit/policies.ts";

const system: Tree = {
  "/dev/null": "device",
  "/dev/tty": "device",
  "/dev/ptmx": "device",
  "/dev/pts": "/",
  "/dev/shm": "/",
  "/dev/sda": "device",
  "/proc/version": "",
  "/tmp/left": "",
  "/run/docker.sock": "socket",
  "/usr/bin/true": "",
  "/usr/bin/mount": "",
  "/usr/lib/libc.so": "",
  "/lib": "-> usr/lib",
  "/etc/passwd": "",
  "/home/u/work/a.txt": "",
  "/home/u/.ssh/id": "",
  "/home/u/.profile": "",
};

function planned(parts: PolicyParts, more: Tree = {}) {
  return landlockGrants(policyOf(parts), factsOf(), hostOf({ ...system, ...more }));
}

function rules(parts: PolicyParts, more: Tree = {}) {
  return planned(parts, more).rules.map(({ access, path }) => `${access} ${path}`);
}

function refusal(parts: PolicyParts, more: Tree = {}) {
  try {
    planned(parts, more);
  } catch (error) {
    if (error instanceof FenceError) return { code: error.code, message: error.message, ...error.details };
    throw error;
  }
  throw new Error("it was planned");
}

const everyone = ["ro /proc", "rw /dev/null", "rw /dev/tty"];

test("the host can be read but for its devices, sockets and temporary files; nothing can be written", () => {
  expect(rules({}).sort()).toEqual([...everyone, "rox /etc", "rox /home", "rox /usr"].sort());
});

test("what is writable has a rule of its own", () => {
  expect(rules({ filesystem: { allowWrite: ["/home/u/work"] } })).toEqual(
    expect.arrayContaining(["rox /home", "rwx /home/u/work"]),
  );
});

test("a denied directory takes the rules of all above it, and its siblings get theirs", () => {
  const found = rules({ filesystem: { denyRead: ["/home/u/.ssh"] } }, { "/home/u/link": "-> .ssh" });
  expect(found).toEqual(expect.arrayContaining(["rox /home/u/work", "rox /home/u/.profile"]));
  expect(found.filter((rule) => /\/home$|\/u$|ssh|link/.test(rule))).toEqual([]);
});

test("what is granted below a denied directory has a rule, and nothing else in it", () => {
  const found = rules({ filesystem: { denyRead: ["/home/u"], allowRead: ["/home/u/work"] } });
  expect(found.filter((rule) => rule.includes("/home"))).toEqual(["rox /home/u/work"]);
});

test("a file that stays as it is leaves its directory readable, where nothing can be made", () => {
  const { rules: found, notes } = planned(
    { filesystem: { allowWrite: ["/home/u/work"], denyWrite: ["/home/u/work/a.txt"] } },
    { "/home/u/work/b.txt": "" },
  );
  expect(found).toContainEqual({ access: "rox", path: "/home" });
  expect(found.filter(({ path }) => path.startsWith("/home/u/work"))).toEqual([
    { access: "rwx", path: "/home/u/work/b.txt" },
  ]);
  expect(notes).toContainEqual({
    where: 'filesystem.denyWrite "/home/u/work/a.txt"',
    says: "nothing can be made or removed: /home/u/work",
  });
});

test("the dangerous files of a writable directory close it when mounts are required, and are named when they are not", () => {
  const parts = { filesystem: { allowWrite: ["/home/u/work"] } };
  const more = { "/home/u/work/.git/config": "", "/home/u/work/.git/HEAD": "" };
  expect(rules(parts, more)).toEqual(
    expect.arrayContaining(["rwx /home/u/work/a.txt", "rwx /home/u/work/.git/HEAD", "rox /home"]),
  );
  expect(rules(parts, more)).not.toContain("rwx /home/u/work");
  const { rules: found, notes } = planned({ ...parts, isolation: "best-effort" }, more);
  expect(found).toContainEqual({ access: "rwx", path: "/home/u/work" });
  expect(notes).toContainEqual({
    where: "default: dangerous files",
    says: expect.stringContaining("/home/u/work/.git/config"),
  });
});

test("with an empty root only what is named has rules", () => {
  const found = rules({ filesystem: { defaultDenyRead: true, allowRead: ["/home/u/work"] } });
  expect(found.sort()).toEqual([...everyone, "rox /etc", "rox /home/u/work", "rox /usr"].sort());
});

test("a denied program has no rule, nor the directory that it is in", () => {
  const found = rules({ command: { deny: ["mount"] } });
  expect(found).toEqual(expect.arrayContaining(["rox /usr/bin/true", "rox /usr/lib"]));
  expect(found.filter((rule) => /\/usr(?:\/bin(?:\/mount)?)?$/.test(rule))).toEqual([]);
});

test("programs that are denied by default close no directory when mounts are not required", () => {
  const parts = { command: { useDefaults: true } };
  const more = { "/usr/bin/insmod": "", "/usr/bin/nsenter": "" };
  expect(rules(parts, more)).toContain("rox /usr/bin/true");
  const { rules: found, notes } = planned({ ...parts, isolation: "best-effort" }, more);
  expect(found).toContainEqual({ access: "rox", path: "/usr" });
  expect(notes).toContainEqual({
    where: "command.deny",
    says: expect.stringMatching(/only before the start.*: \/usr\/bin/),
  });
});

test("terminals are the host's, and only there when the policy lets the program make some", () => {
  const parts = { ...policyOf(), allowPty: true };
  const found = landlockGrants(parts, factsOf(), hostOf(system)).rules.map(({ path }) => path);
  expect(found).toEqual(expect.arrayContaining(["/dev/ptmx", "/dev/pts"]));
});

test("devices that the policy names have rules, or all of them", () => {
  expect(rules({ devices: { allow: ["/dev/sda"] } })).toContain("rw /dev/sda");
  expect(rules({ devices: { mode: "host" } })).toContain("rw /dev");
});

test("a socket of a service closes no directory: connecting is not a matter of files", () => {
  const found = rules({}, { "/var/lib/mysql/mysql.sock": "socket" });
  expect(found).toContain("rox /var");
});

test.for<[what: string, parts: PolicyParts, where: string]>([
  ["a decoy", { filesystem: { decoys: [{ path: "/home/u/.profile", kind: "token" }] } }, "filesystem.decoys"],
  ["a denial in /proc", { filesystem: { denyRead: ["/proc/version"] } }, "filesystem.denyRead"],
])("%s is refused when mounts are required, and a note when they are not", ([, parts, where]) => {
  expect(refusal(parts)).toMatchObject({ code: "FENCE_ISOLATION", message: expect.stringContaining(where) });
  const { notes, rules: found } = planned({ ...parts, isolation: "best-effort" });
  expect(notes).toContainEqual({ where: expect.stringContaining(where), says: expect.any(String) });
  expect(found.map(({ path }) => path)).not.toContain("/home/u/.profile");
});

test("a session of its own is refused when mounts are required", () => {
  const policy = { ...policyOf(), forceNewSession: true };
  expect(() => landlockGrants(policy, factsOf(), hostOf(system))).toThrow(/forceNewSession cannot be had/);
});

test("what is denied in a directory of too many files is an error that names the key", () => {
  const many = Object.fromEntries(Array.from({ length: mostRules + 1 }, (_, i) => [`/srv/${i}`, ""]));
  expect(refusal({ filesystem: { denyRead: ["/srv/5"] } }, many)).toMatchObject({
    code: "FENCE_MOUNTS",
    message: expect.stringMatching(/^filesystem.denyRead "\/srv\/5" leaves more than 16384 .* in \/srv$/),
  });
});
