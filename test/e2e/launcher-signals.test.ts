import { beforeEach, describe, expect, test } from "vitest";
import { ended, kill } from "../kit/kept-sandbox.ts";
import { type Launched, type LaunchOptions, launch, launchCommand, launched, users } from "../kit/launched.ts";
import { probe } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";
import { ways } from "../kit/ways.ts";

beforeEach(requires("root", "bwrap", "unprivileged bwrap", "setpriv"));

type Through = NonNullable<LaunchOptions["through"]>;
type Whom = "front" | "group";

const numbers = { HUP: 1, INT: 2, QUIT: 3, USR1: 10, USR2: 12, ALRM: 14, TERM: 15, CONT: 18, WINCH: 28 };
const last = 64;

/** A program that prints the number of each signal that it gets, until it gets `until`. */
async function listening(until: number, options: LaunchOptions = {}): Promise<Launched> {
  const sandbox = launch([probe, "await-signals", String(until)], options);
  expect(await sandbox.line()).toContain("await-signals");
  expect(await sandbox.line()).toBe("ready");
  return sandbox;
}

async function send(sandbox: Launched, whom: Whom, signal: number | NodeJS.Signals): Promise<void> {
  process.kill(whom === "front" ? await sandbox.front : -sandbox.group, signal);
}

/** How the program ends, and all signals that it got of those that were sent, each after the one before had arrived. */
async function heard(sent: readonly number[], whom: Whom, options: LaunchOptions): Promise<unknown> {
  const sandbox = await listening(last, options);
  for (const number of sent) {
    await send(sandbox, whom, number);
    expect(await sandbox.line()).toBe(String(number));
  }
  await send(sandbox, "front", last);
  const { status, stdout, stderr } = await sandbox.outcome;
  return { status, stderr, signals: (stdout.match(/^\d+$/gm) ?? []).map(Number) };
}

describe.for(users.flatMap((user) => ways.map((way) => ({ user, way }))))("as $user, $way", ({ user, way }) => {
  // Two that ask to end, some time apart, are no longer the program's to answer: docs/launch.md.
  const { TERM, ...others } = numbers;

  test.for(["front", "group"] as const)("each signal that is sent to its %s reaches the program once", async (whom) => {
    for (const sent of [Object.values(others), [TERM]]) {
      const expected = await heard(sent, whom, { user, through: "nothing" });
      expect(await heard(sent, whom, { user, through: way })).toEqual(expected);
    }
  });

  test.for(["HUP", "INT", "TERM", "USR1", "QUIT"] as const)(
    "SIG%s that the program does not catch ends both",
    async (name) => {
      for (const whom of ["front", "group"] as const) {
        const options = { user, through: way, arranged: ["limit", "4", "0", "0"], input: "held" } as const;
        const sandbox = launch(["/bin/cat"], options);
        expect(await sandbox.ask("ready")).toBe("ready");
        await send(sandbox, whom, `SIG${name}`);
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

describe("tools that send signals and start processes see what they see without fence:", () => {
  /** The outcome of each way is that of a direct exec. */
  async function same(outcome: (through: Through) => Promise<unknown>): Promise<void> {
    const [direct, ...fenced] = await Promise.all((["nothing", ...ways] as const).map(outcome));
    expect(fenced).toEqual(ways.map(() => direct));
  }

  /** The command is run as it stands. */
  const run = (command: readonly string[], options: LaunchOptions = {}) =>
    launched(command, { ...options, through: "nothing" });

  test.for<{ readonly what: string; readonly options: readonly string[]; readonly script: string }>([
    { what: "ends the program, and says so", options: ["0.2"], script: "exec sleep 1000" },
    { what: "kills the program", options: ["--signal=KILL", "0.2"], script: "exec sleep 1000" },
    {
      // It signals its process group: bwrap must not end before the program has.
      what: "lets the program end its own way",
      options: ["--preserve-status", "1"],
      script: "trap 'sleep 0.1; echo bye; exit 9' TERM; echo ready; while :; do sleep 0.05; done",
    },
  ])("timeout(1) $what", async ({ options, script }) => {
    await same(async (through) => {
      const program = launchCommand(["sh", "-c", script], { through });
      const { status, signal, stdout } = await run(["timeout", ...options, ...program]);
      return { status, signal, stdout }; // what a shell says of its own child is a matter of time
    });
  });

  test("timeout(1) inside", async () => {
    await same(async (through) => {
      const { status, signal, stdout, stderr } = await launched(["timeout", "0.1", "sleep", "1000"], { through });
      return { status, signal, stdout, stderr };
    });
  });

  test("nohup(1): a hang-up does not end the program", async () => {
    await same(async (through) => {
      const program = launchCommand(["/bin/cat"], { through });
      const sandbox = launch(["nohup", ...program], { through: "nothing", input: "held" });
      expect(await sandbox.ask("ready")).toBe("ready");
      await send(sandbox, "front", "SIGHUP");
      await send(sandbox, "group", "SIGHUP");
      expect(await sandbox.ask("still there")).toBe("still there");
      sandbox.end();
      return sandbox.outcome;
    });
  });

  test("setsid(1), pipelines and a program in the background", async () => {
    const script = 'echo in | "$@" | "$@" | setsid -w "$@"; "$@" < /dev/null & wait $!; exit $?';
    await same((through) => run(["bash", "-c", script, "bash", ...launchCommand(["/bin/cat"], { through })]));
  });

  test("a pipeline whose reader goes away, whose writer does, and pipefail", async () => {
    const script = [
      `"$@" yes | head -n 1; echo "\${PIPESTATUS[*]}"`,
      `true | "$@" sh -c "cat > /dev/null; exit 3" | cat; echo "\${PIPESTATUS[*]}"`,
      `set -o pipefail; "$@" sh -c "exit 4" | cat; echo $?`,
    ].join("; ");
    await same((through) => run(["bash", "-c", script, "bash", ...launchCommand([], { through })]));
  });

  test("xargs(1) runs several at once, and stops when it is told to", async () => {
    const input = Array.from({ length: 8 }, (_, i) => `${i}\n`).join("");
    await same(async (through) => {
      const echo = launchCommand(["echo"], { through });
      const { stdout, ...outcome } = await run(["xargs", "-P", "4", "-n", "1", ...echo], { input });
      return { ...outcome, lines: stdout.split("\n").toSorted() };
    });
    // 255 is what makes it give up, xargs(1); it names the command then.
    await same(async (through) => {
      const exit = launchCommand(["sh", "-c", "echo ran; exit 255"], { through });
      const { status, stdout } = await run(["xargs", "-n", "1", ...exit], { input });
      return { status, stdout };
    });
  });
});

describe("before the program has started", () => {
  test.for(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const)(
    "%s ends everything with that signal",
    async (signal) => {
      for (const through of ways) {
        for (const [whom, when] of [
          ["front", "at once"],
          ["front", "when it starts"],
          ["group", "at once"],
          ["group", "when it starts"],
        ] as const) {
          const home = { arranged: ["limit", "4", "0", "0"], through };
          const sandbox = launch(["sh", "-c", "echo started; exec sleep 1000"], home);
          await sandbox.front;
          if (when === "when it starts") await sandbox.report("starting");
          await send(sandbox, whom, signal);
          const outcome = await sandbox.outcome;
          expect(outcome, `${through}, to its ${whom}, ${when}`).toMatchObject({ status: null, signal, stderr: "" });
        }
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
