import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Attempt, attemptsFormat, encodeAttempts } from "../../../src/plan/attempts.ts";
import { compileDriver, type Driver, type DriverName } from "./driver.ts";

const folder = mkdtempSync(join(tmpdir(), "stub-"));
afterAll(() => rmSync(folder, { recursive: true }));

function compiled(name: DriverName): () => Driver {
  let driver: Driver;
  beforeAll(() => {
    driver = compileDriver(name, folder);
  });
  return () => driver;
}

describe("the keeper", () => {
  const driver = compiled("keeper-driver");

  test("keeps its bounds whatever messages it gets", () => {
    expect(Number(driver().run(["4711", "2000"]))).toBeGreaterThan(1000);
  });
});

describe("what becomes bubblewrap", () => {
  const driver = compiled("given-driver");

  test("has what it is given where it was asked for, and whatever else it had", () => {
    expect(Number(driver().run(["4711", "3000"]))).toBeGreaterThan(500);
  });
});

describe("the attempts of --verify", () => {
  const driver = compiled("attempts-driver");
  const checked = (all: readonly Buffer[]) =>
    driver()
      .run(["check"], Buffer.concat(all.flatMap((one) => [Buffer.from(Uint32Array.of(one.length).buffer), one])))
      .trimEnd()
      .split("\n");

  const attempts = fc
    .array(fc.tuple(fc.nat({ max: 500 }), fc.array(fc.nat({ max: 5 }), { maxLength: 6 })), { maxLength: 12 })
    .map((list) =>
      list.map(([number, kinds], index): Attempt => ({ number, args: kinds.map((kind) => argument(kind, index)) })),
    );

  function argument(kind: number, index: number): Attempt["args"][number] {
    if (kind === 0) return Buffer.from("/some/path\0");
    if (kind === 1) return "own-argv";
    return kind === 2 && index > 0 ? { resultOf: index - 1 } : -kind;
  }

  test("that are encoded are accepted", () => {
    const all = fc.sample(attempts, 2000).map(encodeAttempts);
    expect(new Set(checked(all))).toEqual(new Set(["accept"]));
  });

  test("that point outside of their bytes or to a later result are refused", () => {
    const { headerBytes, kinds } = attemptsFormat;
    const one = encodeAttempts([{ number: 1, args: [Buffer.from("x")] }]);
    const spoiled = (change: (bytes: Buffer) => void): Buffer => {
      const bytes = Buffer.from(one);
      change(bytes);
      return bytes;
    };
    const all = [
      one,
      spoiled((bytes) => bytes.writeBigUInt64LE(BigInt(one.length), headerBytes + 8)),
      spoiled((bytes) => bytes.writeBigInt64LE(-1n, headerBytes + 8)),
      spoiled((bytes) => bytes.writeUInt32LE(kinds.result, headerBytes + 4)),
      spoiled((bytes) => bytes.writeUInt32LE(2, 0)),
      spoiled((bytes) => bytes.writeUInt32LE(2 ** 32 - 1, 0)),
      one.subarray(0, 7),
      Buffer.alloc(0),
    ];
    expect(checked(all)).toEqual(["accept", ...Array.from({ length: all.length - 1 }, () => "refuse")]);
  });

  test("that are accepted give the kernel no pointer but to their bytes", () => {
    expect(Number(driver().run(["12345", "200000"]))).toBeGreaterThan(1000);
  });
});

describe("the reaper", () => {
  const driver = compiled("reaper-driver");

  test.for([
    { name: "inside-once", end: "exit 3", what: "gives the program once what its group and the front got" },
    { name: "inside-alone", end: "signal 9", what: "ends a program whose front has gone" },
    {
      name: "inside-factory",
      end: "exit 7",
      what: "makes sockets for the asking, and goes on when nobody asks any more",
    },
    { name: "inside-odd-messages", end: "exit 4", what: "does nothing for a message that no front sends" },
    {
      name: "front-started-and-term",
      end: "exit 125",
      what: "passes a signal on that came with the word of the start",
    },
    { name: "front-term-before", end: "signal 15", what: "ends a sandbox without a program when it is asked to" },
    { name: "front-ignored-before", end: "signal 1", what: "but not by a signal that the caller ignores" },
    { name: "front-stop-before", end: "signal 2", what: "stops and goes on while there is no program" },
    { name: "front-asked-twice", end: "signal 9", what: "ends the sandbox when it is asked again, later" },
    { name: "front-last-words", end: "exit 6", what: "hears all that was said before the end, but stops no more" },
    { name: "front-unread", end: "exit 7", what: "hears what a sandbox said that has not read all" },
    { name: "front-odd-status", end: "exit 125", what: "takes no status that is none" },
    { name: "inside-stays-stopped", end: "exit 6", what: "continues the program only out of the stop that was meant" },
    { name: "front-mirrors-stop", end: "exit 125", what: "stops as the program has" },
    { name: "front-full", end: "exit 125", what: "never waits for a sandbox that does not listen" },
    { name: "front-launcher-answers-early", end: "exit 126", what: "ends as a launcher says that has failed" },
    { name: "front-launcher-has-left", end: "exit 126", what: "ends as a launcher has said that is gone" },
    {
      name: "front-launcher-leaves",
      end: "exit 5",
      what: "ends as bubblewrap has when the launcher leaves it at that",
    },
    { name: "front-launcher-dies", end: "exit 125", what: "does not when the launcher has just ended" },
    {
      name: "front-ignored-hangup",
      end: "exit 8",
      what: "waits for its launcher in spite of a hang-up that is ignored",
    },
    { name: "front-hangup", end: "signal 9", what: "does not wait for it when the terminal hangs up" },
  ])("$what", ({ name, end }) => {
    const { stdout, stderr } = driver().outputs([name]);
    expect(stdout).toBe(`${end}\n`);
    if (end === "exit 125")
      expect(stderr).toMatch(/^fence: the launcher has ended .*\n(.*\n)* {2}code: {2}FENCE_LAUNCH\n$/);
    else expect(stderr).toBe("");
  });
});

describe("the small parts", () => {
  const driver = compiled("units-driver");

  test("text is cut off at the end of its buffer", () => {
    expect(driver().run(["text", "7", "100000"])).toBe("");
  });

  test("nothing is left of the arguments and the environment but a title", () => {
    expect(driver().run(["arguments", "7", "50000"])).toBe("");
  });

  test("a failure's report is whole, whatever its parts", () => {
    const reports = driver().messages(["failures"]).split("\n  code:  FENCE_STUB\n");
    expect(reports.pop()).toBe("");
    expect(reports).toHaveLength(202);
    for (const report of reports)
      expect(report).toMatch(/^fence: cannot open[^\n]*\n {2}step: {2}step(\n {2}hint: {2}hint)?$/);
    expect(reports.filter((report) => report.includes("\x1b"))).toEqual([]);
    expect(reports.filter((report) => report.includes(": ENOENT"))).toHaveLength(1);
  });

  test("descriptors are kept or closed as asked, and messages come as they were sent", () => {
    expect(driver().run(["descriptors"])).toBe("");
  });

  test("other processes are seen in /proc", () => {
    expect(driver().run(["processes"])).toBe("");
  });
});
