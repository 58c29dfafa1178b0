import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { kill } from "../kit/kept-sandbox.ts";
import {
  type LaunchOptions,
  launch,
  launchCommand,
  launched,
  type Role,
  runtimeFolder,
  users,
} from "../kit/launched.ts";
import { requires } from "../kit/requires.ts";
import { fence } from "../kit/sandbox.ts";

beforeEach(requires("root", "bwrap", "unprivileged bwrap", "setpriv"));

const victims: readonly Role[] = ["front", "launcher", "bwrap", "init", "program"];

/** Everything that has something on the host to be left behind: a published port, a directory for sockets. */
async function served(options: LaunchOptions = {}) {
  const runtime = runtimeFolder(options.user);
  const more = ["-p", "0:8080", ...(options.options ?? [])];
  const env = { ...options.env, XDG_RUNTIME_DIR: runtime };
  return { runtime, sandbox: launch(["/bin/cat"], { input: "held", ...options, env, options: more }) };
}

const mounts = () => readFileSync("/proc/self/mountinfo", "utf8").split("\n").length;

describe.for(users)("as %s, with the program running, a SIGKILL of", (user) => {
  test.for(victims)("the %s ends everything", async (victim) => {
    const { runtime, sandbox } = await served({ user });
    expect(await sandbox.ask("ready")).toBe("ready");
    kill(await sandbox.process(victim), "SIGKILL");
    const outcome = await sandbox.outcome; // nothing is left
    const died = { status: null, signal: "SIGKILL" };
    // bwrap's PID 1 is our init, whose end is bwrap's, as a number.
    const expected = { front: died, launcher: { status: 125 }, bwrap: died, init: { status: 137 }, program: died };
    expect(outcome).toMatchObject(expected[victim]);
    // It is the launcher that removes its directory; the next one does it for one that was killed.
    if (victim === "launcher")
      await launched(["true"], { user, env: { XDG_RUNTIME_DIR: runtime }, options: ["-p", "0:8080"] });
    expect(readdirSync(runtime)).toEqual([]);
  });
});

test.for([
  { what: "a socket", script: '"$@"' },
  { what: "a pipe", script: 'set -o pipefail; { "$@" 2>&1 1>&3 | cat >&2; } 3>&1' },
  { what: "a file", script: 'echo before > e; "$@" 2>> e; s=$?; cat e >&2; exit $s' },
])("a launcher that is killed is said to have been, on $what", async ({ script }) => {
  const command = ["bash", "-c", script, "bash", ...launchCommand(["/bin/cat"])];
  const sandbox = launch(command, { through: "nothing", input: "held" });
  expect(await sandbox.ask("ready")).toBe("ready");
  await sandbox.front;
  kill(sandbox.detached(), "SIGKILL");
  const { stderr, status } = await sandbox.outcome;
  expect(status).toBe(125);
  expect(stderr).toMatch(/^(before\n)?fence: the launcher has ended/);
  expect(stderr).toContain("  code:  FENCE_LAUNCH\n");
});

test("the front holds no pipe of standard error open", async () => {
  const script = '{ "$@" 2>&1 1>&3 | cat >&2; } 3>&1';
  const command = ["bash", "-c", script, "bash", ...launchCommand(["/bin/cat"])];
  const sandbox = launch(command, { through: "nothing", input: "held" });
  expect(await sandbox.ask("ready")).toBe("ready");
  const front = sandbox.processes().find(({ command }) => command.startsWith(`${fence} run`))?.pid ?? -1;
  const [held] = [...sandbox.descriptors()].filter(([process]) => process.startsWith(`${front} `));
  const pipes = (held?.[1] ?? []).filter((link) => link.startsWith("pipe:"));
  expect(pipes).toHaveLength(1);
  // O_PATH, open(2): nothing can be written to it.
  const flags = readdirSync(`/proc/${front}/fdinfo`).map((fd) => readFileSync(`/proc/${front}/fdinfo/${fd}`, "utf8"));
  expect(flags.filter((each) => /^flags:\s*012000000$/m.test(each))).toHaveLength(1);
  sandbox.end();
  expect(await sandbox.outcome).toMatchObject({ status: 0, stderr: "" });
});

describe("a SIGKILL at any time leaves nothing behind:", () => {
  test.for(victims)("of the %s", { timeout: 120_000 }, async (victim) => {
    const random = generator(victims.indexOf(victim) + 1);
    const before = mounts();
    const user = victims.indexOf(victim) % 2 === 0 ? "root" : "nobody";
    const runtime = runtimeFolder(user);
    for (let round = 0; round < 8; round++) {
      const options = ["-p", "0:8080", ...(round % 4 === 3 ? ["--verify"] : [])];
      const program = ["sh", "-c", "read line; exit 0"];
      const sandbox = launch(program, { user, options, input: "held", env: { XDG_RUNTIME_DIR: runtime } });
      await sandbox.front;
      // Any moment of the some 150 ms that it all takes; no event stands for it.
      await delay(random() * 150);
      const pid = await sandbox.find(victim);
      if (pid !== undefined) kill(pid, "SIGKILL");
      if (random() < 0.5) await delay(random() * 40);
      sandbox.end();
      const { status, stderr } = await sandbox.outcome; // nothing hangs, and no process is left
      const what = `round ${round}: ${stderr}`;
      expect(stderr, what).not.toContain("FENCE_BUG");
      if (pid === undefined) expect(status, what).toBe(0);
    }
    await launched(["true"], { user, env: { XDG_RUNTIME_DIR: runtime }, options: ["-p", "0:8080"] });
    expect(readdirSync(runtime)).toEqual([]);
    expect(mounts()).toBe(before);
  });

  // The program ends with 7: a status of 0 would be somebody else's.
  test("and the exit status is never 0 unless the program's was", { timeout: 120_000 }, async () => {
    const random = generator(9);
    for (let round = 0; round < 10; round++) {
      const sandbox = launch(["sh", "-c", "exit 7"]);
      await sandbox.front;
      await delay(random() * 150);
      const pid = await sandbox.find(victims[round % victims.length] ?? "front");
      if (pid !== undefined) kill(pid, "SIGKILL");
      const { status, signal } = await sandbox.outcome;
      expect([7, 125, 137, "SIGKILL"], `round ${round}`).toContain(status ?? signal);
    }
  });

  test("with the host's own /tmp in the sandbox", { timeout: 120_000 }, async () => {
    const random = generator(10);
    const options = { options: ["--allow-write", "/tmp"] };
    const there = existsSync("/tmp/fence");
    for (const victim of victims) {
      const sandbox = launch(["sh", "-c", "exit 7"], options);
      await sandbox.front;
      await delay(random() * 150);
      const pid = await sandbox.find(victim);
      if (pid !== undefined) kill(pid, "SIGKILL");
      await sandbox.outcome;
    }
    expect(await launched(["true"], options)).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync("/tmp/fence")).toBe(there);
  });

  /** Numbers from 0 to 1 that are the same each time. */
  function generator(seed: number): () => number {
    let state = seed;
    return () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
  }
});
