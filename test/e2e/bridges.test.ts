import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { requires } from "../kit/requires.ts";
import {
  arranged,
  asNobody,
  bootstrap,
  emptyRoot,
  fenced,
  folder,
  host,
  type Json,
  run,
  start,
  unfenced,
} from "../kit/sandbox.ts";

async function listen(server: Server, at: string | number): Promise<Server> {
  onTestFinished(() => void server.close());
  await once(typeof at === "string" ? server.listen(at) : server.listen(at, "127.0.0.1"), "listening");
  return server;
}

/** On the host, on a Unix socket that everybody may connect to. Returns the socket's path. */
async function unixServer(onConnection: (socket: Socket) => void): Promise<string> {
  const path = join(folder(), "s");
  const server = createServer({ allowHalfOpen: true }, onConnection);
  onTestFinished(() => void server.close());
  await once(server.listen({ path, writableAll: true }), "listening");
  return path;
}

const echo = (socket: Socket) => void socket.pipe(socket);

async function tcpEchoServer(): Promise<number> {
  const server = await listen(createServer({ allowHalfOpen: true }, echo), 0);
  return (server.address() as AddressInfo).port;
}

/** A root without network where the host's socket is /s. */
function rootWith(socket: string, ...bwrapArgs: readonly string[]) {
  return emptyRoot("--bind", socket, "/s", ...bwrapArgs);
}

const bridge = ["--bridge", "tcp:127.0.0.1:4001=unix:/s"];

