import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { arranged, bootstrap, emptyRoot, fenced, folder, host, type Place, run, unfenced } from "../kit/sandbox.ts";

const places: readonly { where: string; needs: readonly string[]; place: (...bwrapArgs: string[]) => Place }[] = [
  { where: "on the host", needs: [], place: () => host },
  { where: "in an empty root", needs: ["bwrap"], place: emptyRoot },
];

/** Each byte but 0, which ends a string. */
const everyByte = Buffer.from(Array.from({ length: 255 }, (_, i) => i + 1)).toString("latin1");

function stringsFile(strings: readonly string[]): string {
  const path = join(folder(), "strings");
  writeFileSync(path, `${strings.join("\0")}\0`, "latin1");
  return path;
}

/** The file where the place has it. */
function bound(place: (...bwrapArgs: string[]) => Place, path: string): { place: Place; at: string } {
  const entered = place("--ro-bind", path, "/strings");
  return { place: entered, at: entered.probe === host.probe ? path : "/strings" };
}

/** fence appends its one variable; so does the twin. */
const fencesVariable = ["add-variable", "FENCE_SANDBOX=1"];

describe.for(places)("$where", ({ needs, place: makePlace }) => {
  beforeEach(requires(...needs));

  test("an environment of 1 MB reaches the program byte for byte", async () => {
    const large = Array.from({ length: 8 }, (_, i) => `LARGE_${i}=${everyByte.repeat(450)}`);
    const many = Array.from({ length: 2500 }, (_, i) => `MANY_${i}=${"x".repeat(40)}\xff`);
    const odd = ["NAME_ONLY", "=", "EMPTY=", "TWICE=1", "TWICE=2", "\xfe\xff=\x80", "=LEADING=x"];
    const variables = [...large, ...many, ...odd];
    expect(variables.join("\0").length).toBeGreaterThan(1_000_000);

    const { place, at } = bound(makePlace, stringsFile(variables));
    const without = await unfenced(arranged(place, "environment", at, ...fencesVariable), ["facts"]);
    const withFence = await fenced(arranged(place, "environment", at), [], ["facts"]);
    const { envc, envHash } = without;
    expect(envc).toBe(variables.length + 1);
    expect(withFence).toMatchObject({ envc, envHash });
  });

  test("20,000 arguments reach the program byte for byte", async () => {
    const words = Array.from({ length: 20_000 }, (_, i) => `argument ${i} \xff`);
    const { place, at } = bound(makePlace, stringsFile(words));
    const start = arranged(place, "arguments", at);
    const { argc, argvHash } = await unfenced(start, ["facts"]);
    expect(argc).toBe(20_002);
    expect(await fenced(start, [], ["facts"])).toMatchObject({ argc, argvHash });
  });

  test("arguments of any bytes reach the program, whatever options they look like", async () => {
    const words = [everyByte, "", "--", "--ro", "--plan=x", "-", "\xff", "\xc3\x28", "a b", "\n", "--help"];
    const { place, at } = bound(makePlace, stringsFile(words));
    const start = arranged(place, "arguments", at);
    const expected = [start.probe, "argv-raw", ...words].map((word) => Buffer.from(word, "latin1").toString("hex"));
    expect((await fenced(start, [], ["argv-raw"])).argv).toEqual(expected);
  });

  test.for([
    { limit: "256 KB", soft: 256 << 10 },
    { limit: "unlimited", soft: -1 },
  ])("with a stack limit of $limit the program runs and has the same limit", async ({ soft }) => {
    const stack = ["limit", "3", String(soft), "-1"];
    const start = arranged(makePlace(), ...stack);
    const { rlimits } = await unfenced(start, ["facts"]);
    expect(rlimits.STACK[0]).toBe(soft === -1 ? "unlimited" : String(soft));
    expect(await fenced(start, [], ["facts"])).toMatchObject({ rlimits, errno: 0 });
  });

  test("6,000 arguments fit beside a stack limit of 256 KB", async () => {
    const words = Array.from({ length: 6000 }, (_, i) => String(i));
    const { place, at } = bound(makePlace, stringsFile(words));
    const start = arranged(place, "limit", "3", String(256 << 10), "-1", "arguments", at);
    const { argc, argvHash } = await unfenced(start, ["facts"]);
    expect(await fenced(start, [], ["facts"])).toMatchObject({ argc, argvHash });
  });

  test("with a limit of 24 open files the program runs and has the same limit", async () => {
    const start = arranged(makePlace(), "limit", "7", "24", "24");
    expect((await fenced(start, [], ["facts"])).rlimits.NOFILE).toEqual(["24", "24"]);
  });

  test("with a limit of 8 open files fence says so and the program does not start", async () => {
    const start = arranged(makePlace(), "limit", "7", "8", "8");
    const outcome = await bootstrap(start, [], [start.probe, "facts"]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toContain("the limit on open files is too low");
    expect(outcome.stderr).toMatch(/hint: {2}raise it to at least \d+: ulimit -n/);
    expect(await unfenced(start, ["facts"])).toMatchObject({ errno: 0 });
  });
});

test("the limit on open files that a message names is enough", async () => {
  const starved = arranged(host, "limit", "7", "8", "8");
  const { stderr } = await bootstrap(starved, [], [host.probe, "facts"]);
  const named = /at least (\d+)/.exec(stderr)?.[1] ?? "none";
  const outcome = await bootstrap(arranged(host, "limit", "7", named, named), [], [host.probe, "exit", "42"]);
  expect(outcome).toMatchObject({ status: 42, stderr: "" });
});

test("with a limit of 20 open files, too few for Node, fence says so and the program does not start", async () => {
  const start = arranged(host, "limit", "7", "20", "20");
  const outcome = await bootstrap(start, [], [host.probe, "facts"]);
  expect(outcome).toMatchObject({ status: 125, stdout: "" });
  expect(outcome.stderr).toContain("open files");
});

test("with a limit on the size of files fence says so and the program does not start", async () => {
  const start = arranged(host, "limit", "1", "0", "0");
  const outcome = await bootstrap(start, [], [host.probe, "facts"]);
  expect(outcome).toMatchObject({ status: 125, stdout: "" });
  expect(outcome.stderr).toMatch(/EFBIG|size of files|file size/);
});

test("an environment that grows too large for execve(2) is reported, with 126", async () => {
  const variables = Array.from({ length: 14 }, (_, i) => `LARGE_${i}=${"x".repeat(130_000)}`);
  const start = arranged(host, "environment", stringsFile(variables));
  const env = { ONE: "x".repeat(130_000), TWO: "x".repeat(130_000), THREE: "x".repeat(130_000) };
  const grown = await bootstrap(start, ["--plan-fd", "3"], [host.probe, "exit", "42"], {
    input3: JSON.stringify({ version: 1, env }),
  });
  expect(grown).toMatchObject({ status: 126, stdout: "" });
  expect(grown.stderr).toMatch(/execve: E2BIG .*: its arguments and environment together are too large/);
  expect(await bootstrap(start, [], [host.probe, "exit", "42"])).toMatchObject({ status: 42, stderr: "" });
});

describe("without address space randomization", () => {
  beforeEach(requires("setarch"));

  const noRandomization: Place = { ...host, enter: (command) => ["setarch", "--addr-no-randomize", ...command] };

  test("the program runs, and keeps that personality", async () => {
    const query = ["syscall", process.arch === "x64" ? 135 : 92, "0xffffffff"];
    const withFence = await fenced(noRandomization, [], query);
    expect(withFence).toEqual(await unfenced(noRandomization, query));
    expect(withFence.result).not.toEqual((await unfenced(host, query)).result);
  });

  test("with the legacy memory layout the program runs too", async () => {
    const legacy = ["setarch", "--addr-no-randomize", "--addr-compat-layout"];
    const outcome = await run([...legacy, host.fence, "bootstrap", host.probe, "exit", "42"]);
    expect(outcome).toMatchObject({ status: 42, stderr: "" });
  });
});

test("a set-up that may not make threads is ended, and the program does not start", async (context) => {
  requires("root", "setpriv")(context); // a user of its own: the limit counts all processes of a user
  const asNewUser = ["setpriv", "--reuid", "64321", "--regid", "64321", "--clear-groups", "--"];
  const start = { ...host, enter: (command: readonly string[]) => [...asNewUser, ...command] };
  const limited = arranged(start, "limit", "6", "4", "4");
  const outcome = await bootstrap(limited, [], [host.probe, "exit", "42"]);
  expect(outcome).toMatchObject({ status: 125, stdout: "" });
  expect(outcome.stderr).toContain("could start no thread (ulimit -u");
});
