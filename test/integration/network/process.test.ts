import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import addon from "landlock-napi/addon";
import { describe, expect, onTestFinished } from "vitest";
import { messagePair, protocol, sendMessage } from "../../../src/sys/protocol.ts";
import { received, whole } from "../../kit/bytes.ts";
import { type NetworkStage, test, ways } from "../../kit/network-part.ts";
import { requires } from "../../kit/requires.ts";
import { fence, folder } from "../../kit/sandbox.ts";

const hello = Buffer.from("hello");
const echo = (socket: Socket) => void socket.pipe(socket);

describe("the process", () => {
  test("has no capabilities, no way to get some, a filter, no core file and bounded memory", async ({ stage }) => {
    const pid = await servingPid(stage);
    const status = fields(readFileSync(`/proc/${pid}/status`, "utf8"));
    expect(status).toMatchObject({ NoNewPrivs: "1", Seccomp: "2", Seccomp_filters: "1" });
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) expect(status[set]).toBe("0".repeat(16));
    const limits = readFileSync(`/proc/${pid}/limits`, "utf8");
    expect(limits).toMatch(/^Max core file size +0 +0 /m);
    expect(limits).toMatch(/^Max data size +805306368 +805306368 /m);
  });

  test("leads a session of its own, without the terminal", async ({ stage }) => {
    const pid = await servingPid(stage);
    const [, session, terminal] =
      /^\d+ \(.*\) \S+ \d+ \d+ (\d+) (-?\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1")) ?? [];
    expect([session, terminal]).toEqual([String(pid), "0"]);
  });

  test("has neither arguments nor an environment", async ({ stage }) => {
    const pid = await servingPid(stage);
    expect(readFileSync(`/proc/${pid}/cmdline`, "latin1").replace(/\0+$/, "")).toBe("fence: network");
    expect(readFileSync(`/proc/${pid}/environ`, "latin1").replace(/\0+$/, "")).toBe("");
  });

  test("inherits no descriptor but its channel", async ({ stage }) => {
    const leaked = openSync(import.meta.filename, "r");
    const inheritable = 250;
    expect(addon.duplicateOnto(leaked, inheritable)).toBeGreaterThanOrEqual(0);
    onTestFinished(() => {
      for (const fd of [leaked, inheritable]) closeSync(fd);
    });
    const pid = await servingPid(stage);
    const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    expect(links.filter((link) => !/^(socket|pipe|anon_inode):/.test(link))).toEqual(["/dev/null", "/dev/null"]);
  });
});

test.for([
  { what: "no filter", kinds: ["ready"] },
  { what: "an empty filter", kinds: ["filter", "ready"] },
  { what: "a ruleset without its descriptor", kinds: ["ruleset", "ready"] },
] as const)("with $what there is no process", ({ kinds }) => {
  const pair = messagePair(addon);
  if (typeof pair === "number") throw new Error(`socketpair: ${pair}`);
  const [near, far] = pair;
  for (const kind of kinds) expect(sendMessage(addon, near, kind)).toBe(0);
  const { status, stderr } = spawnSync(fence, ["network"], {
    stdio: ["ignore", "ignore", "pipe", far],
    timeout: 20_000, // before the runner's, which could not end it
  });
  for (const fd of pair) addon.closeDescriptor(fd);
  expect(status).toBe(125);
  expect(String(stderr)).toContain("descriptor 3 does not lead to a launcher");
});