describe("in an empty root without network", () => {
  beforeEach(requires("bwrap"));

  test("the program reaches a Unix socket of the host by TCP", async () => {
    const root = rootWith(await unixServer(echo));
    const say = ["echo-tcp", 4001, "hello"];
    expect(await fenced(root, bridge, say)).toMatchObject({ errno: 0, result: 5, text: "hello" });
    expect(await unfenced(root, say)).toMatchObject({ errno: "ECONNREFUSED" });
  });

  test("the program reaches it as an unprivileged user too", async (context) => {
    requires("unprivileged bwrap")(context);
    const root = asNobody(rootWith(await unixServer(echo)));
    expect(await fenced(root, bridge, ["echo-tcp", 4001, "hello"])).toMatchObject({ errno: 0, text: "hello" });
  });

  test("the program reaches the host's HTTP proxy on 127.0.0.1:3128", async () => {
    const asked: string[] = [];
    const proxy = await unixServer((socket) =>
      socket.once("data", (request) => {
        asked.push(String(request).split("\r\n")[0] ?? "");
        socket.end("HTTP/1.1 203 From the proxy\r\n\r\nbody");
      }),
    );
    const get = ["http-get", 3128, "http://example.com/path"];
    const outcome = await fenced(rootWith(proxy), ["--http-proxy", "unix:/s"], get);
    expect(outcome).toMatchObject({ errno: 0, status: "HTTP/1.1 203 From the proxy" });
    expect(asked).toEqual(["GET http://example.com/path HTTP/1.1"]);
  });

  test("the program reaches the host's SOCKS proxy on 127.0.0.1:1080", async () => {
    const root = rootWith(await unixServer(echo));
    const say = ["echo-tcp", 1080, "hello"];
    expect(await fenced(root, ["--socks-proxy", "unix:/s"], say)).toMatchObject({ text: "hello" });
  });

  test("by a plan it is the same", async () => {
    const root = rootWith(await unixServer(echo));
    const plan = { version: 1, bridges: [{ listen: "tcp:127.0.0.1:4001", connect: "unix:/s" }] };
    const options = { input3: JSON.stringify(plan) };
    const outcome = await fenced(root, ["--plan-fd", "3"], ["echo-tcp", 4001, "hello"], options);
    expect(outcome).toMatchObject({ text: "hello" });
  });

  test("a listener on the IPv6 loopback works", async () => {
    const root = rootWith(await unixServer((socket) => socket.end()));
    const options = ["--bridge", "tcp:[::1]:4001=unix:/s"];
    expect(await fenced(root, options, ["connect-tcp", "::1", 4001])).toMatchObject({ errno: 0 });
    expect(await fenced(root, options, ["connect-tcp", "127.0.0.1", 4001])).toMatchObject({ errno: "ECONNREFUSED" });
  });

  test("of 40 programs that connect first of all none is refused", async () => {
    const root = rootWith(await unixServer(echo));
    const oneByOne = async (count: number): Promise<Json[]> => {
      const outcomes: Json[] = [];
      for (let i = 0; i < count; i++) outcomes.push(await fenced(root, bridge, ["echo-tcp", 4001, `hello ${i}`]));
      return outcomes;
    };
    const outcomes = (await Promise.all([oneByOne(20), oneByOne(20)])).flat();
    expect(outcomes.filter(({ errno }) => errno === 0)).toHaveLength(40);
  });

  test("of 200 connections that a program opens first of all none is refused", async () => {
    const root = rootWith(await unixServer(echo));
    const outcome = await fenced(root, bridge, ["echo-tcp-many", 4001, 200, "hello"]);
    expect(outcome).toMatchObject({ errno: 0, result: 200 });
  });

  test("a reply that the host starts after the program's end of input arrives whole", async () => {
    const reply = "x".repeat(1 << 20);
    const lateReplier = await unixServer((socket) => void socket.resume().on("end", () => socket.end(reply)));
    const outcome = await fenced(rootWith(lateReplier), bridge, ["echo-tcp", 4001, "hello"]);
    expect(outcome).toMatchObject({ errno: 0, result: 1 << 20 });
  });

  test("what the program sends before it half-closes reaches the host whole", async () => {
    const received: Promise<string>[] = [];
    const taker = await unixServer((socket) => {
      received.push(text(socket));
      socket.on("end", () => socket.end("done"));
    });
    const sent = "0123456789".repeat(10_000);
    const outcome = await fenced(rootWith(taker), bridge, ["echo-tcp", 4001, sent]);
    expect(outcome).toMatchObject({ errno: 0, text: "done" });
    expect(await Promise.all(received)).toEqual([sent]);
  });

  test("a client is reset when there is nobody behind the bridge", async () => {
    const outcome = await fenced(
      emptyRoot(),
      ["--bridge", "tcp:127.0.0.1:4001=unix:/no/such"],
      ["echo-tcp", 4001, "hello"],
    );
    expect(outcome).toMatchObject({ result: -1, errno: "ECONNRESET" });
  });

  test("the program reaches nothing else: no server of the host, no other port of the bridge", async () => {
    const port = await tcpEchoServer();
    const root = rootWith(await unixServer(echo));
    const connectTo = (to: number) => ["connect-tcp", "127.0.0.1", to];
    expect(await fenced(root, bridge, connectTo(4001))).toMatchObject({ errno: 0 });
    expect(await fenced(root, bridge, connectTo(port))).toMatchObject({ errno: "ECONNREFUSED" });
    expect(await fenced(root, bridge, ["connect-tcp", "192.0.2.1", 80])).toMatchObject({ errno: "ENETUNREACH" });
    expect(await unfenced(host, connectTo(port))).toMatchObject({ errno: 0 });
  });

  test("under TCP rules the bridge can be reached and no other port", async () => {
    const root = rootWith(await unixServer(echo));
    const options = [...bridge, "--connect-tcp", "443"];
    expect(await fenced(root, options, ["echo-tcp", 4001, "hello"])).toMatchObject({ text: "hello" });
    expect(await fenced(root, options, ["connect-tcp", "127.0.0.1", 4002])).toMatchObject({ errno: "EACCES" });
    expect(await fenced(root, options, ["bind-tcp", 4003])).toMatchObject({ errno: "EACCES" });
  });

  test("under file rules that do not name the socket the bridge works", async () => {
    const root = rootWith(await unixServer(echo));
    const options = [...bridge, "--rox", "/probe"];
    expect(await fenced(root, options, ["echo-tcp", 4001, "hello"])).toMatchObject({ text: "hello" });
    expect(await fenced(root, options, ["open-read", "/arrange"])).toMatchObject({ errno: "EACCES" });
  });

  test("with closed standard streams the bridge works", async () => {
    const root = arranged(rootWith(await unixServer(echo)), "close", "0", "close", "1", "close", "2");
    const program = ["/probe", "to-descriptor", "4", "echo-tcp", "4001", "hello"];
    const { output4 } = await bootstrap(root, bridge, program, { collects4: true });
    expect(JSON.parse(output4)).toMatchObject({ text: "hello" });
  });

  test("with a limit of 48 open files the bridge works", async () => {
    const root = arranged(rootWith(await unixServer(echo)), "limit", "7", "48", "48");
    expect(await fenced(root, bridge, ["echo-tcp", 4001, "hello"])).toMatchObject({ text: "hello" });
  });

  test("with SIGPIPE and SIGCHLD ignored and all signals blocked the bridge works", async () => {
    const steps = ["ignore", "13", "ignore", "17", "block-mask", "0xffffffffffffffff"];
    const root = arranged(rootWith(await unixServer(echo)), ...steps);
    expect(await fenced(root, bridge, ["echo-tcp", 4001, "hello"])).toMatchObject({ text: "hello" });
  });

  test("the program's facts are those of a direct exec, and it has no child", async () => {
    const root = rootWith(await unixServer(echo));
    const without = await unfenced(arranged(root, "add-variable", "FENCE_SANDBOX=1"), ["facts"]);
    expect(await fenced(root, bridge, ["facts"])).toEqual({ ...without, noNewPrivs: 1, seccompMode: 2 });
    const wait4 = ["syscall", process.arch === "x64" ? 61 : 260, -1, 0, 0x4000_0001, 0];
    expect(await fenced(root, bridge, wait4)).toMatchObject({ errno: "ECHILD" });
  });

  test("the host reaches a program in the sandbox by a Unix socket", async () => {
    const shared = folder();
    const root = emptyRoot("--bind", shared, "/shared");
    const inbound = ["--bridge", "unix:/shared/s=tcp:127.0.0.1:8080"];
    const command = [root.fence, "bootstrap", ...inbound, "--", root.probe, "serve-tcp", "8080"];
    // Without --init, what the program writes just before it ends is lost when the sandbox dies with it.
    const program = start(root.enter(command).filter((word) => word !== "--die-with-parent"));
    expect(await program.line()).toBe('{"listening":8080}');
    const client = connect({ path: join(shared, "s"), allowHalfOpen: true });
    client.end("from the host");
    expect(await text(client)).toBe("from the host");
    expect(JSON.parse((await program.line()) ?? "")).toMatchObject({ errno: 0, result: 13 });
  });

  test("the program cannot look into the process of the bridge", async () => {
    const root = rootWith(await unixServer(echo), "--uid", "1234", "--cap-drop", "ALL");
    // The program is 2, the process that forked the others was 3, the set-up 4.
    const look = async (file: string) => await fenced(root, [...bridge, "--seccomp=off"], ["open-read", file]);
    expect(await look("/proc/5/status")).toMatchObject({ errno: 0 });
    for (const file of ["environ", "mem", "maps", "root"])
      expect((await look(`/proc/5/${file}`)).errno, file).toBe("EACCES");
    expect(await look("/proc/self/environ")).toMatchObject({ errno: 0 });
  });

  test("the ready report names the bridges", async () => {
    const root = rootWith(await unixServer(echo));
    const options = ["--status-fd", "4", ...bridge, "--http-proxy", "unix:/s"];
    const { output4 } = await bootstrap(root, options, ["/probe", "exit", "0"], { collects4: true });
    expect(JSON.parse(output4.split("\n")[1] ?? "")).toMatchObject({
      event: "ready",
      bridges: [
        { listen: "tcp:127.0.0.1:3128", connect: "unix:/s" },
        { listen: "tcp:127.0.0.1:4001", connect: "unix:/s" },
      ],
    });
  });

  // Without --die-with-parent bwrap's init holds the standard streams until the sandbox is empty.
  test("a sandbox that does not die with its parent is empty soon after the program", { timeout: 5000 }, async () => {
    const root = rootWith(await unixServer(echo));
    const command = root.enter([root.fence, "bootstrap", ...bridge, "--", "/probe", "echo-tcp", "4001", "hello"]);
    const outcome = await run(command.filter((word) => word !== "--die-with-parent"));
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
  });
});

