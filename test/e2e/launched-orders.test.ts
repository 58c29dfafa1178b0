// What of the front, of P0 and of the sandbox's end the launcher hears first is anybody's guess: all must come out the same.
import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { kill } from "../kit/kept-sandbox.ts";
import { type LaunchOutcome, launch } from "../kit/launched.ts";
import { requires } from "../kit/requires.ts";

beforeEach(requires("bwrap", "unprivileged bwrap", "setpriv"));

/** Two hundred rounds of each. */
const isLong = process.env["FENCE_TEST_FAULTS"] === "all";
const rounds = isLong ? 200 : 12;
const timeout = isLong ? 1_200_000 : 120_000;

const events = ({ reports }: LaunchOutcome) => reports.map(({ event }) => event);

const ends = [
  {
    what: "a program that ends at once",
    program: ["sh", "-c", "echo out; exit 7"],
    expected: { status: 7, signal: null, stdout: "out\n", stderr: "" },
    reports: ["starting", "ready", "ended"],
  },
  {
    what: "a program that ends by a signal",
    program: ["sh", "-c", "kill -TERM $$"],
    expected: { status: null, signal: "SIGTERM", stdout: "", stderr: "" },
    reports: ["starting", "ready", "ended"],
  },
  {
    what: "a program that is not there",
    program: ["no-such-program"],
    expected: {
      status: 127,
      stdout: "",
      stderr: expect.stringMatching(/^fence: cannot find "no-such-program" in PATH/),
    },
    reports: ["starting", "failed"],
  },
  {
    what: "a program that cannot be executed",
    program: ["/etc/passwd"],
    expected: { status: 126, stdout: "", stderr: expect.stringMatching(/^fence: cannot run \/etc\/passwd: /) },
    reports: ["starting", "ready", "failed"], // all was as asked for, but that it can be executed
  },
  {
    what: "a listener that cannot be made",
    program: ["true"],
    options: ["--local-port", "80"],
    expected: {
      status: 125,
      stdout: "",
      stderr: expect.stringMatching(/^fence: cannot listen on tcp:127.0.0.1:80: bind: EACCES/),
    },
    reports: ["starting", "failed"],
  },
] as const;

describe.for(ends)("$what", { timeout }, ({ program, expected, reports, ...given }) => {
  const options = { user: "nobody", options: "options" in given ? given.options : [] } as const;

  test("has one status, message and report however many start at once", async () => {
    for (let left = rounds; left > 0; left -= 4) {
      const outcomes = await Promise.all([1, 2, 3, 4].map(() => launch(program, options).outcome));
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject(expected);
        expect(outcome.stderr.match(/^fence: /gm)?.length ?? 0).toBe(outcome.stderr === "" ? 0 : 1);
        expect(events(outcome)).toEqual(reports);
      }
    }
  });

  test("has them, too, when the launcher was stopped meanwhile", async () => {
    for (let round = 0; round < rounds; round++) {
      const sandbox = launch(program, options);
      await sandbox.front;
      // Over the some 150 ms that it all takes; no event stands for each moment of it.
      await delay(20 + (round * 130) / rounds);
      const launcher = await sandbox.find("launcher");
      if (launcher !== undefined) kill(launcher, "SIGSTOP");
      await delay(30);
      if (launcher !== undefined) kill(launcher, "SIGCONT");
      const outcome = await sandbox.outcome;
      expect(outcome, `round ${round}`).toMatchObject(expected);
      expect(events(outcome), `round ${round}`).toEqual(reports);
    }
  });
});

test("a launcher that is stopped while the program runs and ends serves its end when it goes on", async () => {
  const sandbox = launch(["sh", "-c", "echo ready; read line; echo $line; exit 7"], { input: "held" });
  expect(await sandbox.line()).toBe("ready");
  const launcher = await sandbox.process("launcher");
  kill(launcher, "SIGSTOP");
  expect(await sandbox.ask("last words")).toBe("last words");
  expect(await sandbox.line()).toBeNull(); // nobody has its standard output any more
  kill(launcher, "SIGCONT");
  const outcome = await sandbox.outcome;
  expect(outcome).toMatchObject({ status: 7, stderr: "" });
  expect(events(outcome)).toEqual(["starting", "ready", "ended"]);
});
