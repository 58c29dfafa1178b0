import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { ended, keptSandbox, kill } from "../kit/kept-sandbox.ts";
import { requires } from "../kit/requires.ts";
import {
  arranged,
  bootstrap,
  emptyRoot,
  fenced,
  folder,
  host,
  type Place,
  run,
  start,
  unfenced,
} from "../kit/sandbox.ts";
import { container, crunNeeds } from "../kit/sandbox-oci.ts";
import { slowServer } from "../kit/slow-reader.ts";
import { alone, asJob, dashEnds, hungUp, nohup, play, type Start, shells } from "../kit/terminal-scenarios.ts";

const init = ["--init"];
const numbers = { HUP: 1, INT: 2, QUIT: 3, ABRT: 6, KILL: 9, USR1: 10, SEGV: 11, PIPE: 13, ALRM: 14, TERM: 15 };
const noCore = ["limit", "4", "0", "0"];

const unshared: Place = { ...host, enter: (command) => ["unshare", "--pid", "--fork", "--mount-proc", ...command] };

const asPid1: readonly { where: string; needs: readonly string[]; place: () => Place }[] = [
  { where: "under bwrap --as-pid-1", needs: ["bwrap"], place: () => emptyRoot("--as-pid-1") },
  { where: "under unshare", needs: ["root", "unshare"], place: () => unshared },
  { where: "under crun", needs: crunNeeds, place: container },
];

describe.for(asPid1)("as PID 1 $where", ({ needs, place }) => {
  beforeEach(requires(...needs));

  test("the exit status is the program's, which is not PID 1", async () => {
    const at = place();
    for (const status of [0, 7, 125, 255]) {
      expect(await bootstrap(at, init, [at.probe, "exit", String(status)])).toMatchObject({ status, stderr: "" });
    }
    expect(await fenced(at, init, ["facts"])).toMatchObject({ ppid: 1, sid: expect.anything() });
  });

  test("a death by a signal is 128 plus the signal", async () => {
    const at = arranged(place(), ...noCore);
    for (const [name, signal] of Object.entries(numbers)) {
      const outcome = await bootstrap(at, init, [at.probe, "raise", String(signal)]);
      expect(outcome, name).toMatchObject({ status: 128 + signal, stderr: "" });
    }
  });

  test("a failure of fence is what it is without --init", async () => {
    const at = place();
    expect(await bootstrap(at, init, ["/no/such/program"])).toMatchObject({ status: 127 });
    expect(await bootstrap(at, [...init, "--ro", "/no/such"], [at.probe, "facts"])).toMatchObject({ status: 125 });
  });
});

