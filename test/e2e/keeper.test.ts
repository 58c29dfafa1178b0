import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { ended, type KeptSandbox, keptSandbox, kill, threads, unstartedSandbox } from "../kit/kept-sandbox.ts";
import { probe, tracer } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";
import { fence, type Json, json, run } from "../kit/sandbox.ts";

beforeEach(requires("root", "bwrap", "setpriv"));

const procFile = (pid: number, name: string) => readFileSync(`/proc/${pid}/${name}`, "latin1");

/** The fields of /proc/PID/task/TID/status. */
function statusOf(pid: number, tid = pid): Readonly<Record<string, string>> {
  const lines = procFile(pid, `task/${tid}/status`).matchAll(/^(\w+):\s*(.*)$/gm);
  return Object.fromEntries([...lines].map(([, name = "", value = ""]) => [name, value]));
}

/** The set-up has ended, or ends before this settles. */
async function setUpGone(sandbox: KeptSandbox): Promise<void> {
  const setUps = sandbox
    .processes()
    .filter(({ command }) => command.startsWith(fence) || command === "fence: set-up" || command === "");
  await Promise.all(setUps.map(({ pid }) => ended(pid)));
}

describe("a program that never connects", () => {
  test("costs no Node: beside it there are a few pages of the keeper", async () => {
    const sandbox = await keptSandbox();
    await setUpGone(sandbox);
    // One that has ended, and that nobody has waited for, has no command line.
    const ours = sandbox.processes().filter(({ command }) => !/^(bwrap\b|\/bin\/sh$|$)/.test(command));
    expect(ours.map(({ command }) => command)).toEqual(["fence: keeper"]);
    const [, pss] = /^Pss:\s+(\d+) kB$/m.exec(procFile(sandbox.process("keeper").pid, "smaps_rollup")) ?? [];
    expect(Number(pss)).toBeGreaterThan(0);
    expect(Number(pss)).toBeLessThan(256);
  });

  test("has its bridges' end reported all the same", async () => {
    const sandbox = await keptSandbox();
    sandbox.end();
    const none = { accepted: 0, refused: 0, open: 0, bytesToTarget: 0, bytesToClient: 0 };
    expect(await sandbox.report("ended")).toEqual({ event: "ended", bridges: [{ ...sandbox.bridge, ...none }] });
    expect(await sandbox.ended).toMatchObject({ status: 0, stderr: "" });
  });

  test.for([{ options: [] }, { options: ["--init"] }])("leaves no socket behind, $options", async ({ options }) => {
    const sandbox = await keptSandbox({ options });
    expect(statSync(sandbox.listener).isSocket()).toBe(true);
    sandbox.end();
    await sandbox.ended;
    expect(readdirSync(sandbox.shared)).toEqual(["target"]);
  });
});

