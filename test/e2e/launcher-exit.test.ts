import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { homeFolder, launchCommand, launched, users } from "../kit/launched.ts";
import { probe } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";
import { fence } from "../kit/sandbox.ts";
import { ways } from "../kit/ways.ts";

beforeEach(requires("bwrap"));

const noCore = ["limit", "4", "0", "0"];
/** CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG and WINCH, signal(7). */
const endsNobody = [17, 18, 19, 20, 21, 22, 23, 28];

test("a shell sees the end that it sees of a direct exec: every signal that ends a process, and exit statuses", async () => {
  const signals = Array.from({ length: 31 }, (_, i) => i + 1).filter((signal) => !endsNobody.includes(signal));
  const ends = [
    ...[...signals, 34, 64].map((signal) => `raise ${signal}`),
    "exit 0",
    "exit 125",
    "exit 126",
    "exit 127",
  ];
  const script = `ulimit -c 0; ${ends.map((end) => `"$@" ${end}; echo "${end}: $?"`).join("; ")}`;
  const [direct, ...fenced] = await Promise.all(
    (["nothing", ...ways] as const).map((through) =>
      launched(["sh", "-c", script, "sh", ...launchCommand([probe], { through })], { through: "nothing" }),
    ),
  );
  expect(direct?.stdout.match(/^.* (\d+)$/gm)).toHaveLength(ends.length);
  for (const outcome of fenced) expect(outcome).toEqual(direct);
});

describe.for(users)("as %s", (user) => {
  beforeEach(requires("root", "unprivileged bwrap", "setpriv"));

  test.for(ways)("the program's exit status is fence's, %s", async (through) => {
    for (const status of [0, 1, 127, 255]) {
      const outcome = await launched([probe, "exit", String(status)], { user, through });
      expect(outcome).toMatchObject({ status, stdout: "", stderr: "" });
      expect(outcome.reports.at(-1)).toMatchObject({ event: "ended", exit: status, signal: null });
    }
  });

  test.for(ways)("the signal that ends the program ends fence, %s", async (through) => {
    for (const signal of [2, 6, 9, 15, 64]) {
      const direct = await launched([probe, "raise", String(signal)], { user, arranged: noCore, through: "nothing" });
      expect(direct.signal).not.toBe(null);
      const outcome = await launched([probe, "raise", String(signal)], { user, arranged: noCore, through });
      expect(outcome).toMatchObject({ status: null, signal: direct.signal, stdout: "", stderr: "" });
      expect(outcome.reports.at(-1)).toMatchObject({ event: "ended", exit: null, signal });
    }
  });

  test("a program that is not there is 127, with one message, which names the sandbox", async () => {
    const outcome = await launched(["/no/such"], { user });
    expect(outcome).toMatchObject({ status: 127, stdout: "" });
    expect(outcome.stderr.split("\n")).toEqual([
      "fence: cannot run /no/such: execve: ENOENT (no such file or directory)",
      "  step:  exec (in the sandbox)",
      expect.stringContaining("  hint:  "),
      "  code:  FENCE_PROGRAM_NOT_FOUND",
      "",
    ]);
    expect(outcome.reports.at(-1)).toMatchObject({ event: "failed", code: "FENCE_PROGRAM_NOT_FOUND", exit: 127 });
  });

  test("a program that cannot run is 126, likewise", async () => {
    const home = homeFolder();
    const program = join(home, "program");
    writeFileSync(program, "not a program", { mode: 0o644 });
    const outcome = await launched([program], { user, home, options: ["--allow-read", home] });
    expect(outcome).toMatchObject({ status: 126, stdout: "" });
    expect(outcome.stderr).toContain(`fence: cannot run ${program}: execve: EACCES`);
    expect(outcome.stderr.match(/^fence: /gm)).toHaveLength(1);
    expect(outcome.stderr).toContain("  step:  exec (in the sandbox)\n");
    expect(outcome.stderr).toContain("  code:  FENCE_PROGRAM_CANNOT_RUN\n");
  });

  test("what is wrong before the start is 125, likewise, and nothing runs", async () => {
    const outcome = await launched(["echo", "started"], { user, options: ["--settings", "/no/such.json"] });
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr.match(/^fence: /gm)).toHaveLength(1);
    expect(outcome.stderr).toContain("/no/such.json");
  });
});