describe("not as PID 1", () => {
  test("exit status and death by a signal are those of a direct exec", async () => {
    const at = arranged(host, ...noCore);
    for (const action of [["exit", "7"], ...Object.values(numbers).map((signal) => ["raise", String(signal)])]) {
      const direct = await run(at.enter([at.probe, ...action]));
      const { pid: _, ...expected } = direct;
      expect(await bootstrap(at, init, [at.probe, ...action]), action.join(" ")).toMatchObject(expected);
    }
  });

  test.for([
    { what: "nothing special", steps: [] },
    { what: "SIGHUP ignored, as nohup leaves it", steps: ["ignore", "1"] },
    { what: "SIGCHLD ignored", steps: ["ignore", "17"] },
    { what: "SIGCHLD blocked and ignored", steps: ["block", "17", "ignore", "17"] },
    { what: "every signal blocked", steps: ["block-mask", "0xffffffffffffffff"] },
    { what: "inherited descriptors", steps: ["open", "5", "/", "open", "333", "/"] },
    { what: "standard descriptors closed", steps: ["close", "0", "close", "2"] },
  ])("the program's facts are those of a direct exec but for its parent: $what", async ({ steps }) => {
    const at = arranged(host, ...steps);
    const direct = await unfenced(arranged(host, "add-variable", "FENCE_SANDBOX=1", ...steps), ["facts"]);
    const { pid, ppid } = await fenced(at, init, ["facts"]);
    expect(ppid).not.toBe(direct.ppid);
    const its = { pid, ppid, parentDeathSignal: 9, noNewPrivs: 1, seccompMode: 2 };
    const facts = await fenced(at, init, ["facts"]);
    expect({ ...facts, pid, ppid }).toEqual({ ...direct, ...its });
  });

  test.for([
    { what: "ignored", steps: ["ignore", "17"] },
    { what: "blocked", steps: ["block", "17"] },
    { what: "both", steps: ["block", "17", "ignore", "17"] },
  ])("an inherited SIGCHLD that is $what loses no exit status", async ({ steps }) => {
    const at = arranged(host, ...steps);
    for (let i = 0; i < 5; i++)
      expect(await bootstrap(at, init, [at.probe, "exit", "42"])).toMatchObject({ status: 42, stderr: "" });
  });

  test("a timer that was started before reaches the program", async () => {
    const at = arranged(host, "alarm", "1");
    const wait = [at.probe, "await-signals", "14"];
    const { stdout } = await run(at.enter(wait));
    expect(stdout).toContain("ready\n14\n");
    expect(await bootstrap(at, init, wait)).toMatchObject({ status: 0, stdout });
  });

  test("timeout(1) ends the program as it ends any other", async () => {
    const after = ["timeout", "--signal=USR1", "0.5"];
    const wait = [host.probe, "await-signals", "10"];
    const direct = await run([...after, ...wait]);
    expect(direct).toMatchObject({ status: 124, stdout: expect.stringContaining("ready\n10\n") });
    const { pid: _, ...expected } = direct;
    expect(await run([...after, host.fence, "bootstrap", ...init, "--", ...wait])).toMatchObject(expected);
  });
});

describe("signals", () => {
  const last = 64;

  test.for([
    { where: "on the host", bwrap: [] },
    { where: "as PID 1", bwrap: ["--as-pid-1"] },
  ])("that are sent to the reaper reach the program once each, $where", async ({ bwrap }, context) => {
    requires("root", "bwrap")(context);
    const sandbox = await keptSandbox({ options: init, bwrap });
    const reaper = sandbox.process("init").pid;
    sandbox.tell(`exec ${host.probe} await-signals ${last}`);
    expect(await sandbox.line()).toContain("await-signals");
    expect(await sandbox.line()).toBe("ready");
    const sent = [15, 1, 2, 3, 10, 12, 18, 28, 13, 14, 40, 20];
    for (const signal of [...sent, last]) {
      process.kill(reaper, signal);
      expect(await sandbox.line()).toBe(String(signal));
    }
    sandbox.end();
    expect(await sandbox.ended).toMatchObject({ status: 0 });
  });

  test("that the program sends to its parent do not come back", async (context) => {
    requires("root", "bwrap")(context);
    const sandbox = await keptSandbox({ options: init });
    expect(await sandbox.ask("kill -TERM $PPID; echo alive")).toBe("alive");
  });

  test("the reaper's death is the program's", async (context) => {
    requires("root", "bwrap")(context);
    const sandbox = await keptSandbox({ options: init });
    const shell = sandbox.processes().find(({ command }) => command === "/bin/sh")?.pid ?? -1;
    kill(sandbox.process("init").pid, "SIGKILL");
    await ended(shell);
    expect(await sandbox.ended).toMatchObject({ status: 137 });
  });
});

