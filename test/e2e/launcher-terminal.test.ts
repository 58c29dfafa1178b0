import { beforeEach, describe, expect, test } from "vitest";
import { homeFolder, launchCommand } from "../kit/launched.ts";
import { probe } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";
import { key, Terminal } from "../kit/terminal.ts";

beforeEach(requires("bwrap", "bash"));

const home = () => ["env", "-C", homeFolder()];
const ways = {
  direct: (...program: string[]) => [...home(), "FENCE_SANDBOX=1", ...program],
  fenced: (...program: string[]) => [...home(), ...launchCommand(program)],
};
type Way = (typeof ways)[keyof typeof ways];

/** What both ways show and end with must be equal, and as expected. */
async function same(scenario: (way: Way) => Promise<unknown>, expected: unknown): Promise<void> {
  const direct = await scenario(ways.direct);
  expect(direct, "without fence").toEqual(expected);
  expect(await scenario(ways.fenced), "with fence").toEqual(direct);
}

/** A program that answers each line. */
const reader = "echo ready; while read a; do echo got:$a; done; exit 5";

async function answered(terminal: Terminal): Promise<void> {
  terminal.type("x\n");
  await terminal.until("got:x");
}

const interactive = ["bash", "--norc", "--noprofile", "--noediting", "-i"];
const words = (command: readonly string[]) => command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");

/** An interactive shell, to which the command has been typed. */
async function shellWith(command: readonly string[], more = ""): Promise<Terminal> {
  const terminal = new Terminal(interactive);
  await terminal.until("$ ");
  terminal.type(`${words(command)} ${more}\n`);
  return terminal;
}

describe("a program under a terminal is as without fence:", () => {
  test("Ctrl-C and Ctrl-\\ end one that does not catch them", async () => {
    await same(
      async (way) => {
        const statuses = [];
        for (const pressed of [key.interrupt, key.quit]) {
          const terminal = new Terminal(way("sh", "-c", "ulimit -c 0; echo ready; exec sleep 1000"));
          await terminal.until("ready");
          terminal.type(pressed);
          statuses.push(await terminal.ended);
        }
        return statuses;
      },
      [130, 131],
    );
  });

  test("keys and a new size reach one that catches them once each", async () => {
    await same(
      async (way) => {
        const terminal = new Terminal(way("sh", "-c", `stty -echo; exec ${probe} await-signals 3`));
        await terminal.until("ready");
        for (const [pressed, signal] of [
          [key.interrupt, 2],
          [key.suspend, 20],
        ] as const) {
          terminal.type(pressed);
          await terminal.until(`\n${signal}\r`);
        }
        terminal.resize();
        await terminal.until("\n28\r");
        terminal.type(key.quit);
        return { status: await terminal.ended, signals: terminal.shown.match(/^\d+$/gm) };
      },
      { status: 0, signals: ["2", "20", "28", "3"] },
    );
  });

  test("it has the terminal on all three streams, and its size", async () => {
    await same(async (way) => {
      const script = "test -t 0 && test -t 1 && test -t 2 && echo ready; read x; stty size";
      const terminal = new Terminal(way("sh", "-c", script));
      await terminal.until("ready");
      terminal.resize();
      terminal.type("\n");
      await terminal.until("33 99");
      return terminal.ended;
    }, 0);
  });

  test("a hang-up of the terminal ends it", async () => {
    const terminal = new Terminal(ways.fenced("sh", "-c", "echo ready; exec sleep 1000"));
    await terminal.until("ready");
    terminal.hangUp();
    expect(await terminal.ended).toBe(129);
  });
});