describe("the bridge process", () => {
  test("is started by the first connection, and serves the next ones too", async () => {
    const sandbox = await keptSandbox();
    expect(sandbox.count("bridge")).toBe(0);
    expect(await sandbox.exchange("first")).toBe("first");
    const { pid } = sandbox.process("bridge");
    expect(await sandbox.exchange("second")).toBe("second");
    expect(sandbox.process("bridge").pid).toBe(pid);
    sandbox.end();
    expect(await sandbox.report("ended")).toMatchObject({ bridges: [{ accepted: 2, bytesToTarget: 11 }] });
  });

  test("has no capability and no way to get one, in all of its threads, and is a session of the keeper's", async () => {
    const sandbox = await keptSandbox();
    await sandbox.exchange("x");
    const [bridge, keeper] = [sandbox.process("bridge").pid, sandbox.process("keeper").pid];
    const none = "0000000000000000";
    const stripped = { CapInh: none, CapPrm: none, CapEff: none, CapAmb: none, NoNewPrivs: "1" };
    expect(threads(bridge).length).toBeGreaterThan(2); // V8 has one besides, and a clock
    for (const thread of threads(bridge)) {
      expect(statusOf(bridge, thread)).toMatchObject({ ...stripped, Seccomp: "2" });
    }
    expect(statusOf(keeper)).toMatchObject({ ...stripped, Threads: "1", SigBlk: "fffffffffffbfeff" });
    const sessionOf = (pid: number) => procFile(pid, "stat").split(") ")[1]?.split(" ")[3];
    expect(sessionOf(bridge)).toBe(sessionOf(keeper));
  });

  // libuv makes a worker when it first needs one, out of such a thread, and clone(2) copies the domain.
  test("can read no file, from none of its threads", async () => {
    const sandbox = await keptSandbox();
    await sandbox.exchange("x");
    const { pid } = sandbox.process("bridge");
    const open = async (thread: number) => json(await run([tracer, "open", String(thread), "/etc/passwd"]));
    const names = threads(pid).map((thread) => procFile(pid, `task/${thread}/comm`).trim());
    expect(names).toContain("node-MainThread");
    for (const [index, thread] of threads(pid).entries()) {
      expect(await open(thread), names[index]).toEqual({ errno: "EACCES" });
    }
    expect(await open(sandbox.process("keeper").pid)).toEqual({ errno: 0 });
    expect(await sandbox.exchange("it still works")).toBe("it still works");
  });

  test("opens no debugger when it is asked to by signal", async () => {
    const sandbox = await keptSandbox();
    await sandbox.exchange("x");
    const caught = Number.parseInt(statusOf(sandbox.process("bridge").pid)["SigCgt"]?.slice(-8) ?? "", 16);
    const [usr1, term] = [1 << 9, 1 << 14];
    expect([caught & usr1, caught & term]).toEqual([0, term]);
  });
});

/** What the program may do to a process: its errno by the name of the attempt. */
async function attempts(sandbox: KeptSandbox, pid: number): Promise<Json> {
  const outcomes: Json = {};
  for (const action of ["attach", "seize", "read-memory"]) {
    outcomes[action] = JSON.parse(await sandbox.ask(`${probe} ${action} ${pid}`)).errno;
  }
  for (const file of ["mem", "environ", "maps"]) {
    outcomes[file] = JSON.parse(await sandbox.ask(`${probe} open-read /proc/${pid}/${file}`)).errno;
  }
  return outcomes;
}

const denied = { attach: "EPERM", seize: "EPERM", "read-memory": "EPERM", mem: "EACCES" };
const hidden = { environ: "EACCES", maps: "EACCES" };
const allowed = { attach: 0, seize: 0, "read-memory": "EFAULT", mem: 0, environ: 0, maps: 0 };

describe("the program", () => {
  test.for([
    {
      what: "of no privilege, without a filter and a ruleset",
      user: "nobody",
      options: ["--seccomp=off"],
      expected: { ...denied, ...hidden },
    },
    // CAP_PERFMON of the host's root may look at maps and environ, proc(5).
    {
      what: "of all privileges, with a ruleset",
      user: "root",
      options: ["--seccomp=off", "--rwx", "/"],
      expected: denied,
    },
  ] as const)(
    "$what, can trace and read neither the keeper nor the bridge process",
    async ({ user, options, expected }) => {
      for (const more of [[], ["--init"]]) {
        const sandbox = await keptSandbox({ user, options: [...options, ...more] });
        await sandbox.exchange("x");
        for (const role of ["keeper", "bridge", ...(more.length > 0 ? (["init"] as const) : [])] as const) {
          const outcomes = await attempts(sandbox, sandbox.process(role).inner);
          expect(outcomes, role).toMatchObject(expected);
        }
        // Not before its exec, whose SIGTRAP would end it when the tracer has ended.
        const execed = "until grep -q ^sleep /proc/$!/cmdline; do :; done";
        const other = Number(await sandbox.ask(`sleep 1000 & ${execed}; echo $!`));
        expect(await attempts(sandbox, other)).toEqual(allowed);
        sandbox.tell(`kill ${other}`);
      }
    },
  );

  test("finds that the keeper, the bridge process and the reaper are not dumpable", async () => {
    const sandbox = await keptSandbox({ user: "nobody", options: ["--init"] });
    await sandbox.exchange("x");
    const owner = (pid: number) => statSync(`/proc/${pid}/environ`).uid;
    for (const role of ["keeper", "bridge", "init"] as const) expect(owner(sandbox.process(role).pid), role).toBe(0);
    const shell = sandbox.processes().find(({ command }) => command === "/bin/sh")?.pid ?? -1;
    expect(owner(shell)).toBe(65534);
  });

  test("finds that none of them keeps its directory busy", async () => {
    const sandbox = await keptSandbox({ options: ["--init"], bwrap: ["--chdir", "/usr"] });
    await sandbox.exchange("x");
    const directory = (pid: number) => readlinkSync(`/proc/${pid}/cwd`);
    for (const role of ["keeper", "bridge", "init"] as const) expect(directory(sandbox.process(role).pid)).toBe("/");
    expect(await sandbox.ask("pwd")).toBe("/usr");
  });

  test("under --scope signal can signal neither of them", async () => {
    for (const [options, errno] of [[["--scope", "signal"], "EPERM"] as const, [[], 0] as const]) {
      const sandbox = await keptSandbox({ user: "nobody", options });
      await sandbox.exchange("x");
      for (const role of ["keeper", "bridge"] as const) {
        const outcome = await sandbox.ask(`${probe} kill ${sandbox.process(role).inner} 0`);
        expect(JSON.parse(outcome), role).toMatchObject({ errno });
      }
    }
  });
});

