import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import addon from "landlock-napi/addon";
import { describe, expect, onTestFinished } from "vitest";
import { sandboxPath } from "../../../src/base/paths.ts";
import type { Address } from "../../../src/bridge/address.ts";
import { inheritListener } from "../../../src/bridge/listener.ts";
import type { HostBridgeRequest, PublishedPort } from "../../../src/launcher/bridge-ends.ts";
import { HostBridges, type HostBridgesOptions } from "../../../src/launcher/host-bridges.ts";
import { RuntimeDirectory } from "../../../src/launcher/runtime-directory.ts";
import { type Stage, test } from "../../kit/bridges.ts";
import { received, whole } from "../../kit/bytes.ts";
import { noBridges } from "../../kit/host-ends.ts";
import { probe } from "../../kit/probe.ts";
import { requires } from "../../kit/requires.ts";

const uid = process.geteuid?.() ?? 0;
const hello = Buffer.from("hello");
const anyPort = { host: "127.0.0.1", hostPort: 0, port: 8080 };
const echo = (socket: Socket) => void socket.pipe(socket);
const at = { socket: (name: string) => sandboxPath(`/tmp/fence/run/${name}`), descriptors: [7, 9] };

describe("what a sandbox is told", () => {
  test("is where its sockets and descriptors are", async ({ stage }) => {
    const target = await stage.target("unix");
    const { bridges } = await opened(
      {
        httpProxy: target,
        socksProxy: target,
        localPorts: [5432, 5432],
        publish: [anyPort, { ...anyPort, host: "::1", port: 9090 }],
      },
      { hasIpv6: true },
    );
    expect(bridges.sockets.map(({ name }) => name)).toEqual(["http-proxy", "socks-proxy", "local-5432"]);
    expect(bridges.plan(at)).toEqual({
      httpProxy: "unix:/tmp/fence/run/http-proxy",
      socksProxy: "unix:/tmp/fence/run/socks-proxy",
      bridges: [
        { listen: "tcp:127.0.0.1:5432", connect: "unix:/tmp/fence/run/local-5432" },
        { listen: "tcp:[::1]:5432", connect: "unix:/tmp/fence/run/local-5432" },
        { listen: "fd:7", connect: "tcp:127.0.0.1:8080", acknowledge: true },
        { listen: "fd:9", connect: "tcp:127.0.0.1:9090", acknowledge: true },
      ],
    });
    expect(bridges.published).toEqual([
      { ...anyPort, hostPort: expect.any(Number) },
      { host: "::1", hostPort: expect.any(Number), port: 9090 },
    ]);
    expect(bridges.published.every(({ hostPort }) => hostPort > 0)).toBe(true);
  });

  test("is nothing when nothing was asked for", async () => {
    const { bridges } = await opened({});
    expect(bridges.plan(at)).toEqual({ httpProxy: null, socksProxy: null, bridges: [] });
    bridges.serve();
    expect(bridges.statistics()).toEqual([]);
    expect(await bridges.drain()).toBe("drained");
  });

  test("leaves IPv6 out where the kernel has none", async () => {
    const { bridges } = await opened({ localPorts: [5432] }, { hasIpv6: false });
    expect(bridges.plan(at).bridges.map(({ listen }) => listen)).toEqual(["tcp:127.0.0.1:5432"]);
  });
});

describe("out of the sandbox", () => {
  test("a proxy that is named is reached at the first of its addresses that answers", async ({ stage }) => {
    const refusing = await stage.refusingTarget("tcp");
    const port = refusing.kind === "tcp" ? refusing.port : 0;
    const messages: string[] = [];
    const lookUp = async () => ["127.0.0.2", "::1", "127.0.0.3"];
    const { directory } = await serving(
      { httpProxy: { kind: "name", name: "proxy.corp", port } },
      { lookUp, debug: (message) => void messages.push(message) },
    );
    const client = stage.client({ kind: "unix", path: directory.socket("http-proxy") });
    expect(await received(client)).toMatchObject({ sizeBytes: 0 });
    expect(messages).toEqual([
      expect.stringContaining(`tcp:127.0.0.2:${port}: connect: ECONNREFUSED`),
      expect.stringContaining(`tcp:[::1]:${port}: connect: ECONNREFUSED`),
      expect.stringContaining(`tcp:127.0.0.3:${port}: connect: ECONNREFUSED`),
    ]);
    expect(messages.map((message) => message.endsWith("trying the next address"))).toEqual([true, true, false]);
  });

  test("a port that listens on [::1] alone is reached, and what the client said before is not lost", async ({
    stage,
  }) => {
    const target = await stage.target("tcp6", echo);
    const port = target.kind === "tcp" ? target.port : 0;
    const { bridges, directory } = await serving({ localPorts: [port] });
    const clients = Array.from({ length: 50 }, () =>
      stage.client({ kind: "unix", path: directory.socket(`local-${port}`) }).end(hello),
    );
    expect(await Promise.all(clients.map(received))).toEqual(clients.map(() => whole(hello)));
    expect(bridges.statistics()).toMatchObject([{ accepted: 50, refused: 0, open: 0, bytesToTarget: 250 }]);
  });

  test("a client of another user is turned away, and its twin is not", async ({ stage, skip }) => {
    requires("root")({ skip });
    const target = await stage.target("unix", echo);
    const messages: string[] = [];
    const { bridges, directory } = await serving(
      { httpProxy: target },
      { debug: (message) => void messages.push(message) },
    );
    const path = directory.socket("http-proxy");
    for (const above of [dirname(directory.path), directory.path]) chmodSync(above, 0o711);
    chmodSync(path, 0o666);
    const ask = ["echo-unix", path, "hello"];
    expect(await probed([probe, ...ask])).toMatchObject({ errno: 0, text: "hello" });
    const stranger = ["setpriv", "--reuid", "4711", "--regid", "4711", "--clear-groups", probe, ...ask];
    expect(await probed(stranger)).toMatchObject({ errno: expect.stringMatching(/ECONNRESET|EPIPE/) });
    expect(bridges.statistics()).toMatchObject([{ accepted: 1, strangers: 1 }]);
    expect(messages).toEqual(["http-proxy: a client of the user 4711 was turned away"]);
  });

  test("nobody waits for ever at the connection limit", async ({ stage }) => {
    const target = await stage.target("unix", echo);
    const { directory } = await serving({ httpProxy: target }, { connectionLimit: 2 });
    const clients = Array.from({ length: 20 }, () =>
      stage.client({ kind: "unix", path: directory.socket("http-proxy") }).end(hello),
    );
    expect(await Promise.all(clients.map(received))).toEqual(clients.map(() => whole(hello)));
  });
});

