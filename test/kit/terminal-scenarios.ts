/**
 * What somebody does at a terminal with a program in it. The outcome, all that was shown included, is to be the same however
 * the program is started.
 *
 * Runs:     in end-to-end tests.
 * Promises: nothing is typed before what it answers was shown, so that the outcome does not depend on time; it has neither
 *           numbers of processes nor the program's command line in it.
 */
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { arrange, editor, probe } from "./probe.ts";
import { folder, run, start as startProcess } from "./sandbox.ts";
import { key, quoted, shell, Terminal } from "./terminal.ts";

/** The command line that starts this program. */
export type Start = (...program: string[]) => readonly string[];

export interface Scenario {
  readonly what: string;
  readonly program: readonly string[];
  /** What sh(1) or an interactive shell is told, with COMMAND for what starts the program; without both it leads the session. */
  readonly script?: string;
  readonly job?: string;
  /** When the first has been shown, behind the one before, the second is typed. */
  readonly chat: Chat;
}

type Chat = readonly (readonly [string, string])[];

export interface Played {
  readonly status: number | null;
  readonly shown: string;
}

export async function play({ program, script, job, chat }: Scenario, start: Start): Promise<Played> {
  const command = quoted(start(...program));
  const filled = (text: string) => text.replaceAll("COMMAND", () => command);
  const terminal = new Terminal(
    job !== undefined ? shell : script !== undefined ? ["sh", "-c", filled(script)] : start(...program),
    "no echo",
  );
  const inShell: Chat = job === undefined ? [] : [["$ ", `${filled(job)}\n`]];
  for (const [shown, typed] of [...inShell, ...chat]) {
    await terminal.until(filled(shown));
    // A Ctrl-Z beside `fg` itself: docs/launch.md says what it does.
    if (typed === key.suspend) await terminal.settled();
    terminal.type(typed);
  }
  const status = await terminal.ended;
  const shown = terminal.shown.replaceAll(command, "COMMAND").replaceAll(/(\[\d+\]) \d+$/gm, "$1 PID");
  return { status, shown: withoutPrompts(shown) };
}

/** A shell that waits for a job in the background may hear of its stop before or while it does. */
function withoutPrompts(shown: string): string {
  return shown
    .replaceAll("$ ", "")
    .replaceAll(/^bash: warning: wait_for_job: job 1 is stopped\n/gm, "")
    .replaceAll(/\n+/g, "\n");
}

const sh = (script: string) => ["sh", "-c", script];
/** Answers each line, and ends with 5. */
const reader = "echo ready; while read a; do echo got:$a; done; exit 5";
const sleeper = "ulimit -c 0; echo ready; exec sleep 1000";

/** A shell that has shown its prompt knows how the job has ended. */
const left: Chat = [["$ ", "exit $?\n"]];
/** In a shell with job control: it has stopped, this is typed. */
const stopped = (typed: string): Chat => [
  ["Stopped", ""],
  ["$ ", typed],
];
/** The reader's answer proves that it has the terminal. */
const answers: Chat = [["COMMAND", "x\n"]];
const suspendedAndBack: Chat = [["got:x\r", key.suspend], ...stopped("fg\n"), ...answers];