describe("a secret", () => {
  const secret = "SwordFish-4711";

  /** Who shows it, while the program runs and after the bridge process has started. */
  async function shownBy(sandbox: KeptSandbox): Promise<readonly string[]> {
    await sandbox.exchange("x");
    await setUpGone(sandbox);
    return sandbox
      .processes()
      .filter(({ pid }) => ["cmdline", "environ"].some((file) => procFile(pid, file).includes(secret)))
      .map(({ command }) => command.split(" ")[0] ?? "");
  }

  test.for([{ init: false }, { init: true }])("of a plan is shown by the program alone, $init", async ({ init }) => {
    const plan = { version: 1, init, env: { TOKEN: secret } };
    const sandbox = await keptSandbox({ plan });
    expect(await sandbox.ask("echo $TOKEN")).toBe(secret);
    expect(await shownBy(sandbox)).toEqual(["/bin/sh"]);
  });

  test("of an option is shown by none of our processes, and by nobody with --init as PID 1", async () => {
    const options = ["--init", "--env", `TOKEN=${secret}`];
    const sandbox = await keptSandbox({ options, bwrap: ["--as-pid-1"] });
    expect(sandbox.process("init").inner).toBe(1);
    expect(await shownBy(sandbox)).toEqual(["/bin/sh"]);
    // The twin: bwrap's own PID 1 shows its arguments.
    const other = await keptSandbox({ options });
    expect((await shownBy(other)).toSorted()).toEqual(["/bin/sh", "bwrap"]);
  });

  test("of a variable that is unset for the program is shown by nobody with --init as PID 1", async () => {
    const options = ["--init", "--unset-env", "TOKEN"];
    const sandbox = await keptSandbox({ options, bwrap: ["--as-pid-1"], env: { TOKEN: secret } });
    expect(await shownBy(sandbox)).toEqual([]);
  });
});

