import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import addon from "landlock-napi/addon";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { run } from "../../build/run.ts";
import type { RunRequest, ServiceEvent } from "../../src/base/service-protocol.ts";
import { encodeAddress } from "../../src/bridge/sockaddr.ts";
import { messagePair, protocol, receiveMessage, sendMessage } from "../../src/sys/protocol.ts";
import { fenceBuildId } from "../kit/build-id.ts";
import { homeFolder } from "../kit/launched.ts";
import { requires } from "../kit/requires.ts";
import { fence } from "../kit/sandbox.ts";

beforeEach(requires("bwrap"));

type Opened = Extract<ServiceEvent, { event: "open" }>;

/** The service itself, as the library speaks to it. */
class RawService {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #socket: Duplex;

  constructor(before: readonly string[] = []) {
    const [file = "", ...args] = [...before, fence, "service"];
    this.child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe", "pipe"], env: {} });
    this.#socket = this.child.stdio[3] as Duplex;
    this.#socket.on("error", () => {});
    const lines: Interface = createInterface(this.#socket);
    this.#lines = lines[Symbol.asyncIterator]();
    onTestFinished(() => void this.child.kill("SIGKILL"));
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  tell(request: object): void {
    this.write(`${JSON.stringify(request)}\n`);
  }

  async next(): Promise<ServiceEvent | null> {
    const { value, done } = await this.#lines.next();
    return done === true ? null : JSON.parse(value);
  }

  /** Where commands ask for their launch. */
  async open(changes: object = {}): Promise<Opened> {
    this.tell(openRequest(changes));
    const event = await this.next();
    if (event?.event !== "open") throw new Error(`it did not open: ${JSON.stringify(event)}`);
    return event;
  }

  /** It hears nothing of the service's until resume(). */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }
}

function openRequest(changes: object = {}) {
  return {
    ...{ request: "open", version: 1, buildId: fenceBuildId(), settings: { given: {} }, template: null },
    ...{ isolation: null, directory: homeFolder(), environment: [["PATH", process.env["PATH"]]] },
    ...{ httpProxy: null, socksProxy: null, publish: [] },
    ...changes,
  };
}

function runRequest(id: string, ...argv: readonly string[]): RunRequest {
  return { request: "run", id, argv, environment: null, directory: null };
}

function attach({ socket, pid }: Opened, id: string): ChildProcess {
  return spawn(fence, ["attach", socket, String(pid), id], { stdio: ["ignore", "pipe", "pipe"] });
}

/** Nobody listens there any more. */
async function portOfNobody(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** To be called before it ends. */
async function outcome(child: ChildProcess) {
  const said = [child.stdout, child.stderr].map((stream) => (stream === null ? "" : text(stream)));
  const [status] = await once(child, "exit");
  const [stdout, stderr] = await Promise.all(said);
  return { status, stdout, stderr };
}

const id = "0000000a-ffffffff";

/** What stands for a front that has forked, and says that alone. Answers its end of `setup`. */
function forkedFront({ socket: path }: Opened): number {
  const [setup, life, someFile] = [messagePair(addon), messagePair(addon), openSync("/dev/null", "r")];
  const connection = addon.packetSocket();
  if (typeof setup === "number" || typeof life === "number") throw new Error(`socketpair: ${setup} ${life}`);
  onTestFinished(() => {
    for (const fd of [...setup, ...life, someFile, connection]) addon.closeDescriptor(fd);
  });
  expect(addon.connect(connection, encodeAddress({ kind: "unix", path }))).toBe(0);
  const ends = [setup[1], life[1]] as const;
  expect(sendMessage(addon, connection, "attach", { value: 0x0a, index: 0xffffffff, descriptors: ends })).toBe(0);
  const payload = Buffer.alloc(protocol.signalsBytes);
  expect(sendMessage(addon, setup[0], "taken", { value: 8, index: 7, descriptors: [someFile], payload })).toBe(0);
  return setup[0];
}

test("a process may come before the word of its command", async () => {
  const service = new RawService();
  const command = attach(await service.open(), id);
  expect(await service.next()).toEqual({ event: "asked", id });
  service.tell(runRequest(id, "echo", "hello"));
  expect(await outcome(command)).toEqual({ status: 0, stdout: "hello\n", stderr: "" });
  expect(await service.next()).toEqual({ event: "started", id, published: [] });
  expect(await service.next()).toEqual({ event: "ended", id, launched: true });
});

test("a process of a command that nobody knows is refused", async () => {
  const service = new RawService();
  const command = attach(await service.open(), id);
  expect(await service.next()).toEqual({ event: "asked", id });
  service.tell({ request: "refuse", id });
  const { status, stdout, stderr } = await outcome(command);
  expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
  expect(stderr).toMatch(/^fence: .*\n(.*\n)*.*FENCE_LAUNCH\n$/);
});

test("a command is launched once", async () => {
  const service = new RawService();
  const opened = await service.open();
  service.tell(runRequest(id, "cat"));
  const first = spawn(fence, ["attach", opened.socket, String(opened.pid), id], { stdio: ["pipe", "pipe", "pipe"] });
  expect(await service.next()).toMatchObject({ event: "started" });
  expect(await outcome(attach(opened, id))).toMatchObject({ status: 125 });
  first.stdin.end("still");
  expect(await outcome(first)).toMatchObject({ status: 0, stdout: "still" });
});

test("a command whose process was stopped keeps no other one from its launch", async () => {
  const service = new RawService();
  const opened = await service.open();
  const stopped = attach(opened, id);
  const later = outcome(stopped);
  expect(await service.next()).toEqual({ event: "asked", id });
  stopped.kill("SIGSTOP");
  service.tell(runRequest(id, "echo", "later"));
  const other = "0000000b-00000000";
  service.tell(runRequest(other, "echo", "now"));
  expect(await outcome(attach(opened, other))).toEqual({ status: 0, stdout: "now\n", stderr: "" });
  stopped.kill("SIGCONT");
  expect(await later).toEqual({ status: 0, stdout: "later\n", stderr: "" });
});

test("what a program is denied without end does not fill the service's memory", async (context) => {
  requires("bash")(context);
  const service = new RawService();
  const port = await portOfNobody();
  const network = { allowLocalOutbound: true, allowLocalOutboundPorts: [port] };
  const opened = await service.open({ settings: { given: { network } } });
  const connections = 4000; // two denials each
  const connect = `for ((i = 0; i < ${connections}; i++)); do read -r <>/dev/tcp/127.0.0.1/${port}; done 2>/dev/null; true`;
  service.tell(runRequest(id, "bash", "-c", connect));
  const command = outcome(attach(opened, id));
  expect(await service.next()).toMatchObject({ event: "started" });
  service.pause();
  expect(await command).toMatchObject({ status: 0 });
  service.resume();
  let heard = 0;
  for (let event = await service.next(); event?.event !== "ended"; event = await service.next()) {
    expect(event).toMatchObject({ event: "denied", text: expect.stringContaining("ECONNREFUSED") });
    heard++;
  }
  expect(heard).toBeGreaterThan(0);
  expect(heard).toBeLessThan(connections);
});

test.for([60, 75, 90])(
  "with %i descriptors some of many commands are refused, and why is said",
  async (limit, context) => {
    requires("prlimit")(context);
    const service = new RawService(["prlimit", `--nofile=${limit}`]);
    const opened = await service.open();
    const ids = Array.from({ length: 30 }, (_, i) => `0000000c-${i.toString(16).padStart(8, "0")}`);
    for (const each of ids) service.tell(runRequest(each, "sleep", "0.5"));
    const commands = ids.map(async (each) => {
      const end = await outcome(attach(opened, each));
      service.tell({ request: "ended", id: each }); // as the library does: there may be no room for the process itself
      return end;
    });
    for (let left = ids.length; left > 0; ) {
      const event = await service.next();
      if (event?.event === "started") continue;
      left--;
      if (event?.event !== "ended") expect(event).toMatchObject({ event: "failed", error: { errno: "EMFILE" } });
      if (event?.event === "failed") expect(event.error.code).not.toBe("FENCE_BUG");
    }
    const statuses = new Set((await Promise.all(commands)).map(({ status }) => status));
    expect([...statuses].sort()).toEqual([0, 125]);
  },
);

test("a command whose process never came is told to have ended", async () => {
  const service = new RawService();
  await service.open();
  service.tell(runRequest(id, "true"));
  service.tell({ request: "ended", id });
  expect(await service.next()).toEqual({ event: "ended", id, launched: false });
});

test("another user gets in nowhere, not even root", async (context) => {
  requires("root", "unprivileged bwrap", "setpriv")(context);
  const service = new RawService(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]);
  const opened = await service.open();
  service.tell(runRequest(id, "true"));
  const { status, stderr } = await outcome(attach(opened, id));
  expect(status).toBe(125);
  expect(stderr).toContain("another user listens on");
});

test("when the library is gone the service ends, and its commands with it", async () => {
  const service = new RawService();
  const opened = await service.open();
  service.tell(runRequest(id, "sleep", "1000000"));
  const ends = [outcome(service.child), outcome(attach(opened, id))];
  expect(await service.next()).toMatchObject({ event: "started" });
  service.end();
  expect(await Promise.all(ends)).toEqual([
    { status: 0, stdout: "", stderr: "" },
    { status: 125, stdout: "", stderr: "" },
  ]);
});

test.for<[what: string, line: string, message: RegExp]>([
  ["is not JSON", "{", /a line is not JSON/],
  ["is no request", '{"request":"stop"}', /request\.request must be "ended" or "refuse"/],
  ["has a bad id", '{"request":"ended","id":"1"}', /request\.id must be two numbers/],
  ["is of another version", '{"request":"open","version":2}', /request\.version must be 1/],
  ["is too long", "x".repeat(17 << 20), /at most \d+ bytes/],
])("a request that %s ends the service with a clear error", async ([, line, message]) => {
  const service = new RawService();
  const ended = outcome(service.child);
  service.write(`${line}\n`);
  const { status, stderr } = await ended;
  expect(status).toBe(125);
  expect(stderr).toMatch(message);
  expect(stderr).toMatch(/code: {2}FENCE_SERVICE/);
});

test("a library of another build is refused", async () => {
  const service = new RawService();
  service.tell(openRequest({ buildId: "0".repeat(32) }));
  expect(await service.next()).toMatchObject({ event: "refused", error: { code: "FENCE_SERVICE" } });
  expect(await outcome(service.child)).toEqual({ status: 0, stdout: "", stderr: "" });
});

test("without a library fence service says what it is for", async () => {
  const ended = outcome(spawn(fence, ["service"], { stdio: ["ignore", "pipe", "pipe"] }));
  const { status, stderr } = await ended;
  expect(status).toBe(125);
  expect(stderr).toContain("fence service is started by the library alone");
});

test("a command whose process is stopped after it has forked keeps no other one from its launch", async () => {
  const service = new RawService();
  const opened = await service.open();
  service.tell(runRequest(id, "true"));
  const setup = forkedFront(opened);
  expect(receiveMessage(addon, setup)).toMatchObject({ kind: protocol.kinds.take }); // and nobody answers
  const other = "0000000b-00000000";
  service.tell(runRequest(other, "echo", "now"));
  expect(await outcome(attach(opened, other))).toEqual({ status: 0, stdout: "now\n", stderr: "" });
});

test("a command that was planned while no more files could be opened has all of its mounts", async () => {
  const service = new RawService();
  const home = homeFolder();
  writeFileSync(join(home, ".bashrc"), "");
  const opened = await service.open({ directory: home, settings: { given: { filesystem: { allowWrite: ["."] } } } });
  const limit = (files: number) => run("prlimit", ["--pid", String(opened.pid), `--nofile=${files}:4096`]);
  limit(3);
  const other = "0000000b-00000000";
  service.tell(runRequest(id, "sh", "-c", "echo >> .bashrc"));
  for (const request of [runRequest(other, "true"), { request: "ended", id: other }]) service.tell(request);
  expect(await service.next()).toMatchObject({ event: "ended", id: other }); // the first one is planned then
  limit(4096);
  const { status, stderr } = await outcome(attach(opened, id));
  expect(stderr).toMatch(/bashrc: Read-only file system/);
  expect(status).not.toBe(0);
});