describe("on the host, with a Unix socket as the listener,", () => {
  test("the program reaches a TCP server", async () => {
    const at = join(folder(), "s");
    const options = ["--bridge", `unix:${at}=tcp:127.0.0.1:${await tcpEchoServer()}`];
    expect(await fenced(host, options, ["echo-unix", at, "hello"])).toMatchObject({ errno: 0, text: "hello" });
    expect(await unfenced(host, ["echo-unix", join(folder(), "s"), "hello"])).toMatchObject({ errno: "ENOENT" });
  });

  test("a reply after the end of input arrives whole", async () => {
    const reply = "x".repeat(1 << 20);
    const onConnection = (socket: Socket) => void socket.resume().on("end", () => socket.end(reply));
    const server = await listen(createServer({ allowHalfOpen: true }, onConnection), 0);
    const at = join(folder(), "s");
    const options = ["--bridge", `unix:${at}=tcp:127.0.0.1:${(server.address() as AddressInfo).port}`];
    expect(await fenced(host, options, ["echo-unix", at, "hello"])).toMatchObject({ errno: 0, result: 1 << 20 });
  });

  test("what the program sent just before it ended arrives whole", async () => {
    const sent = "0123456789".repeat(10_000);
    const { promise: received, resolve } = Promise.withResolvers<string>();
    const server = await listen(
      createServer((socket) => void text(socket).then(resolve)),
      0,
    );
    const at = join(folder(), "s");
    const options = ["--bridge", `unix:${at}=tcp:127.0.0.1:${(server.address() as AddressInfo).port}`];
    expect(await fenced(host, options, ["send-unix", at, sent])).toMatchObject({ errno: 0 });
    expect(await received).toBe(sent);
  });

  test("the socket is for its user alone", async () => {
    const at = join(folder(), "s");
    const outcome = await bootstrap(host, ["--bridge", `unix:${at}=unix:/no/such`], ["/usr/bin/stat", "-c", "%a", at]);
    expect(outcome).toMatchObject({ status: 0, stdout: "600\n" });
  });

  test("nothing that the program leaves open is held by the bridge, which goes on for a while", async () => {
    const at = join(folder(), "s");
    const options = ["--bridge", `unix:${at}=tcp:127.0.0.1:${await tcpEchoServer()}`];
    // Settles when standard output, standard error and descriptor 4 are closed.
    const outcome = await bootstrap(host, options, [host.probe, "exit", "7"], { collects4: true });
    expect(outcome).toMatchObject({ status: 7, stdout: "", stderr: "" });
    const daemon = connect({ path: at, allowHalfOpen: true });
    daemon.end("still there");
    expect(await text(daemon)).toBe("still there");
  });
});

