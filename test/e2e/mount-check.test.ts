import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { homeFolder, launched, users } from "../kit/launched.ts";
import { requires } from "../kit/requires.ts";
import { fence } from "../kit/sandbox.ts";

beforeEach(requires("bwrap", "unprivileged bwrap", "setpriv", "strace"));

/** A bubblewrap before which another process does something: what is planned by then is not there any more. */
function bwrapAfter(script: string): string {
  const folder = homeFolder();
  const file = join(folder, "bwrap");
  writeFileSync(file, `#!/bin/sh\n${script}\nPATH=/usr/local/bin:/usr/bin:/bin exec bwrap "$@"\n`);
  chmodSync(file, 0o755);
  return folder;
}

function repository(): string {
  const home = homeFolder();
  for (const directory of ["work", "work/other", "work/.git", "work/.git/hooks"]) {
    mkdirSync(join(home, directory));
    chmodSync(join(home, directory), 0o777);
  }
  return home;
}

for (const user of users) {
  test(`as ${user}: nothing starts when what is to be mounted was replaced by a symlink meanwhile`, async () => {
    const home = repository();
    const swap = `cd ${home}/work/.git && mv hooks aside && ln -s ../other hooks`;
    const options = { user, home, cwd: join(home, "work"), options: ["--allow-write", "."] };
    const run = (script: string) =>
      launched(["echo", "started"], { ...options, env: { PATH: `${bwrapAfter(script)}:${process.env["PATH"]}` } });
    expect(await run(":")).toMatchObject({ status: 0, stdout: "started\n", stderr: "" });
    const { status, stdout, stderr } = await run(swap);
    expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
    expect(stderr).toContain(`what is mounted at ${home}/work/.git/hooks in the sandbox is not what was planned`);
    expect(stderr).toContain("FENCE_MOUNTS");
  });
}

test("a bubblewrap that the program could have made is not started, whatever the isolation", async () => {
  const home = homeFolder();
  const bin = join(home, "node_modules");
  mkdirSync(bin);
  writeFileSync(join(bin, "bwrap"), "#!/bin/sh\necho outside\n");
  chmodSync(join(bin, "bwrap"), 0o755);
  for (const isolation of ["strict", "best-effort"]) {
    const options = ["--allow-write", ".", "--isolation", isolation];
    const env = { PATH: `${bin}:${process.env["PATH"]}` };
    const { status, stdout, stderr } = await launched(["true"], { home, options, env });
    expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
    expect(stderr).toContain(`${join(bin, "bwrap")} is where the program may write, so it is not started`);
  }
});

test("nothing starts when what is mounted cannot be looked at, and why is said", async () => {
  const home = homeFolder();
  const inject = ["-f", "-qq", "-o", "/dev/null", "-P", "/proc/self/mountinfo", "-e", "inject=openat:error=EMFILE"];
  const run = spawnSync("strace", [...inject, fence, "run", "--", "echo", "started"], { cwd: home, encoding: "utf8" });
  expect([run.status, run.stdout]).toEqual([125, ""]);
  expect(run.stderr).toContain("fence: cannot look at what is mounted on the host: open: EMFILE");
  expect(run.stderr).toContain("FENCE_LAUNCH");
});