describe("a process that is killed", () => {
  test.for(ways)("%s: is reported, and the next client is served by another", async (way, { stage }) => {
    const { client, part, crashed } = await stage.served(way, echo);
    const first = await echoing(await client());
    const before = part.child?.pid ?? 0;
    const ended = received(first);
    process.kill(before, "SIGKILL");
    expect(await crashed()).toEqual({ exit: null, signal: "SIGKILL", restartsLeft: 4, said: "" });
    await ended;
    expect(part.child).toBeNull();
    const next = await client(); // who comes too early waits
    next.end(hello);
    expect(await received(next)).toEqual(whole(hello));
    expect(part.child?.pid).not.toBe(before);
  });

  test("for the fifth time leaves nobody who listens", async ({ stage }) => {
    const { client, part, crashed, listen, ends } = await stage.served("published", echo);
    for (const restartsLeft of [4, 3, 2, 1, 0]) {
      await echoing(await client());
      process.kill(part.child?.pid ?? 0, "SIGKILL");
      expect(await crashed()).toMatchObject({ restartsLeft });
    }
    await expect(stage.connect(listen)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    const late = stage.listen();
    if (late.address.kind !== "tcp") throw new Error("no port");
    ends.add({ kind: "published", listener: late.fd, listen: late.address, port: 1 });
    await expect(stage.connect(late.address)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    const another = stage.listen();
    if (another.address.kind !== "tcp") throw new Error("no port");
    part.sandbox(null).add({ kind: "published", listener: another.fd, listen: another.address, port: 1 });
    await expect(stage.connect(another.address)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

describe("a process that", () => {
  test("cannot be started is reported", async ({ stage }) => {
    const { crashed, listen } = await stage.served("published", echo, { executable: "/nonexistent" });
    await stage.connect(listen);
    expect(await crashed()).toMatchObject({ exit: null, signal: null, said: expect.stringContaining("ENOENT") });
  });

  test("ends by itself is reported with what it said, without what a terminal would obey", async ({ stage }) => {
    const executable = script('process.stderr.write("ab\\x1b[2Jcd\\n"); process.exitCode = 7;');
    const { crashed, listen } = await stage.served("published", echo, { executable });
    await stage.connect(listen);
    expect(await crashed()).toMatchObject({ exit: 7, signal: null, said: "ab?[2Jcd\n" });
  });

  test.for([
    ["what is no message", Buffer.from("something else")],
    ["an unknown message", message(9)],
    ["counts that are none", message(protocol.kinds.delivered, Buffer.from('[["1",2,3,4,5]]'))],
    ["counts that are too few", message(protocol.kinds.delivered, Buffer.from("[[1]]"))],
    ["no JSON", message(protocol.kinds.delivered, Buffer.from("{"))],
  ] as const)("sends %s is ended and reported", async ([, bytes], { stage }) => {
    const sends = `require("fs").writeSync(3, Buffer.from("${bytes.toString("hex")}", "hex"));`;
    const executable = script(`${sends} setInterval(() => {}, 1000);`);
    const { crashed, listen } = await stage.served("published", echo, { executable });
    await stage.connect(listen);
    expect(await crashed()).toMatchObject({ exit: null, signal: "SIGKILL" });
  });
});

describe("a restriction that cannot be had ends the process before it serves anybody:", () => {
  test.for([
    ["close_range", 1, "cannot close inherited descriptors: close_range: EPERM"],
    ["prctl", 1, "cannot set no_new_privs: prctl: EPERM"],
    ["prlimit64", 1, "cannot read a resource limit: prlimit: EPERM"],
    ["prlimit64", 2, "cannot set a resource limit: prlimit: EPERM"],
    ["capset", 1, "cannot give privileges up: capset: EPERM"],
    ["prctl", 2, "cannot protect its memory: prctl: EPERM"],
    ["prctl", 3, "cannot be tied to its launcher: prctl: EPERM"],
    ["landlock_restrict_self", 1, "cannot enforce the ruleset: landlock_restrict_self: EPERM"],
    ["seccomp", 1, "cannot install the seccomp filter: seccomp: EPERM"],
    ["close_range", 2, "cannot close descriptors: close_range: EPERM"],
  ] as const)("%s, time %i", async ([call, when, says], { stage, skip }) => {
    requires("strace")({ skip });
    const strace = `strace -o /dev/null -e trace=${call} -e inject=${call}:error=EPERM:when=${when}`;
    const executable = script(`exec ${strace} ${fence} network`, "/bin/sh");
    let served = 0;
    const { crashed, listen } = await stage.served("published", () => served++, { executable });
    await stage.connect(listen);
    const crash = await crashed();
    expect(crash).toMatchObject({ exit: 125, restartsLeft: 4 });
    expect(crash.said).toContain(says);
    expect(served).toBe(0);
  });
});

describe("when the launcher is killed", () => {
  test("the process is gone with its connections, as any user", async ({ stage }) => {
    const { launcher, client, pid, port } = await ownLauncher(stage);
    expect(fields(readFileSync(`/proc/${pid}/status`, "utf8"))["Uid"]).toMatch(
      process.geteuid?.() === 0 ? /^4711\t/ : /./,
    );
    // Not dumpable: its files in /proc are root's.
    expect(statSync(`/proc/${pid}/environ`).uid).toBe(0);
    const ended = received(client);
    launcher.kill("SIGKILL");
    await ended;
    await untilRefused(stage, port);
  });

  test("so it is when it hangs", async ({ stage }) => {
    const { launcher, client, pid, port } = await ownLauncher(stage);
    process.kill(pid, "SIGSTOP");
    const ended = received(client);
    launcher.kill("SIGKILL");
    await ended;
    await untilRefused(stage, port);
  });
});

test("by hand it says that it is for fence itself", () => {
  const { status, stderr } = spawnSync(fence, ["network"], { encoding: "utf8", env: {} });
  expect(status).toBe(125);
  expect(stderr).toContain("fence network is for fence itself: descriptor 3 does not lead to a launcher: recvmsg: ");
  expect(stderr).toContain("fence run -- network");
});

/** Of a process that has served somebody. */
async function servingPid(stage: NetworkStage): Promise<number> {
  const { client, part } = await stage.served("outbound", echo);
  await echoing(await client());
  return part.child?.pid ?? 0;
}

async function echoing(socket: Socket): Promise<Socket> {
  socket.write(hello);
  await once(socket, "data");
  return socket;
}

/** A program in the place of fence. */
function script(code: string, interpreter = process.execPath): string {
  const path = join(folder(), "script.cjs");
  writeFileSync(path, `#!${interpreter}\n${code}\n`);
  chmodSync(path, 0o755);
  return path;
}

function message(kind: number, payload = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.from(Uint32Array.of(protocol.magic, kind, 0, 0, 1, 0).buffer), payload]);
}

function fields(status: string): Readonly<Record<string, string>> {
  return Object.fromEntries(Array.from(status.matchAll(/^(\w+):\t(.*)$/gm), ([, name, value]) => [name, value]));
}

/** A launcher in a process of its own, of an unprivileged user's if possible, and a client that its network part serves. */
async function ownLauncher(stage: NetworkStage) {
  const server = createServer({ allowHalfOpen: true }, (socket) => void socket.on("error", () => {}).pipe(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: target } = server.address() as { port: number };
  const childPath = fileURLToPath(new URL("launcher-child.ts", import.meta.url));
  const launcher = fork(childPath, [fence, String(target)], {
    execArgv: ["--disable-warning=ExperimentalWarning"],
    ...(process.geteuid?.() === 0 && { uid: 4711, gid: 4711 }),
  });
  onTestFinished(() => {
    launcher.kill("SIGKILL");
    server.close();
  });
  const { port } = await heard(launcher);
  const client = await echoing(await stage.connect({ port }));
  launcher.send("who?");
  const { pid } = await heard(launcher);
  return { launcher, client, pid, port };
}

async function heard(child: ChildProcess): Promise<{ readonly port: number; readonly pid: number }> {
  const [message] = await once(child, "message");
  return message;
}

/** Until nobody has the listener any more. Whoever it had accepted, or was going to, is reset. */
async function untilRefused(stage: NetworkStage, port: number): Promise<void> {
  for (;;) {
    const client = await stage.connect({ port }).catch((error: NodeJS.ErrnoException) => error.code);
    if (client === "ECONNREFUSED") return;
    if (typeof client === "object") await received(client);
  }
}
