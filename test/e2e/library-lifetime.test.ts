import { copyFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { kill } from "../kit/kept-sandbox.ts";
import { type LaunchOptions, launch, runtimeFolder, users } from "../kit/launched.ts";
import { libraryCopy } from "../kit/library.ts";
import { requires } from "../kit/requires.ts";
import { fence, folder } from "../kit/sandbox.ts";

beforeEach(requires("root", "bwrap", "unprivileged bwrap", "setpriv"));

/** A program that uses the library; its outcome is known when no process is left of all that it has started. */
function program(action: string, options: LaunchOptions = {}) {
  const runtime = runtimeFolder(options.user);
  const script = join(folder(), "child.mjs"); // where every user can read it
  copyFileSync(resolve(import.meta.dirname, "library-child.mjs"), script);
  const command = [process.execPath, script, libraryCopy(), fence, action];
  const started = launch(command, { ...options, through: "nothing", env: { XDG_RUNTIME_DIR: runtime } });
  return { runtime, started };
}

describe.for(users)("as %s, nothing is left", (user) => {
  test.for([
    ["that has forgotten to close its sandbox", "forgets", 0, /^done\n$/],
    ["that exits", "exits", 3, /^ready\n$/],
    ["that ends by an exception of its own", "throws", 1, /^ready\n$/],
    ["that closes its sandbox", "closes", 0, /^(\{"status":null,"signal":"SIGKILL"\}\n){3}$/],
  ] as const)("of a program %s", async ([, action, status, stdout]) => {
    const { runtime, started } = program(action, { user });
    expect(await started.outcome).toMatchObject({ status, stdout: expect.stringMatching(stdout) });
    expect(readdirSync(runtime)).toEqual([]);
  });

  test("of a program that is killed", async () => {
    const { runtime, started } = program("waits", { user });
    expect(await started.line()).toMatch(/^ready /);
    kill(await started.front, "SIGKILL");
    expect(await started.outcome).toMatchObject({ signal: "SIGKILL" });
    expect(readdirSync(runtime)).toEqual([]);
  });

  test("of a sandbox whose service is killed, and everybody who waits is told", async () => {
    const { started } = program("fails", { user });
    const { status, stdout } = await started.outcome;
    expect(status).toBe(0);
    const ended = "FENCE_SERVICE the service of the sandbox has ended: SIGKILL";
    expect(stdout.split("\n").slice(0, -1)).toEqual([ended, ended, ended, ended]);
  });

  test("of a program that is killed together with its service", async () => {
    const { started } = program("waits", { user });
    const [, service] = /^ready (\d+)$/.exec((await started.line()) ?? "") ?? [];
    kill(await started.front, "SIGKILL");
    kill(Number(service), "SIGKILL");
    expect(await started.outcome).toMatchObject({ signal: "SIGKILL" });
  });
});

test("what a service that was killed has left is removed by the next one", async () => {
  const runtime = runtimeFolder();
  const env = { XDG_RUNTIME_DIR: runtime };
  const script = resolve(import.meta.dirname, "library-child.mjs");
  const run = (action: string) =>
    launch([process.execPath, script, libraryCopy(), fence, action], { through: "nothing", env });
  const first = await run("fails").outcome;
  expect(first.status).toBe(0);
  expect(readdirSync(runtime)).toHaveLength(1);
  expect((await run("forgets").outcome).status).toBe(0);
  expect(readdirSync(runtime)).toEqual([]);
});