describe("into the sandbox", () => {
  for (const host of ["127.0.0.1", "::1"]) {
    test(`a port that is published on ${host} takes clients before anybody relays`, async ({ stage }) => {
      const { bridges, published } = await serving({ publish: [{ ...anyPort, host }] });
      const early = clientOf(stage, published).end(hello);
      await once(early, "connect");
      inside(stage, bridges, await stage.target("tcp", echo));
      expect(await received(early)).toEqual(whole(hello));
      expect(bridges.statistics()).toMatchObject([{ kind: "published-port", accepted: 1, refused: 0 }]);
    });
  }

  test("a client is reset when its port refuses, and served when it listens again", async ({ stage }) => {
    const { bridges, published } = await serving({ publish: [anyPort] });
    const refused = inside(stage, bridges, await stage.refusingTarget("tcp"));
    expect(await received(clientOf(stage, published).end(hello))).toMatchObject({ end: "ECONNRESET" });
    expect(await received(clientOf(stage, published))).toMatchObject({ end: "ECONNRESET" });
    expect(bridges.statistics()).toMatchObject([{ accepted: 2, refused: 2, open: 0 }]);
    expect(refused.statistics()).toMatchObject([{ accepted: 2, refused: 2 }]);
  });

  test("a server that ends without a word is no refusal", async ({ stage }) => {
    const { bridges, published } = await serving({ publish: [anyPort] });
    inside(stage, bridges, await stage.target("tcp", (socket) => void socket.end()));
    expect(await received(clientOf(stage, published))).toMatchObject({ sizeBytes: 0, end: "end" });
    expect(bridges.statistics()).toMatchObject([{ accepted: 1, refused: 0 }]);
  });

  test("a server that speaks first is heard from its first byte", async ({ stage }) => {
    const { bridges, published } = await serving({ publish: [anyPort] });
    inside(stage, bridges, await stage.target("tcp", (socket) => void socket.end(hello)));
    expect(await received(clientOf(stage, published))).toEqual(whole(hello));
  });

  test("a port is called what it is in messages, and no path leads to it", async ({ stage }) => {
    const messages: string[] = [];
    const { bridges, published, directory } = await opened(
      { publish: [anyPort] },
      { debug: (message) => void messages.push(message) },
    );
    expect(readdirSync(directory.path)).toEqual([]);
    bridges.serve();
    directory.close();
    bridges.handedOver();
    expect(await received(clientOf(stage, published))).toMatchObject({ end: "ECONNRESET" });
    expect(bridges.statistics()).toMatchObject([{ connect: "port 8080 of the sandbox", refused: 1 }]);
    expect(messages).toEqual([
      expect.stringContaining("cannot connect to port 8080 of the sandbox: connect: ECONNREFUSED"),
    ]);
  });

  test("clients are reset when nobody holds the sandbox's end any more, those who wait too", async ({ stage }) => {
    const { bridges, published } = await serving({ publish: [anyPort] });
    const waiting = clientOf(stage, published);
    await once(waiting, "connect");
    const over = received(waiting);
    bridges.handedOver();
    expect(await over).toMatchObject({ end: "ECONNRESET" });
    expect(await received(clientOf(stage, published))).toMatchObject({ end: "ECONNRESET" });
  });
});

