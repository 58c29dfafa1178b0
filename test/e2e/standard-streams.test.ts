import { beforeEach, describe, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { arranged, bootstrap, emptyRoot, host, type Json, type Place, run } from "../kit/sandbox.ts";

const combinations = [[], [0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]];

const places: readonly { where: string; needs: readonly string[]; place: () => Place }[] = [
  { where: "on the host", needs: [], place: () => host },
  { where: "in a root without /dev", needs: ["bwrap"], place: emptyRoot },
];

describe.for(places)("$where", ({ needs, place }) => {
  beforeEach(requires(...needs));

  test.for(combinations.map((closed) => ({ closed, are: closed.length === 0 ? "none" : closed.join(", ") })))(
    "the program finds closed what the caller left closed of 0, 1 and 2: $are",
    async ({ closed }) => {
      const start = arranged(place(), ...closed.flatMap((fd) => ["close", String(fd)]));
      const program = [start.probe, "to-descriptor", "4", "facts"];
      const without = await run(start.enter(program), { collects4: true });
      const withFence = await bootstrap(start, [], program, { collects4: true });
      const descriptors = openDescriptors(without.output4);
      expect(descriptors.slice(0, 4 - closed.length)).toEqual([0, 1, 2, 4].filter((fd) => !closed.includes(fd)));
      expect(openDescriptors(withFence.output4)).toEqual(descriptors);
      expect(withFence).toMatchObject({ status: 0, stdout: "", stderr: "" });
    },
  );

  test("with all three closed a failure of fence is still 125", async () => {
    const start = arranged(place(), "close", "0", "close", "1", "close", "2");
    expect(await bootstrap(start, ["--no-such-option"], [start.probe, "facts"])).toMatchObject({ status: 125 });
    expect(await bootstrap(start, [], ["/no/such/program"])).toMatchObject({ status: 127 });
  });

  test("a status descriptor is reported to while the standard streams are closed", async () => {
    const start = arranged(place(), "close", "0", "close", "1", "close", "2");
    const outcome = await bootstrap(start, ["--status-fd", "4"], [start.probe, "exit", "7"], { collects4: true });
    expect(outcome.status).toBe(7);
    expect(outcome.output4).toContain('"event":"ready"');
  });
});

/** There may be more: what this test runner has inherited itself. */
function openDescriptors(line: string): number[] {
  return JSON.parse(line).descriptors.map(({ fd }: Json) => fd);
}

test("the program reads the standard input that was given to fence, from its first byte", async () => {
  const input = "first line\nsecond line\n";
  const outcome = await bootstrap(host, [], ["/bin/cat"], { input });
  expect(outcome).toMatchObject({ status: 0, stdout: input, stderr: "" });
});

test("nothing of fence stands in the program's standard output or standard error", async () => {
  const outcome = await bootstrap(host, ["--env", "A=1"], ["/bin/sh", "-c", "echo out; echo err >&2"]);
  expect(outcome).toMatchObject({ status: 0, stdout: "out\n", stderr: "err\n" });
});
