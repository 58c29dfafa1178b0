import { beforeEach, describe, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { arranged, bootstrap, emptyRoot, host, type Json, type Place } from "../kit/sandbox.ts";

async function reported(
  place: Place,
  options: readonly string[],
  program: readonly string[],
): Promise<{ status: number | null; reports: readonly Json[] }> {
  const outcome = await bootstrap(place, ["--status-fd", "4", ...options], program, { collects4: true });
  const lines = outcome.output4.split("\n");
  expect(lines.pop()).toBe("");
  return { status: outcome.status, reports: lines.map((line) => JSON.parse(line)) };
}

const events = (reports: readonly Json[]) => reports.map(({ event }) => event);

describe.for<{ where: string; needs: readonly string[]; place: () => Place }>([
  { where: "on the host", needs: [], place: () => host },
  { where: "in an empty root", needs: ["bwrap"], place: emptyRoot },
])("the status descriptor, $where,", ({ needs, place }) => {
  beforeEach(requires(...needs));

  test("tells that fence is starting, and what is applied when it is ready", async () => {
    const at = place();
    const { status, reports } = await reported(at, ["--rox", at.probe, "--scope", "signal"], [at.probe, "exit", "7"]);
    expect(status).toBe(7);
    expect(events(reports)).toEqual(["starting", "ready"]);
    const [starting, ready] = reports;
    expect(starting).toEqual({ event: "starting", version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
    expect(ready).toMatchObject({
      isolation: {
        landlock: { mode: "required", enforced: true, dropped: [], skippedPaths: [] },
        seccomp: "default",
        noNewPrivs: true,
      },
      bridges: [],
      repaired: [],
    });
    expect(ready.isolation.landlock.handled).toEqual(expect.arrayContaining(["EXECUTE", "READ_FILE", "SIGNAL"]));
    expect(ready.isolation.landlock.handled).not.toContain("CONNECT_TCP");
  });

  test("tells what is not applied", async () => {
    const at = place();
    const { reports } = await reported(at, ["--seccomp=off"], [at.probe, "exit", "0"]);
    expect(reports[1].isolation).toMatchObject({ landlock: { enforced: false, handled: [] }, seccomp: "off" });
  });

  test("tells why the program does not start, with what the message says", async () => {
    const { status, reports } = await reported(place(), [], ["/no/such/program"]);
    expect(status).toBe(127);
    expect(events(reports)).toEqual(["starting", "ready", "failed"]);
    expect(reports[2]).toEqual({
      event: "failed",
      code: "FENCE_PROGRAM_NOT_FOUND",
      exit: 127,
      message: "cannot run /no/such/program: execve: ENOENT (no such file or directory)",
      step: "exec",
      syscall: "execve",
      path: "/no/such/program",
      errno: "ENOENT",
      hint: "the program must exist inside the sandbox",
    });
  });

  test("tells what is wrong before anything is ready", async () => {
    const at = place();
    const { status, reports } = await reported(at, ["--ro", "/no/such"], [at.probe, "exit", "0"]);
    expect(status).toBe(125);
    expect(events(reports)).toEqual(["starting", "failed"]);
    expect(reports[1]).toMatchObject({
      code: "FENCE_RULE_PATH",
      exit: 125,
      step: "enforce-landlock",
      syscall: "open",
      path: "/no/such",
      errno: "ENOENT",
    });
  });

  test("tells of a wrong plan", async () => {
    const at = place();
    const outcome = await bootstrap(at, ["--status-fd", "4", "--plan-fd", "3"], [at.probe, "exit", "0"], {
      input3: '{"version":7}',
      collects4: true,
    });
    expect(outcome.status).toBe(125);
    const reports = outcome.output4
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events(reports)).toEqual(["starting", "failed"]);
    expect(reports[1]).toMatchObject({ code: "FENCE_PLAN", exit: 125 });
  });

  test("of any number is taken", async () => {
    const at = place();
    const start = arranged(at, "move", "4", "99");
    const outcome = await bootstrap(start, ["--status-fd", "99"], [at.probe, "exit", "7"], { collects4: true });
    expect(outcome).toMatchObject({ status: 7, stderr: "" });
    expect(outcome.output4).toContain('"event":"ready"');
  });
});

test("--debug says on standard error what is done, and nothing else changes", async () => {
  const outcome = await bootstrap(host, ["--debug"], [host.probe, "exit", "7"]);
  expect(outcome).toMatchObject({ status: 7, stdout: "" });
  expect(outcome.stderr).toMatch(/^(fence: debug: .*\n)+$/);
});