describe("when the bridge process crashes", () => {
  /** A connection that is served, and whose bridge process is then ended by the signal. */
  async function crash(sandbox: KeptSandbox, signal: NodeJS.Signals): Promise<Json> {
    expect(await sandbox.exchange("alive")).toBe("alive");
    kill(sandbox.process("bridge").pid, signal);
    return await sandbox.report("bridges-crashed");
  }

  test("that is reported, the next connection starts another, and after five times clients are refused", async () => {
    const sandbox = await keptSandbox();
    const keeper = sandbox.process("keeper").pid;
    for (const [signal, number, restartsLeft] of [
      ["SIGKILL", 9, 4],
      ["SIGSEGV", 11, 3],
      ["SIGABRT", 6, 2],
      ["SIGKILL", 9, 1],
      ["SIGKILL", 9, 0],
    ] as const) {
      const report = { event: "bridges-crashed", exit: null, signal: number, restartsLeft };
      expect(await crash(sandbox, signal)).toEqual(report);
    }
    expect(await sandbox.exchange("refused")).toMatch(/^(ECONNREFUSED|ENOENT)$/);
    expect(sandbox.count("bridge")).toBe(0);
    // A keeper that polls in vain would have been switched to many times.
    expect(Number(statusOf(keeper)["voluntary_ctxt_switches"])).toBeLessThan(100);
    sandbox.end();
    expect(await sandbox.ended).toMatchObject({ status: 0 });
    expect(readdirSync(sandbox.shared)).toEqual(["target"]);
  });

  test("while a client waits, that client is served by the next one", async () => {
    const sandbox = await keptSandbox();
    await sandbox.exchange("x");
    const { pid } = sandbox.process("bridge");
    kill(pid, "SIGSTOP");
    const waiting = sandbox.exchange("waited");
    kill(pid, "SIGKILL");
    expect(await sandbox.report("bridges-crashed")).toMatchObject({ signal: 9 });
    expect(await waiting).toBe("waited");
  });

  test("after a listener's file was replaced, what took its place is left alone", async () => {
    const sandbox = await keptSandbox();
    for (let i = 0; i < 5; i++) await crash(sandbox, "SIGKILL");
    await sandbox.ask(`rm -f ${sandbox.listener}; python3 -c '
import socket
socket.socket(socket.AF_UNIX).bind("${sandbox.listener}")' && echo done`);
    sandbox.end();
    await sandbox.ended;
    expect(statSync(sandbox.listener).isSocket()).toBe(true);
  });
});

describe("at the end", () => {
  test("the program's end ends all, and removes the listener's socket but not what has taken its place", async () => {
    const sandbox = await keptSandbox();
    await sandbox.exchange("x");
    expect(await sandbox.ask(`rm ${sandbox.listener}; echo precious > ${sandbox.listener}; echo done`)).toBe("done");
    sandbox.end();
    expect(await sandbox.ended).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(sandbox.listener, "utf8")).toBe("precious\n");
  });

  test.for(["SIGKILL", "SIGTERM", "SIGABRT"] as const)("the program's death by %s does the same", async (signal) => {
    for (const options of [[], ["--init"]]) {
      const sandbox = await keptSandbox({ options });
      await sandbox.exchange("x");
      const shell = sandbox.processes().find(({ command }) => command === "/bin/sh")?.pid ?? -1;
      kill(shell, signal);
      expect(await sandbox.report("ended")).toMatchObject({ bridges: [{ accepted: 1 }] });
      expect((await sandbox.ended).status).toBe({ SIGKILL: 137, SIGTERM: 143, SIGABRT: 134 }[signal]);
      expect(readdirSync(sandbox.shared)).toEqual(["target"]);
    }
  });

  test("without its keeper the bridge process delivers what it holds, and ends", async () => {
    const received = Promise.withResolvers<string>();
    const onConnection = (socket: Socket) => {
      socket.write("connected");
      text(socket).then(received.resolve, received.reject);
    };
    const sandbox = await keptSandbox({ onConnection });
    const client = sandbox.client();
    await once(client, "data");
    const { pid } = sandbox.process("bridge");
    await new Promise((resolve) => client.write("x".repeat(100_000), resolve)); // to its kernel
    kill(sandbox.process("keeper").pid, "SIGKILL");
    expect((await received.promise).length).toBe(100_000);
    await ended(pid);
    expect(await sandbox.ask("echo the program goes on")).toBe("the program goes on");
    expect(await sandbox.exchange("refused")).toBe("ECONNREFUSED");
  });

  test("a daemon keeps its bridges, and when it is gone all ends at once", async () => {
    const sandbox = await keptSandbox();
    const fifo = join(sandbox.shared, "fifo");
    const daemon = Number(await sandbox.ask(`mkfifo ${fifo}; cat ${fifo} > /dev/null & echo $!`));
    const inside = sandbox.processes().find(({ inner }) => inner === daemon)?.pid ?? -1;
    const shell = sandbox.processes().find(({ command }) => command === "/bin/sh")?.pid ?? -1;
    sandbox.end();
    await ended(shell);
    expect(await sandbox.exchange("for the daemon")).toBe("for the daemon");
    kill(inside, "SIGKILL");
    expect(await sandbox.ended).toMatchObject({ status: 0 });
    expect(readdirSync(sandbox.shared).toSorted()).toEqual(["fifo", "target"]);
  });

  test("a daemon that does not use its bridges for a while loses them", async () => {
    const [used, unused] = await Promise.all([keptSandbox(), keptSandbox()]);
    await used.exchange("x");
    for (const sandbox of [used, unused]) await sandbox.ask("sleep 1000 > /dev/null & echo started");
    const processes = [used.process("bridge"), used.process("keeper"), unused.process("keeper")];
    for (const sandbox of [used, unused]) sandbox.end();
    await Promise.all(processes.map(({ pid }) => ended(pid)));
    for (const sandbox of [used, unused]) expect(existsSync(sandbox.listener)).toBe(false);
  });
});