describe("the reaper", () => {
  beforeEach(requires("root", "bwrap"));

  test("reaps orphans", async () => {
    const sandbox = await keptSandbox({ options: init, bwrap: ["--as-pid-1"] });
    const orphan = "sh -c 'sh -c \"exit 3\" & exit 0'; ";
    expect(await sandbox.ask(`${orphan.repeat(20)} exec ${host.probe} await-signals 64`)).toContain("await-signals");
    expect(await sandbox.line()).toBe("ready");
    const children = sandbox.processes().filter(({ command }) => command === "" || command.startsWith("sh -c"));
    await Promise.all(children.map(({ pid }) => ended(pid)));
    // It forwards first and reaps then: after the second signal, what had ended before the first is reaped.
    for (let i = 0; i < 2; i++) {
      kill(sandbox.process("init").pid, "SIGCONT");
      expect(await sandbox.line()).toBe("18");
    }
    expect(sandbox.processes().filter(({ command }) => command === "")).toEqual([]);
  });

  test("holds none of the caller's descriptors", async () => {
    const sandbox = await keptSandbox({ options: init });
    const { pid } = sandbox.process("init");
    const held = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    expect(held.map((link) => link.replace(/\d+/, "N")).toSorted()).toEqual(
      ["anon_inode:[pidfd]", "anon_inode:[signalfd]", "socket:[N]"].map((link) =>
        expect.stringMatching(
          link === "anon_inode:[pidfd]"
            ? /^(anon_inode:\[pidfd\]|pidfd:\[N\])$/
            : new RegExp(link.replaceAll(/[[\]]/g, "\\$&")),
        ),
      ),
    );
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    expect(status).toMatch(/^CapEff:\t0000000000000020$/m);
    expect(status).toMatch(/^CapPrm:\t0000000000000020$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  });

  test("lets the reader of the program's output see its end", async () => {
    const { line, ended: over } = start([
      host.fence,
      "bootstrap",
      ...init,
      "--",
      "/bin/sh",
      "-c",
      "echo x; exec >&- 2>&-; exec sleep 1000",
    ]);
    expect(await line()).toBe("x");
    expect(await line()).toBe(null);
    void over;
  });
});

describe("what the program wrote last is delivered, under --die-with-parent with --as-pid-1,", () => {
  beforeEach(requires("bwrap"));

  test.for([1 << 10, 1 << 16, 1 << 18, 1 << 20, 1 << 22])("%i bytes, as the first connection of all", async (size) => {
    for (const pauseMs of [0, 5]) {
      const path = join(folder(), "s");
      const { received } = await slowServer({ path, writableAll: true }, pauseMs);
      const root = emptyRoot("--as-pid-1", "--bind", path, "/s");
      const options = [...init, "--bridge", "tcp:127.0.0.1:4001=unix:/s"];
      const outcome = await bootstrap(root, options, ["/probe", "send-bytes", "4001", String(size)]);
      expect(outcome).toMatchObject({ status: 0, stderr: "" });
      expect(await received).toBe(size);
    }
  });

  test("unless it is told to end a second time", async (context) => {
    requires("root")(context);
    const connected = Promise.withResolvers<Socket>();
    const onConnection = (socket: Socket) => connected.resolve(socket.pause());
    const sandbox = await keptSandbox({ options: init, bwrap: ["--as-pid-1"], onConnection });
    const client = sandbox.client();
    // More than the target's socket takes: the bridge process keeps the rest.
    await new Promise((resolve) => client.write("x".repeat(1 << 18), resolve));
    await connected.promise;
    const shell = sandbox.processes().find(({ command }) => command === "/bin/sh")?.pid ?? -1;
    const reaper = sandbox.process("init").pid;
    kill(reaper, "SIGTERM");
    await ended(shell);
    kill(reaper, "SIGTERM");
    expect(await sandbox.ended).toMatchObject({ status: 143 });
    expect(await sandbox.report("ended")).toBe(null);
  });
});

describe("under a terminal, all is as without fence:", () => {
  const direct: Start = (...program) => ["/usr/bin/env", ...program];
  const reaped: Start = (...program) => ["/usr/bin/env", host.fence, "bootstrap", ...init, "--", ...program];

  for (const scenario of [...alone, ...asJob, ...shells, dashEnds]) {
    test(scenario.what, async () => {
      expect(await play(scenario, reaped)).toEqual(await play(scenario, direct));
    });
  }

  test.for(["program", "shell"] as const)(
    "a hang-up reaches the program when a %s leads the session",
    async (leader) => {
      expect(await hungUp(reaped, leader)).toEqual(await hungUp(direct, leader));
    },
  );

  test("nohup(1) lets the program go on when the terminal is gone", async () => {
    expect(await nohup(reaped)).toEqual(await nohup(direct));
  });
});
