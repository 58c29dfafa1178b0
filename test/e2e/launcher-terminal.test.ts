import { beforeEach, describe, expect, test } from "vitest";
import { homeFolder, launchCommand } from "../kit/launched.ts";
import { probe } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";
import { Terminal } from "../kit/terminal.ts";
import { alone, asJob, hungUp, nohup, play, type Scenario, type Start, shells } from "../kit/terminal-scenarios.ts";
import { ways } from "../kit/ways.ts";

beforeEach(requires("bwrap", "bash"));

const home = () => ["/usr/bin/env", "-C", homeFolder()];
const direct: Start = (...program) => [...home(), "FENCE_SANDBOX=1", ...program];
const fenced =
  (through: (typeof ways)[number]): Start =>
  (...program) => [...home(), ...launchCommand(program, { through })];

describe.for<{ readonly where: string; readonly scenarios: readonly Scenario[] }>([
  { where: "a program under a terminal", scenarios: alone },
  { where: "a program in a shell with job control", scenarios: asJob },
  { where: "an interactive shell", scenarios: shells },
])("$where is as without fence:", ({ scenarios }) => {
  for (const scenario of scenarios) {
    test(scenario.what, async () => {
      const expected = await play(scenario, direct);
      for (const way of ways) expect(await play(scenario, fenced(way)), way).toEqual(expected);
    });
  }
});

test.for(["program", "shell"] as const)("a hang-up reaches the program when a %s leads the session", async (leader) => {
  const expected = await hungUp(direct, leader);
  for (const way of ways) expect(await hungUp(fenced(way), leader), way).toEqual(expected);
});

test("nohup(1) lets it go on when the terminal is gone", async () => {
  const expected = await nohup(direct);
  for (const way of ways) expect(await nohup(fenced(way)), way).toEqual(expected);
});

test("nobody in the sandbox can type into its terminal, which is the caller's", async () => {
  for (const way of ways) {
    for (const request of ["ioctl-tiocsti", "ioctl-tioclinux"]) {
      const terminal = new Terminal(fenced(way)(probe, request));
      expect(await terminal.ended).toBe(0);
      expect(terminal.shown).toContain('"errno":"EPERM"');
    }
    const terminal = new Terminal(fenced(way)("sh", "-c", "test -t 0 && ps -o tty= -p $$"));
    expect(await terminal.ended).toBe(0);
  }
});