describe("a listener that cannot be opened is exit status 125, and the program does not start:", () => {
  const target = "unix:/no/such";

  test("a port in use", async () => {
    const port = await tcpEchoServer();
    const outcome = await bootstrap(host, ["--bridge", `tcp:127.0.0.1:${port}=${target}`], [host.probe, "facts"]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toContain(`tcp:127.0.0.1:${port}`);
    expect(outcome.stderr).toContain("EADDRINUSE");
    expect(outcome.stderr).toContain("code:  FENCE_LISTEN");
  });

  test("a path where a file stands, which is left as it is", async () => {
    const path = join(folder(), "s");
    writeFileSync(path, "precious");
    await refused(path, "EADDRINUSE");
    expect(readFileSync(path, "utf8")).toBe("precious");
  });

  test("a path where a symbolic link stands, which is not followed", async () => {
    const at = folder();
    const path = join(at, "s");
    symlinkSync("elsewhere", path);
    await refused(path, "EADDRINUSE");
    expect(readdirSync(at)).toEqual(["s"]);
    expect(readlinkSync(path)).toBe("elsewhere");
  });

  test("a path in a folder that does not exist", async () => {
    await refused(join(folder(), "missing", "s"), "ENOENT");
  });

  async function refused(path: string, errno: string): Promise<void> {
    const outcome = await bootstrap(host, ["--bridge", `unix:${path}=${target}`], [host.probe, "facts"]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toContain(path);
    expect(outcome.stderr).toContain(errno);
    expect(outcome.stderr).toContain("code:  FENCE_LISTEN");
  }

  test("in a read-only root", async (context) => {
    requires("bwrap")(context);
    const outcome = await bootstrap(emptyRoot(), ["--bridge", `unix:/s=${target}`], ["/probe", "facts"]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toContain("EROFS");
  });

  test("the second of two: the first leaves no socket behind", async () => {
    const first = join(folder(), "s");
    const options = ["--bridge", `unix:${first}=${target}`, "--bridge", `unix:/no/such/s=${target}`];
    expect(await bootstrap(host, options, [host.probe, "facts"])).toMatchObject({ status: 125, stdout: "" });
    expect(existsSync(first)).toBe(false);
  });

  test("a program that is missing: no socket is left behind", async () => {
    const at = join(folder(), "s");
    const outcome = await bootstrap(host, ["--bridge", `unix:${at}=${target}`], ["/no/such/program"]);
    expect(outcome.status).toBe(127);
    expect(existsSync(at)).toBe(false);
  });
});

describe("fence bridge", () => {
  const command = (...bridges: readonly string[]) => [host.fence, "bridge", ...bridges];

  test("says when it is ready, relays, and ends with 0 when it is asked to", async () => {
    const at = join(folder(), "s");
    const to = `tcp:127.0.0.1:${await tcpEchoServer()}`;
    const bridge = start(command(`unix:${at}=${to}`));
    expect(await bridge.line()).toBe(`fence: ready: unix:${at} -> ${to}`);
    expect(statSync(at).mode & 0o777).toBe(0o600);
    const client = connect({ path: at, allowHalfOpen: true });
    client.end("hello");
    expect(await text(client)).toBe("hello");
    bridge.signal("SIGTERM");
    expect(await bridge.ended).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(at)).toBe(false);
  });

  test("runs in an empty root", async (context) => {
    requires("bwrap")(context);
    const shared = folder();
    const socket = await unixServer(echo);
    const root = emptyRoot("--bind", shared, "/shared", "--bind", socket, "/s");
    const bridge = start(root.enter([root.fence, "bridge", "unix:/shared/s=unix:/s"]));
    expect(await bridge.line()).toBe("fence: ready: unix:/shared/s -> unix:/s");
    const client = connect({ path: join(shared, "s"), allowHalfOpen: true });
    client.end("hello");
    expect(await text(client)).toBe("hello");
  });

  test("without a bridge, or with a wrong one, is exit status 125", async () => {
    expect(await run(command())).toMatchObject({ status: 125, stdout: "" });
    const wrong = await run(command("tcp:127.0.0.1:1"));
    expect(wrong).toMatchObject({ status: 125, stdout: "" });
    expect(wrong.stderr).toContain("LISTEN=CONNECT");
    const option = await run(command("--bridg=x"));
    expect(option).toMatchObject({ status: 125, stdout: "" });
  });

  test("obeys none of the variables that steer Node or the loader", async () => {
    const env = { NODE_OPTIONS: "--no-such-option", LD_PRELOAD: "/no/such.so" };
    const at = join(folder(), "s");
    const bridge = start(command(`unix:${at}=unix:/no/such`), env);
    expect(await bridge.line()).toBe(`fence: ready: unix:${at} -> unix:/no/such`);
    bridge.signal("SIGINT");
    expect(await bridge.ended).toMatchObject({ status: 0, stderr: "" });
  });
});