/** The program leads the terminal's session, or a script that starts it does. */
export const alone: readonly Scenario[] = [
  { what: "Ctrl-C ends one that does not catch it", program: sh(sleeper), chat: [["ready\r", key.interrupt]] },
  { what: "Ctrl-\\ ends one that does not catch it", program: sh(sleeper), chat: [["ready\r", key.quit]] },
  { what: "a hang-up ends it", program: sh(sleeper), chat: [["ready\r", key.hangUp]] },
  {
    what: "keys and a new size reach one that catches them once each",
    program: sh(`stty -echo; exec ${probe} await-signals 3`),
    chat: [
      ["ready\r", key.interrupt],
      ["\n2\r", key.suspend],
      ["\n20\r", key.interrupt],
      ["\n2\r", key.resize],
      ["\n28\r", key.quit],
    ],
  },
  {
    what: "it has the terminal on all three streams, and its size",
    program: sh("test -t 0 && test -t 1 && test -t 2 && echo ready; read x; stty size"),
    chat: [
      ["ready\r", key.resize],
      ["", "\n"],
    ],
  },
  {
    // Nobody could continue it: only SIGSTOP stops a process group without a shell, setpgid(2).
    what: "an editor has keys and sizes, and does not stop",
    program: [editor, "raw"],
    chat: [
      ["ready\r", "w"],
      ["size 24x80", key.resize],
      ["resized 33x99", "l"],
      ["back 33x99", key.suspend],
      ["back 33x99", "q"],
    ],
  },
  {
    what: "keys do not reach one that ignores them as its caller did",
    program: sh(reader),
    script: "trap '' INT QUIT TSTP; exec COMMAND",
    chat: [
      ["ready\r", key.interrupt],
      ["", "x\n"],
      ["got:x\r", key.quit],
      ["", "x\n"],
      ["got:x\r", key.suspend],
      ["", "x\n"],
      ["got:x\r", key.end],
    ],
  },
  {
    what: "keys stay pending for one that blocks them as its caller did",
    program: sh(
      "echo ready; read a; while read -r k v; do [ $k = ShdPnd: ] && echo pending:$v; done < /proc/$$/status",
    ),
    script: `exec ${arrange} block 2 block 3 -- COMMAND`,
    chat: [
      ["ready\r", key.interrupt],
      ["", key.quit],
      ["", "x\n"],
    ],
  },
  {
    what: "a script goes on behind it, and has the terminal",
    program: sh(reader),
    script: "COMMAND; echo status:$?; read a; echo at last:$a",
    chat: [
      ["ready\r", "x\n"],
      ["got:x\r", key.end],
      ["status:5\r", "y\n"],
    ],
  },
  {
    what: "a script ends by the Ctrl-C that ends it",
    program: sh(sleeper),
    script: "COMMAND; echo not reached",
    chat: [["ready\r", key.interrupt]],
  },
];