describe("the end", () => {
  test("leaves no socket, no descriptor and no connection", async ({ stage }) => {
    const before = sockets();
    const target = await stage.target("unix");
    const listening = sockets() - before;
    const { bridges, directory } = await serving({ httpProxy: target, localPorts: [4000], publish: [anyPort] });
    expect(readdirSync(directory.path).sort()).toEqual(["http-proxy", "local-4000"]);
    const client = stage.client({ kind: "unix", path: directory.socket("http-proxy") });
    await once(client, "connect");
    const over = received(client);
    bridges.close();
    bridges.close();
    bridges.serve();
    expect(await over).toMatchObject({ sizeBytes: 0 });
    expect(readdirSync(directory.path)).toEqual([]);
    client.destroy();
    await once(client, "close");
    expect(sockets() - before - listening).toBeLessThanOrEqual(1); // the target's own end of the connection
  });

  test("is the same when nothing was served", async () => {
    const before = sockets();
    const { bridges, directory } = await opened({ localPorts: [4000], publish: [anyPort] });
    bridges.close();
    expect(readdirSync(directory.path)).toEqual([]);
    expect(sockets()).toBe(before);
  });

  test("comes at once when a listener cannot be opened, and then there is none", async () => {
    const { published } = await opened({ publish: [anyPort] });
    const before = sockets();
    const directory = runtimeDirectory();
    const request = { ...noBridges, localPorts: [4000], publish: [published] };
    await expect(HostBridges.open(addon, request, directory, { uid })).rejects.toMatchObject({
      code: "FENCE_LISTEN",
      details: { errno: "EADDRINUSE" },
    });
    expect(readdirSync(directory.path)).toEqual([]);
    expect(sockets()).toBe(before);
  });

  test("does not fail when the directory is gone already", async () => {
    const { bridges, directory } = await serving({ localPorts: [4000] });
    directory.close();
    bridges.close();
    expect(existsSync(directory.path)).toBe(false);
  });
});

test.for<[what: string, request: Partial<HostBridgeRequest>, says: string]>([
  [
    "a local port that is the HTTP proxy's",
    { httpProxy: { kind: "unix", path: "/p" }, localPorts: [3128] },
    "the local port 3128 must not be one that a proxy is reached at in the sandbox",
  ],
  [
    "a published port that is a local one",
    { localPorts: [8080], publish: [anyPort] },
    "the published port 8080 must not be one that leads out of the sandbox: a proxy's, or a local port",
  ],
  [
    "one port of the host that is published twice",
    {
      publish: [
        { ...anyPort, hostPort: 8000 },
        { ...anyPort, host: "0.0.0.0", hostPort: 8000 },
      ],
    },
    "--publish must be a listener of its own for each bridge",
  ],
  [
    "more than the sandbox can have",
    { localPorts: Array.from({ length: 101 }, (_, i) => 2000 + i) },
    "a sandbox must have at most 200 bridges, got 202",
  ],
])("%s is an error", async ([, request, says]) => {
  const directory = runtimeDirectory();
  const opening = HostBridges.open(addon, { ...noBridges, ...request }, directory, { uid, hasIpv6: true });
  await expect(opening).rejects.toMatchObject({ code: "FENCE_USAGE", message: expect.stringContaining(says) });
  expect(readdirSync(directory.path)).toEqual([]);
});

async function opened(request: Partial<HostBridgeRequest>, options: Partial<HostBridgesOptions> = {}) {
  const directory = runtimeDirectory();
  const bridges = await HostBridges.open(addon, { ...noBridges, ...request }, directory, { uid, ...options });
  onTestFinished(() => bridges.close());
  const [published = anyPort] = bridges.published;
  return { bridges, directory, published };
}

async function serving(request: Partial<HostBridgeRequest>, options: Partial<HostBridgesOptions> = {}) {
  const ends = await opened(request, options);
  ends.bridges.serve();
  return ends;
}

/** The bridge in the sandbox, on the listener that the launcher hands over. */
function inside(stage: Stage, bridges: HostBridges, target: Address) {
  const fd = addon.duplicateAboveStdio(bridges.handed[0]?.fd ?? -1);
  bridges.handedOver();
  const listener = inheritListener(addon, fd, { kind: "descriptor", descriptor: 7 });
  return stage.relay([{ listener, target, acknowledge: true }]);
}

function clientOf(stage: Stage, { host, hostPort: port }: PublishedPort): Socket {
  return stage.client({ kind: "tcp", host, port });
}

function runtimeDirectory(): RuntimeDirectory {
  const runtime = mkdtempSync(join(tmpdir(), "fb-"));
  const directory = RuntimeDirectory.make(addon, { environment: { XDG_RUNTIME_DIR: runtime }, uid });
  onTestFinished(() => {
    directory.close();
    rmSync(runtime, { recursive: true, force: true });
  });
  return directory;
}

/** How many this process has. */
function sockets(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
    } catch {
      return false; // it was the directory's own
    }
  }).length;
}

async function probed([file = "", ...args]: readonly string[]): Promise<unknown> {
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk) => void chunks.push(chunk));
  await once(child, "close");
  return JSON.parse(Buffer.concat(chunks).toString());
}
