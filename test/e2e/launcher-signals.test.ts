import { beforeEach, describe, expect, test } from "vitest";
import { ended, kill } from "../kit/kept-sandbox.ts";
import { type Launched, type LaunchOptions, launch, launchCommand, launched, users } from "../kit/launched.ts";
import { probe } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";

beforeEach(requires("root", "bwrap", "unprivileged bwrap", "setpriv"));

const numbers = { HUP: 1, INT: 2, QUIT: 3, USR1: 10, USR2: 12, ALRM: 14, TERM: 15, CONT: 18, WINCH: 28 };
const last = 64;

/** A program that prints the number of each signal that it gets, until it gets `until`. */
async function listening(until: number, options: LaunchOptions = {}): Promise<Launched> {
  const sandbox = launch([probe, "await-signals", String(until)], options);
  expect(await sandbox.line()).toContain("await-signals");
  expect(await sandbox.line()).toBe("ready");
  return sandbox;
}

/** Those that the program printed. */
const printed = (stdout: string): readonly number[] => (stdout.match(/^\d+$/gm) ?? []).map(Number);

describe.for(users)("as %s", (user) => {
  test("each signal that is sent to fence reaches the program once", async () => {
    const sandbox = await listening(last, { user });
    const front = await sandbox.front;
    for (const [name, number] of Object.entries(numbers)) {
      process.kill(front, number);
      expect(await sandbox.line(), name).toBe(String(number));
    }
    process.kill(front, last);
    const outcome = await sandbox.outcome;
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    expect(printed(outcome.stdout)).toEqual([...Object.values(numbers), last]);
  });

  test.for(Object.entries(numbers))(
    "SIG%s that is sent to the whole process group reaches it once",
    async ([, number]) => {
      for (const through of ["nothing", "fence"] as const) {
        const sandbox = await listening(last, { user, through });
        process.kill(-sandbox.group, number);
        expect(await sandbox.line()).toBe(String(number));
        process.kill(await sandbox.front, last);
        const outcome = await sandbox.outcome;
        expect(outcome, through).toMatchObject({ status: 0, stderr: "" });
        expect(printed(outcome.stdout), through).toEqual([number, last]);
      }
    },
  );

  test.for(["HUP", "INT", "TERM", "USR1", "QUIT"] as const)(
    "SIG%s that the program does not catch ends both",
    async (name) => {
      for (const whom of ["front", "group"] as const) {
        const options = { user, arranged: ["limit", "4", "0", "0"], input: "held" } as const;
        const sandbox = launch(["/bin/cat"], options);
        expect(await sandbox.ask("ready")).toBe("ready");
        process.kill(whom === "front" ? await sandbox.front : -sandbox.group, `SIG${name}`);
        expect(await sandbox.outcome, whom).toMatchObject({ status: null, signal: `SIG${name}`, stderr: "" });
      }
    },
  );
});

describe("a program that does not end when it is asked to", () => {
  test.for(["SIGTERM", "SIGINT"] as const)("is killed by a second %s, some time after the first", async (signal) => {
    const sandbox = await listening(last);
    const front = await sandbox.front;
    process.kill(front, signal);
    expect(await sandbox.line()).toMatch(/^\d+$/);
    // What comes within half a second of the first is taken for the same.
    while ((await sandbox.find("front")) !== undefined) kill(front, signal);
    expect(await sandbox.outcome).toMatchObject({ status: null, signal: "SIGKILL" });
  });
});

describe("tools that send signals and start processes", () => {
  const run = (command: readonly string[], options: LaunchOptions = {}) =>
    launched(command, { ...options, through: "nothing" });

  test("timeout(1) ends the program, and says so", async () => {
    const outcome = await run(["timeout", "1", ...launchCommand(["sleep", "100"])]);
    expect(outcome).toMatchObject({ status: 124, stderr: "" });
  });

  // timeout(1) signals its process group: bwrap must not end before the program has.
  test("timeout(1) lets a program end its own way", async () => {
    const program = ["sh", "-c", "trap 'sleep 0.1; echo bye; exit 9' TERM; echo ready; while :; do sleep 0.05; done"];
    const outcome = await run(["timeout", "--preserve-status", "1", ...launchCommand(program)]);
    expect(outcome).toMatchObject({ status: 9, stdout: "ready\nbye\n" });
  });

  test("nohup(1): a hang-up does not end the program", async () => {
    const sandbox = launch(["nohup", ...launchCommand(["/bin/cat"])], { through: "nothing", input: "held" });
    expect(await sandbox.ask("ready")).toBe("ready");
    process.kill(await sandbox.front, "SIGHUP");
    process.kill(-sandbox.group, "SIGHUP");
    expect(await sandbox.ask("still there")).toBe("still there");
    sandbox.end();
    expect(await sandbox.outcome).toMatchObject({ status: 0 });
  });

  test("setsid(1), pipelines and a program in the background", async () => {
    const cat = launchCommand(["/bin/cat"]);
    const script = 'echo in | "$@" | "$@" | setsid -w "$@"; "$@" < /dev/null & wait $!; exit $?';
    expect(await run(["bash", "-c", script, "bash", ...cat])).toMatchObject({ status: 0, stdout: "in\n", stderr: "" });
  });

  test("xargs(1) runs several at once", async () => {
    const input = Array.from({ length: 8 }, (_, i) => `${i}\n`).join("");
    const { stdout, status } = await run(["xargs", "-P", "4", "-n", "1", ...launchCommand(["echo"])], { input });
    expect(status).toBe(0);
    expect(stdout.trim().split("\n").toSorted()).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
  });
});

describe("before the program has started", () => {
  test.for(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const)(
    "%s ends everything with that signal",
    async (signal) => {
      for (let round = 0; round < 6; round++) {
        const home = { arranged: ["limit", "4", "0", "0"] };
        const sandbox = launch(["sh", "-c", "echo started; exec sleep 1000"], home);
        const front = await sandbox.front;
        if (round % 2 === 1) await sandbox.report("starting");
        process.kill(round % 3 === 0 ? -sandbox.group : front, signal);
        const outcome = await sandbox.outcome;
        expect(outcome, `round ${round}`).toMatchObject({ status: null, signal, stderr: "" });
      }
    },
  );

  test("signals that the caller ignores do not", async () => {
    const sandbox = launch(["echo", "started"], { arranged: ["ignore", "2", "ignore", "1"] });
    const front = await sandbox.front;
    await sandbox.report("starting");
    process.kill(front, "SIGINT");
    process.kill(-sandbox.group, "SIGHUP");
    expect(await sandbox.outcome).toMatchObject({ status: 0, stdout: "started\n" });
  });
});

test("the end of the program ends what it has left behind", async () => {
  const sandbox = launch(["sh", "-c", "setsid sleep 1000 > /dev/null 2>&1 & echo started"]);
  expect(await sandbox.line()).toBe("started");
  const init = await sandbox.find("init");
  if (init !== undefined) await ended(init);
  expect(await sandbox.outcome).toMatchObject({ status: 0 });
});