describe("in a shell with job control a program is as without fence:", () => {
  test("Ctrl-Z stops it and fg lets it go on, again and again", async () => {
    await same(async (way) => {
      const terminal = await shellWith(way("sh", "-c", reader));
      await terminal.until("\nready");
      for (let i = 0; i < 3; i++) {
        // Its answer proves that it has the terminal.
        await answered(terminal);
        terminal.type(key.suspend);
        await terminal.until("Stopped");
        await terminal.until("$ ");
        terminal.type("fg\n");
      }
      await answered(terminal);
      terminal.type(key.end);
      await terminal.until("$ ");
      terminal.type("exit $?\n");
      return terminal.ended;
    }, 5);
  });

  test.for(["STOP", "TSTP", "TTIN"])("when it sends itself %s it stops, and goes on with bg", async (signal) => {
    await same(async (way) => {
      const terminal = await shellWith(way("sh", "-c", `echo ready; kill -${signal} $$; echo w$((1 + 1))ken; exit 6`));
      await terminal.until("\nready");
      await terminal.until("Stopped");
      // On one line: a shell that prompts forgets the jobs that have ended.
      terminal.type("bg; wait %1; exit $?\n");
      await terminal.until("w2ken");
      return terminal.ended;
    }, 6);
  });

  test("one that catches Ctrl-Z, tidies up and stops itself, as editors do, goes on with fg", async () => {
    const script =
      'stop() { echo ti"dy"; trap - TSTP; kill -TSTP $$; echo ba"ck"; trap stop TSTP; }; ' +
      "trap stop TSTP; echo ready; while ! read -r a; do :; done; echo got:$a; exit 4";
    await same(async (way) => {
      const terminal = await shellWith(way("bash", "-c", script));
      await terminal.until("\nready");
      terminal.type(key.suspend);
      await terminal.until("tidy");
      await terminal.until("Stopped");
      await terminal.until("$ ");
      terminal.type("fg\n");
      await terminal.until("back");
      await answered(terminal);
      await terminal.until("$ ");
      terminal.type("exit $?\n");
      return terminal.ended;
    }, 4);
  });

  test("in the background it stops when it reads the terminal, and goes on with fg", async () => {
    await same(async (way) => {
      const terminal = await shellWith(way("sh", "-c", "read a; echo got $a; exit 7"), "&");
      await terminal.until("[1]");
      terminal.type("wait %1; fg\n");
      await terminal.until("fg");
      await terminal.until("\n");
      await terminal.until("read a");
      terminal.type("hello\n");
      await terminal.until("\ngot hello");
      terminal.type("exit $?\n");
      return terminal.ended;
    }, 7);
  });

  test("Ctrl-C ends it, and the list of commands that it stands in", async () => {
    await same(
      async (way) => {
        const terminal = await shellWith(way("sh", "-c", "echo ready; exec sleep 1000"), "; echo not reached");
        await terminal.until("\nready");
        terminal.type(key.interrupt);
        await terminal.until("$ ");
        terminal.type("echo status $?\n");
        await terminal.until("\nstatus");
        await terminal.until("$ ");
        terminal.type("exit\n");
        await terminal.ended;
        return [/\nnot reached/.test(terminal.shown), /\nstatus (\d+)/.exec(terminal.shown)?.[1]];
      },
      [false, "130"],
    );
  });

  test("kill %1 ends a stopped one, and it is no job any more", async () => {
    await same(
      async (way) => {
        const terminal = await shellWith(way("sh", "-c", "echo ready; exec sleep 1000"));
        await terminal.until("\nready");
        terminal.type(key.suspend);
        await terminal.until("Stopped");
        await terminal.until("$ ");
        terminal.type("bg; kill %1; wait %1; echo status $?; jobs; exit 3\n");
        const status = await terminal.ended;
        return [status, /\nstatus (\d+)/.exec(terminal.shown)?.[1]];
      },
      [3, "143"],
    );
  });
});

describe("an interactive shell in the sandbox", () => {
  const inside = ["bash", "--norc", "--noprofile", "--noediting", "-i"];

  /** Ctrl-Z, jobs, fg and Ctrl-C of a job in it; then it ends with 9. */
  async function useJobs(terminal: Terminal): Promise<void> {
    await terminal.until("$ ");
    terminal.type(`sh -c '${reader}'\n`);
    await terminal.until("\nready");
    await answered(terminal);
    terminal.type(key.suspend);
    await terminal.until("Stopped");
    await terminal.until("$ ");
    terminal.type("jobs\n");
    await terminal.until("Stopped");
    await terminal.until("$ ");
    terminal.type("fg\n");
    await answered(terminal);
    terminal.type(key.interrupt);
    await terminal.until("$ ");
    terminal.type("exit 9\n");
  }

  test("has job control, and no complaint", async () => {
    await same(
      async (way) => {
        const terminal = new Terminal(way(...inside));
        await useJobs(terminal);
        return [await terminal.ended, /no job control|cannot set terminal/.test(terminal.shown)];
      },
      [9, false],
    );
  });

  test("gives the terminal back to the shell that started it", async () => {
    await same(async (way) => {
      const terminal = await shellWith(way(...inside));
      await useJobs(terminal);
      await terminal.until("$ ");
      terminal.type("read a; echo got $a $?\n");
      await terminal.until("\n");
      terminal.type("hello\n");
      await terminal.until("\ngot hello 0");
      await terminal.until("$ ");
      // The outer shell's own job control still works.
      terminal.type(`sh -c '${reader}'\n`);
      await terminal.until("\nready");
      await answered(terminal);
      terminal.type(key.suspend);
      await terminal.until("Stopped");
      await terminal.until("$ ");
      // The second one does not ask about a job whose end the shell has not seen yet.
      terminal.type("kill -9 %1; wait %1; exit 3; exit 3\n");
      return terminal.ended;
    }, 3);
  });

  test("gives it back to a script that started it", async () => {
    await same(async (way) => {
      const terminal = new Terminal(["sh", "-c", `${words(way(...inside))}; echo status $?; read a; echo got $a`]);
      await useJobs(terminal);
      await terminal.until("\nstatus 9");
      terminal.type("hello\n");
      await terminal.until("\ngot hello");
      return terminal.ended;
    }, 0);
  });

  test("that is killed gives it back too", async () => {
    const terminal = await shellWith(ways.fenced(...inside));
    await terminal.until("$ ");
    terminal.type("kill -KILL $$\n");
    await terminal.until("Killed");
    await terminal.until("$ ");
    terminal.type("read a; echo got $a\n");
    await terminal.until("\n");
    terminal.type("hello\n");
    await terminal.until("\ngot hello");
    terminal.type("exit 2\n");
    expect(await terminal.ended).toBe(2);
  });
});

test("nobody in the sandbox can type into its terminal, which is the caller's", async () => {
  for (const request of ["ioctl-tiocsti", "ioctl-tioclinux"]) {
    const terminal = new Terminal(ways.fenced(probe, request));
    expect(await terminal.ended).toBe(0);
    expect(terminal.shown).toContain('"errno":"EPERM"');
  }
  const terminal = new Terminal(ways.fenced("sh", "-c", "test -t 0 && ps -o tty= -p $$"));
  expect(await terminal.ended).toBe(0);
});