/** The program is the job, or part of the job, of an interactive shell. */
export const asJob: readonly Scenario[] = [
  {
    what: "Ctrl-Z stops it and fg lets it go on, again and again",
    program: sh(reader),
    job: "COMMAND",
    chat: [
      ["ready\r", "x\n"],
      ...suspendedAndBack,
      ...suspendedAndBack,
      ...suspendedAndBack,
      ["got:x\r", key.end],
      ...left,
    ],
  },
  {
    what: "bg lets it go on until it reads, and fg brings it back",
    program: sh("echo ready; read a; echo got:$a; exec sleep 1000"),
    job: "COMMAND",
    chat: [
      ["ready\r", key.suspend],
      ...stopped("bg; wait %1; fg\n"),
      ["COMMAND &", ""],
      ...answers,
      ["got:x\r", key.interrupt],
      ...left,
    ],
  },
  ...["STOP", "TSTP", "TTIN", "TTOU"].map((signal) => ({
    what: `when it sends itself ${signal} it stops, and goes on with bg`,
    program: sh(`echo ready; kill -${signal} $$; echo w$((1 + 1))ken; exit 6`),
    job: "COMMAND",
    // On one line: a shell that prompts forgets the jobs that have ended.
    chat: [["ready\r", ""], ...stopped("bg; wait %1; exit $?\n")] satisfies Chat,
  })),
  {
    what: "an editor that catches Ctrl-Z tidies up, stops itself, and goes on with fg",
    program: [editor, "line"],
    job: "COMMAND",
    chat: [
      ["ready\r", key.suspend],
      ["tidy\r", ""],
      ...stopped("fg\n"),
      ["back", key.suspend],
      ["tidy\r", ""],
      ...stopped("fg\n"),
      ["back", "w\n"],
      ["size", "q\n"],
      ...left,
    ],
  },
  {
    what: "editors that stop themselves, or their process group, go on with fg, in the size of then",
    program: [editor, "raw"],
    job: "COMMAND",
    chat: [
      ["ready\r", "l"],
      ...stopped("fg\n"),
      ["back 24x80", key.suspend],
      ["Stopped", key.resize],
      ["$ ", "fg\n"],
      ["back 33x99", "n"],
      ...stopped("fg\n"),
      ["back", "v"],
      ...stopped("fg\n"),
      ["back", "q"],
      ...left,
    ],
  },
  {
    what: "an editor in the background stops when it sets the terminal's modes",
    program: [editor, "raw"],
    job: "COMMAND",
    chat: [
      ["ready\r", key.suspend],
      ...stopped("bg; wait %1; fg\n"),
      ["COMMAND &", ""],
      ["COMMAND", ""],
      ["back", "q"],
      ...left,
    ],
  },
  {
    what: "in the background it stops when it reads the terminal, and goes on with fg",
    program: sh("read a; echo got:$a; exit 7"),
    job: "COMMAND &",
    chat: [["[1]", ""], ["$ ", "wait %1; fg\n"], ...answers, ...left],
  },
  {
    what: "in the background it stops when it writes a terminal with tostop, and goes on with fg",
    program: sh("echo written; exit 7"),
    job: "stty tostop; COMMAND &",
    chat: [["[1]", ""], ["$ ", "wait %1; fg\n"], ["COMMAND", ""], ["written\r", ""], ...left],
  },
  {
    what: "Ctrl-C ends it, and the list of commands that it stands in",
    program: sh(sleeper),
    job: "COMMAND; echo not reached",
    chat: [["ready\r", key.interrupt], ...left],
  },
  ...["TERM", "KILL", "HUP"].map((signal) => ({
    what: `kill -${signal} %1 ends one that has been stopped, and it is no job any more`,
    program: sh(sleeper),
    job: "COMMAND",
    chat: [
      ["ready\r", key.suspend],
      ...stopped(`bg; kill -${signal} %1; wait %1; echo status $?; jobs; exit 3\n`),
    ] satisfies Chat,
  })),
  ...(
    [
      ["first", "COMMAND | sed -u s/^/2:/ | sed -u s/^/3:/", "3:2:1:x\r"],
      ["in the middle", "sed -u s/^/2:/ | COMMAND | sed -u s/^/3:/", "3:1:2:x\r"],
      ["last", "sed -u s/^/2:/ | sed -u s/^/3:/ | COMMAND", "1:3:2:x\r"],
    ] as const
  ).flatMap(([where, job, through]) =>
    (["end", "interrupt"] as const).map((last) => ({
      what: `${where} in a pipeline it stops and goes on with the others, until ${last === "end" ? "the input's end" : "Ctrl-C"}`,
      program: ["sed", "-u", "s/^/1:/"],
      job,
      chat: [
        ["", "x\n"],
        [through, key.suspend],
        ...stopped("fg\n"),
        ["COMMAND", "x\n"],
        [through, key[last]],
        ["$ ", `echo "statuses \${PIPESTATUS[*]}"\n`],
        ...left,
      ] satisfies Chat,
    })),
  ),
  {
    what: "timeout(1) outside stops and ends with it",
    program: sh(reader),
    job: "timeout 1000 COMMAND",
    chat: [["ready\r", "x\n"], ...suspendedAndBack, ["got:x\r", key.interrupt], ...left],
  },
  {
    what: "timeout(1) inside stops and ends with its own",
    program: ["timeout", "--foreground", "1000", ...sh(reader)],
    job: "COMMAND",
    chat: [["ready\r", "x\n"], ...suspendedAndBack, ["got:x\r", key.interrupt], ...left],
  },
  {
    what: "setsid(1) outside leaves it without job control, and with its streams",
    program: sh("(: < /dev/tty) 2> /dev/null || echo none; read a; echo got:$a; exit 3"),
    job: "setsid -w COMMAND",
    chat: [["none\r", "x\n"], ...left],
  },
  {
    what: "setsid(1) inside leaves its own without job control, and with its streams",
    program: ["setsid", "-w", ...sh("(: < /dev/tty) 2> /dev/null || echo none; read a; echo got:$a; exit 3")],
    job: "COMMAND",
    chat: [["none\r", "x\n"], ...left],
  },
  {
    what: "a caller that ignores and blocks SIGCHLD sees its stops and its end",
    program: sh(reader),
    job: `${arrange} ignore 17 block 17 -- COMMAND`,
    chat: [["ready\r", "x\n"], ...suspendedAndBack, ["got:x\r", key.end], ...left],
  },
];

