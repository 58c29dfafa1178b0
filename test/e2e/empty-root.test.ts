import { beforeEach, describe, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { asNobody, bootstrap, emptyRoot, fenced, type Place, rootWithoutProc, run, unfenced } from "../kit/sandbox.ts";

beforeEach(requires("bwrap"));

const users: readonly { who: string; needs: string; place: (...args: string[]) => Place }[] = [
  { who: "the user of the tests", needs: "bwrap", place: emptyRoot },
  { who: "an unprivileged user", needs: "unprivileged bwrap", place: (...args) => asNobody(emptyRoot(...args)) },
  { who: "another user of the sandbox", needs: "bwrap", place: (...args) => emptyRoot("--uid", "1234", ...args) },
  { who: "root of the sandbox", needs: "bwrap", place: (...args) => emptyRoot("--uid", "0", "--gid", "0", ...args) },
  {
    who: "a root without capabilities",
    needs: "bwrap",
    place: (...args) => emptyRoot("--uid", "0", "--cap-drop", "ALL", ...args),
  },
];

describe.for(users)("in an empty read-only root, as $who,", ({ needs, place }) => {
  beforeEach(requires(needs));

  test("the program runs", async () => {
    const outcome = await bootstrap(place(), [], ["/probe", "exit", "42"]);
    expect(outcome).toMatchObject({ status: 42, stdout: "", stderr: "" });
  });

  test("the program is who it would be without fence", async () => {
    const without = await unfenced(place(), ["facts"]);
    const { uid, gid, capabilitiesEffective } = without;
    expect(await fenced(place(), [], ["facts"])).toMatchObject({ uid, gid, capabilitiesEffective });
  });

  test("file rules hold", async () => {
    const open = ["open-read", "/arrange"];
    expect(await unfenced(place(), open)).toMatchObject({ errno: 0 });
    expect(await fenced(place(), ["--rox", "/probe"], open)).toMatchObject({ errno: "EACCES" });
  });
});

test("there is nothing in the root but /proc, fence, the probe and its helper", async () => {
  for (const path of ["/dev", "/dev/null", "/etc", "/lib", "/lib64", "/usr", "/bin", "/var", "/tmp/x"])
    expect(await fenced(emptyRoot(), [], ["open-read", path])).toMatchObject({ errno: "ENOENT" });
});

test("nothing in the root can be written", async () => {
  for (const path of ["/x", "/tmp/x", "/tmp/fence/bin/x"])
    expect(await fenced(emptyRoot(), [], ["create", path])).toMatchObject({ errno: "EROFS" });
});

test("as PID 1 of the sandbox fence becomes the program too", async () => {
  expect(await fenced(emptyRoot("--as-pid-1"), [], ["facts"])).toMatchObject({ pid: 1, ppid: 0 });
});

test("without /proc fence says what to mount and the program does not start", async () => {
  const outcome = await bootstrap(rootWithoutProc(), [], ["/probe", "facts"]);
  expect(outcome).toMatchObject({ status: 125, stdout: "" });
  expect(outcome.stderr).toMatch(/^fence: cannot open \/proc\/self\/exe: open: ENOENT\n/);
  expect(outcome.stderr).toContain("hint:  mount /proc in the sandbox (bwrap: --proc /proc)");
  expect(await unfenced(rootWithoutProc(), ["facts"])).toMatchObject({ errno: 0 });
});

test("fence finds its parts under any name and by any path", async () => {
  const place = emptyRoot("--symlink", "tmp/fence/bin/fence", "/other-name", "--chdir", "/tmp/fence");
  for (const path of ["/other-name", "bin/fence", "./bin/../bin/fence"]) {
    const outcome = await run(place.enter([path, "bootstrap", "/probe", "exit", "42"]));
    expect(outcome).toMatchObject({ status: 42, stderr: "" });
  }
});
