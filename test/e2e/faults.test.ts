import { beforeEach, describe, expect, test } from "vitest";
import { forbiddenRead, runWithFault, type Scenario, type Site } from "../kit/faults.ts";
import { casesOf, killsAtAnyTime, sweep } from "../kit/faults-sweep.ts";
import { requires } from "../kit/requires.ts";

/** Every errno of every call, and a kill at each of them: several minutes. */
const isLong = process.env["FENCE_TEST_FAULTS"] === "all";
const timeout = isLong ? 3_600_000 : 300_000;

const rules = ["--ro", "/proc", "--rox", "/probe", "--chdir", "/"];
const bridges = ["--bridge", "unix:/w/l=tcp:127.0.0.1:9", "--http-proxy", "unix:/w/target"];

const plain: Scenario = { options: [...rules, ...bridges], plan: null, action: forbiddenRead };

/** A JSON plan with all that the options of `plain` lack. */
const planned: Scenario = {
  options: ["--plan-fd", "3"],
  plan: {
    version: 1,
    bridges: [{ listen: "unix:/w/l", connect: "tcp:127.0.0.1:9" }],
    rules: [
      { access: "ro", path: "/proc" },
      { access: "rox", path: "/probe" },
    ],
    connectTcp: [9],
    scopes: ["abstract-unix"],
    umask: "027",
    rlimits: { core: { soft: 0, hard: 0 } },
    capabilities: "drop",
    verify: true,
  },
  action: forbiddenRead,
};

/** P0 stays as the reaper; somebody connects, and so there is a bridge process. */
const reaped: Scenario = {
  options: ["--init", ...rules, ...bridges],
  plan: null,
  action: ["echo-tcp", "3128", "hello"],
};

describe("a system call that fails, or a process that is killed at it,", { timeout }, () => {
  beforeEach(requires("bwrap"));

  test.for<{ what: string; scenario: Scenario; isMeant?: (site: Site) => boolean; atLeast: number }>([
    { what: "with options", scenario: plain, atLeast: 250 },
    {
      what: "with a plan and --verify",
      scenario: planned,
      isMeant: ({ role }) => ["p0", "rehearsal", "setup-script"].includes(role),
      atLeast: 100,
    },
    {
      what: "with --init and a connection",
      scenario: reaped,
      isMeant: ({ role }) => ["p0", "child", "keeper", "bridges", "bridges-script"].includes(role),
      atLeast: 100,
    },
  ])(
    "$what, keeps the program from starting or does not matter, and leaves nothing behind",
    async ({ scenario, isMeant, atLeast }) => {
      const cases = await casesOf(scenario, isLong, isMeant);
      expect(cases.length).toBeGreaterThan(atLeast);
      expect(await sweep(scenario, cases)).toEqual([]);
    },
  );

  test("at each call from making a Unix socket to telling the keeper, the socket is removed", async () => {
    const { sites } = await runWithFault(plain, { kind: "none" });
    const ofSetUp = sites.filter(({ role }) => role === "setup-script");
    const made = ofSetUp.findIndex(({ call }) => call === "bind");
    const told = ofSetUp.findIndex(({ call }, at) => at > made && call === "sendmsg");
    const between = ofSetUp.slice(made, told + 1);
    expect(between.map(({ call }) => call)).toEqual(expect.arrayContaining(["bind", "listen", "sendmsg"]));
    for (const site of between) {
      const outcome = await runWithFault(plain, { kind: "kill", site });
      expect(outcome, `${site.call} ${site.occurrence}`).toMatchObject({ injected: true, exit: 125, file: false });
    }
  });

  test("whenever it is killed, leaves nothing behind, and no program without its restrictions", async () => {
    const times = Array.from(
      { length: isLong ? 400 : 12 },
      (_, i) => 500 + Math.round((i * 90_000) / (isLong ? 400 : 12)),
    );
    const roles = ["p0", "setup", "setup-node", "setup-script", "keeper", "child", "bridges"] as const;
    expect(await sweep(reaped, killsAtAnyTime(roles, times))).toEqual([]);
  });
});