describe("-c", () => {
  const shell = (command: string, env = {}) => launched([], { options: ["-c", command], env });

  test("is one word for the shell of the sandbox, quotes and all", async () => {
    const command = `printf '<%s>' "a b" 'c"d' $((1 + 2)) "$A" é; echo; echo "$#"`;
    const direct = await launched(["/bin/sh", "-c", command], { through: "nothing", env: { A: "*  $B" } });
    expect(direct.stdout).toBe(`<a b><c"d><3><*  $B><é>\n0\n`);
    expect(await shell(command, { A: "*  $B" })).toMatchObject({ status: 0, stdout: direct.stdout, stderr: "" });
  });

  test("ends as the shell does", async () => {
    expect(await shell("exit 7")).toMatchObject({ status: 7, stderr: "" });
    expect(await shell("kill -KILL $$")).toMatchObject({ status: null, signal: "SIGKILL", stderr: "" });
    expect(await shell("no-such-command")).toMatchObject({ status: 127, stderr: expect.stringContaining("not found") });
    expect(await shell("(")).toMatchObject({ status: 2, stderr: expect.not.stringContaining("fence") });
    expect(await shell("")).toMatchObject({ status: 125, stderr: expect.stringContaining("-c must be followed") });
  });

  test("may begin with a hyphen", async () => {
    const outcome = await launched([], { options: ["--command=-x; echo $?; exit 9"] });
    expect(outcome).toMatchObject({ status: 9, stdout: "127\n" });
  });

  test("in a sandbox without a shell is an error that says so", async () => {
    const deny = ["/bin/sh", "/usr/bin/sh"].flatMap((path) => ["--deny-read", path]);
    const outcome = await launched([], { options: [...deny, "-c", "true"] });
    expect(outcome).toMatchObject({ status: 126, stdout: "" });
    expect(outcome.stderr).toContain("hint:  -c needs a shell in the sandbox");
    expect(outcome.stderr.match(/^fence: /gm)).toHaveLength(1);
  });

  test("beside a program is an error", async () => {
    const outcome = await launched(["true"], { options: ["-c", "true"] });
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toContain("-c");
  });
});

describe("the words of the program", () => {
  /** A program of this name that says which arguments it has. */
  function programNamed(name: string): { readonly home: string; readonly env: { readonly PATH: string } } {
    const home = homeFolder();
    writeFileSync(join(home, name), '#!/bin/sh\necho "$(basename "$0")" "$@"\n', { mode: 0o755 });
    chmodSync(home, 0o755);
    return { home, env: { PATH: `${home}:/usr/bin:/bin` } };
  }

  /** fence with exactly these words. */
  const words = (given: readonly string[], { home, env }: ReturnType<typeof programNamed>) =>
    launched([fence, ...given], { through: "nothing", home, env });

  test("behind -- are the program's, whatever they look like", async () => {
    const at = programNamed("program");
    for (const given of [
      ["--", "program", "--help"],
      ["program", "--help"],
      ["run", "program", "--help"],
    ]) {
      expect(await words(given, at)).toMatchObject({ status: 0, stdout: "program --help\n", stderr: "" });
    }
    const odd = ["-c", "x", "--", "--allow-write", "/", "-dm", "", "*"];
    expect(await words(["run", "--", "program", ...odd], at)).toMatchObject({
      status: 0,
      stdout: `program ${odd.join(" ")}\n`,
      stderr: "",
    });
  });

  test.for(["run", "check", "config", "bootstrap", "bridge", "completion"])(
    "may be called like the command %s, behind --",
    async (name) => {
      const at = programNamed(name);
      expect(await words(["--", name, "a"], at)).toMatchObject({ status: 0, stdout: `${name} a\n`, stderr: "" });
      expect(await words(["run", "--", name, "a"], at)).toMatchObject({ status: 0, stdout: `${name} a\n`, stderr: "" });
    },
  );

  test("that is missing is an error", async () => {
    for (const given of [["run"], ["run", "--"], ["--"], ["run", "--allow-read", "/usr"]]) {
      const outcome = await words(given, programNamed("program"));
      expect(outcome).toMatchObject({ status: 125, stdout: "" });
      expect(outcome.stderr).toMatch(/^fence: .*program/);
    }
  });
});

test("fence run in fence run is a clear error", async () => {
  const outcome = await launched([fence, "run", "--", probe, "exit", "0"]);
  expect(outcome).toMatchObject({ status: 125, stdout: "" });
  expect(outcome.stderr.match(/^fence: /gm)).toHaveLength(1);
  expect(outcome.stderr).toMatch(/sandbox/);
});