/** Ctrl-Z, jobs, fg and Ctrl-C of a job in a shell; Ctrl-C at its prompt; it ends with 9. */
const useJobs = (leave = "exit 9"): Chat => [
  ["$ ", `sh -c '${reader}'\n`],
  ["ready\r", "x\n"],
  ["got:x\r", key.suspend],
  ...stopped("jobs\n"),
  ...stopped("fg\n"),
  ["exit 5", "x\n"], // how a shell prints it, bash and dash differently
  ["got:x\r", key.interrupt],
  ["$ ", "echo half"],
  ["", key.interrupt],
  ["$ ", `${leave}\n`],
];

/** Not in a PID namespace, where the process group that it was started in has no number: docs/launch.md. */
export const dashEnds: Scenario = {
  what: "dash ends as it is told, and gives the terminal back",
  program: ["dash", "-i"],
  chat: useJobs(),
};

/** The program is an interactive shell. */
export const shells: readonly Scenario[] = [
  { what: "bash has job control, and no complaint", program: shell, chat: useJobs() },
  { what: "dash has job control, and no complaint", program: ["dash", "-i"], chat: useJobs("kill -KILL $$") },
  {
    what: "it gives the terminal back to the shell that started it, whose own jobs stop and go on",
    program: shell,
    job: "COMMAND",
    chat: [
      ...useJobs(),
      ["$ ", "echo status:$?; read a; echo at last:$a\n"],
      ["status:9\r", "y\n"],
      ["at last:y\r", ""],
      ...useJobs("exit 3"),
    ],
  },
  {
    what: "it gives the terminal back to a script that started it",
    program: shell,
    script: "COMMAND; echo status:$?; read a; echo at last:$a",
    chat: [...useJobs(), ["status:9\r", "y\n"]],
  },
  {
    what: "that is killed gives it back too",
    program: shell,
    job: "COMMAND",
    chat: [["$ ", "kill -KILL $$\n"], ["Killed", ""], ["$ ", "read a; echo at last:$a\n"], ["", "y\n"], ...left],
  },
  {
    what: "that is suspended goes on with fg",
    program: shell,
    job: "COMMAND",
    chat: [["$ ", "suspend\n"], ...stopped("fg\n"), ["COMMAND", ""], ["$ ", "exit 9\n"], ...left],
  },
];

/** What a program gets, and how its terminal's leader ends, when the terminal is gone; which shows nothing then. */
export async function hungUp(start: Start, leader: "program" | "shell"): Promise<unknown> {
  const fifo = await fifoIn(folder(), "out");
  const output = startProcess(["cat", fifo]);
  const line = `${quoted(start(probe, "await-signals", "1"))} > ${fifo}`;
  const terminal = new Terminal(leader === "program" ? ["sh", "-c", `exec ${line}`] : shell, "no echo");
  if (leader === "shell") await terminal.until("$ ");
  if (leader === "shell") terminal.type(`${line}\n`);
  while ((await output.line()) !== "ready");
  terminal.type(key.hangUp);
  const signals = [];
  for (let signal = await output.line(); signal !== null; signal = await output.line()) signals.push(signal);
  // One that is stopped is continued as well: whether that arrives first is open.
  return { status: await terminal.ended, signals: signals.filter((signal) => signal !== "18") };
}

/** What a program answers behind nohup(1) when its terminal is gone, and the shell that started it. */
export async function nohup(start: Start): Promise<unknown> {
  const [home, script] = [folder(), "echo ready; read a; echo got:$a"];
  const [input, output] = [await fifoIn(home, "in"), await fifoIn(home, "out")];
  const answers = startProcess(["cat", output]);
  const asks = createWriteStream(input);
  const terminal = new Terminal(shell, "no echo");
  await terminal.until("$ ");
  terminal.type(`nohup ${quoted(start("sh", "-c", script))} < ${input} > ${output} 2>&1\n`);
  while ((await answers.line()) !== "ready");
  terminal.type(key.hangUp);
  const status = await terminal.ended;
  asks.end("x\n");
  return { status, answer: await answers.line(), end: await answers.line() };
}

async function fifoIn(home: string, name: string): Promise<string> {
  const path = join(home, name);
  const made = await run(["mkfifo", path]);
  if (made.status !== 0) throw new Error(made.stderr);
  return path;
}