describe("a kill of any process at any time leaves nothing behind:", () => {
  const victims = ["program", "keeper", "bridge", "init", "set-up"] as const;

  function victimIn(sandbox: KeptSandbox, victim: (typeof victims)[number]): number | undefined {
    const commands = { program: "/bin/sh", keeper: "fence: keeper", bridge: "fence: bridge", init: "fence: init" };
    const found = sandbox.allProcesses();
    if (victim !== "set-up") return found.find(({ command }) => command === commands[victim])?.pid;
    return found.findLast(({ command }) => command.startsWith(fence))?.pid;
  }

  test.for(victims)("the %s", { timeout: 120_000 }, async (victim) => {
    const random = generator(victims.indexOf(victim) + 1);
    for (let round = 0; round < 24; round++) {
      const init = victim === "init" || round % 2 === 1 ? ["--init"] : [];
      const options = round % 4 < 2 ? init : [...init, "--verify"];
      const sandbox = await unstartedSandbox({ options });
      // Any moment of the some 100 ms that it all takes; no event stands for it.
      await delay(random() * (victim === "set-up" ? 60 : 150));
      if (existsSync(sandbox.listener) && random() < 0.7) sandbox.client().end("x");
      if (random() < 0.5) await delay(random() * 60);
      const pid = victimIn(sandbox, victim);
      if (pid !== undefined) kill(pid, "SIGKILL");
      sandbox.end();
      await sandbox.ended;
      // Only the keeper knows the file.
      if (victim !== "keeper" || pid === undefined)
        expect(readdirSync(sandbox.shared), `round ${round}`).toEqual(["target"]);
    }
  });

  test("the set-up, when all is ready: the program has its bridges, or does not start", async () => {
    for (let round = 0; round < 30; round++) {
      const isFirst = round % 3 === 0; // PID 1, whose end is the sandbox's
      const options = round % 2 === 0 ? [] : ["--init"];
      const sandbox = await unstartedSandbox({ options, bwrap: isFirst ? ["--as-pid-1"] : [] });
      await sandbox.report("ready");
      // The waiting process has the same arguments, but one thread.
      const setUp = sandbox.allProcesses().find(({ command, threads }) => command.startsWith(fence) && threads > 1);
      if (setUp !== undefined) kill(setUp.pid, "SIGKILL");
      const answer = await sandbox.ask("echo started");
      if (answer === "started") expect(await sandbox.exchange("x"), `round ${round}`).toBe("x");
      sandbox.end();
      expect((await sandbox.ended).status).toBe(answer === "started" ? 0 : 125);
      const isAlone = isFirst && round % 2 === 0; // a program that is PID 1 takes the keeper along
      if (answer !== "started" || !isAlone) expect(readdirSync(sandbox.shared), `round ${round}`).toEqual(["target"]);
    }
  });

  /** Numbers from 0 to 1 that are the same each time. */
  function generator(seed: number): () => number {
    let state = seed;
    return () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
  }
});
