import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { HostBridgeRequest, PublishedPort } from "../../src/launcher/bridge-ends.ts";
import { received, whole } from "../kit/bytes.ts";
import { HostEnds, runtimeFolder, type User } from "../kit/host-ends.ts";
import { requires } from "../kit/requires.ts";

const users: readonly User[] = ["root", "somebody"];
const hello = Buffer.from("hello");
const anyPort = { host: "127.0.0.1", hostPort: 0 };
const needs = { root: requires("bwrap", "root"), somebody: requires("unprivileged bwrap") };

describe.for(users)("with bwrap as %s", (user) => {
  beforeEach(needs[user]);

  test("the program reaches a port of the host's loopback at the same port", async () => {
    const port = await echoServer("127.0.0.1");
    const ends = new HostEnds(user, { request: { localPorts: [port] }, program: ["echo-tcp", port, "hello"] });
    expect(await ends.printed()).toMatchObject({ errno: 0, text: "hello" });
    expect(await ends.next("ended")).toMatchObject({
      status: 0,
      stderr: "",
      statistics: [{ kind: "local-port", accepted: 1, refused: 0, strangers: 0, bytesToClient: 5 }],
    });
  });

  test("a server that listens on [::1] alone is reached, too", async () => {
    const port = await echoServer("::1");
    const ends = new HostEnds(user, { request: { localPorts: [port] }, program: ["echo-tcp", port, "hello"] });
    expect(await ends.printed()).toMatchObject({ errno: 0, text: "hello" });
    const { messages } = await ends.next("ended");
    expect(messages).toEqual([expect.stringMatching(/tcp:127\.0\.0\.1:\d+: connect: ECONNREFUSED .*trying the next/)]);
  });

  test("the program reaches a proxy of the host", async () => {
    const server = createServer((socket) => {
      socket.once("data", () => socket.end("HTTP/1.1 203 From the proxy\r\n\r\n"));
    });
    const port = await listening(server, "127.0.0.1");
    const httpProxy = { kind: "tcp", host: "127.0.0.1", port } as const;
    const program = ["http-get", 3128, "http://example.com/"];
    const ends = new HostEnds(user, { request: { httpProxy }, program });
    expect(await ends.printed()).toMatchObject({ status: "HTTP/1.1 203 From the proxy" });
    expect(await ends.next("ended")).toMatchObject({ status: 0, statistics: [{ kind: "http-proxy", accepted: 1 }] });
  });

  test("a published port reaches the program, which has none of the launcher's descriptors", async () => {
    const publish = [{ ...anyPort, port: 8080 }];
    const ends = new HostEnds(user, { request: { publish }, program: ["serve-tcp", 8080] });
    const { published } = await ends.next("open");
    expect(await ends.printed()).toEqual({ listening: 8080 });
    expect(await received(client(published[0]).end(hello))).toEqual(whole(hello));
    expect(await ends.next("ended")).toMatchObject({
      status: 0,
      stderr: "",
      statistics: [{ kind: "published-port", accepted: 1, refused: 0, bytesToTarget: 5, bytesToClient: 5 }],
      reports: expect.arrayContaining([
        expect.objectContaining({ event: "ended", bridges: [expect.objectContaining({ listen: "fd:5" })] }),
      ]),
    });
  });

  test("the program inherits no descriptor of a listener", async () => {
    const descriptors = async (publish: HostBridgeRequest["publish"]) => {
      const ends = new HostEnds(user, { request: { publish }, program: ["facts"] });
      const facts = await ends.printed();
      await ends.next("ended");
      return facts.descriptors.map(({ fd }: { fd: number }) => fd);
    };
    expect(await descriptors([{ ...anyPort, port: 8080 }])).toEqual(await descriptors([]));
  });

  test.for<[fd: number, says: RegExp]>([
    [9, /a bridge's listener must be an open descriptor, got 9\n.*code: {2}FENCE_USAGE/s],
    [4, /a bridge's listener must be an open descriptor, got 4/],
    [2, /plan\.bridges\[0\]\.listen must be fd:N with a descriptor from 3/],
  ])("a plan that names the descriptor %s, which is no listener, is refused", async ([fd, says]) => {
    const moreBridges = [{ listen: `fd:${fd}`, connect: "tcp:127.0.0.1:1" }];
    const ends = new HostEnds(user, { program: ["facts"], moreBridges });
    expect(await ends.next("ended")).toMatchObject({ status: 125, stderr: expect.stringMatching(says) });
  });

  test("whoever connects to a published port that nobody listens on is reset, and counted", async () => {
    const publish = [{ ...anyPort, port: 8080 }];
    const ends = new HostEnds(user, { request: { publish }, program: ["wait-signal", 15] });
    const { published } = await ends.next("open");
    await ends.printed();
    for (let i = 0; i < 3; i++) expect(await received(client(published[0]))).toMatchObject({ end: "ECONNRESET" });
    ends.end();
    expect(await ends.next("ended")).toMatchObject({
      statistics: [{ accepted: 3, refused: 3, open: 0 }],
      messages: Array.from({ length: 3 }, () => expect.stringContaining("ECONNREFUSED")),
    });
  });

  test("whoever is connected when the sandbox is killed, or connects afterwards, is not left waiting", async () => {
    const publish = [{ ...anyPort, port: 8080 }];
    const ends = new HostEnds(user, { request: { publish }, program: ["greet-tcp", 8080, "hello"], lingers: true });
    const { published } = await ends.next("open");
    await ends.printed();
    const first = client(published[0]);
    await once(first, "data");
    const over = received(first);
    ends.end();
    expect(await over).toMatchObject({ sizeBytes: 0, end: "end" });
    expect(await ends.next("ended")).toMatchObject({ statistics: [{ accepted: 1, refused: 0 }] });
    expect(await received(client(published[0]))).toMatchObject({ end: "ECONNRESET" });
    ends.leave();
  });

  test("a program that has another number in its user namespace is the same user outside", async () => {
    const port = await echoServer("127.0.0.1");
    const bwrap = ["--unshare-user", "--uid", "1234", "--gid", "1234"];
    const ends = new HostEnds(user, { request: { localPorts: [port] }, program: ["echo-tcp", port, "hello"], bwrap });
    expect(await ends.printed()).toMatchObject({ errno: 0, text: "hello" });
    expect(await ends.next("ended")).toMatchObject({ statistics: [{ accepted: 1, strangers: 0 }] });
  });

  test("many sandboxes at once have their own sockets and ports", async () => {
    const port = await echoServer("127.0.0.1");
    const runtime = runtimeFolder(user);
    const request = { localPorts: [port], publish: [{ ...anyPort, port: 8080 }] };
    const program = ["serve-tcp", 8080];
    const all = Array.from({ length: 6 }, () => new HostEnds(user, { request, program, runtime }));
    const opened = await Promise.all(all.map((ends) => ends.next("open")));
    expect(new Set(opened.map(({ directory }) => directory)).size).toBe(6);
    await Promise.all(all.map((ends) => ends.printed()));
    const answers = opened.map(({ published }, i) => received(client(published[0]).end(`to ${i}`)));
    expect(await Promise.all(answers)).toEqual(opened.map((_, i) => whole(Buffer.from(`to ${i}`))));
    await Promise.all(all.map((ends) => ends.next("ended")));
    await Promise.all(all.map((ends) => ends.gone));
    expect(readdirSync(runtime)).toEqual([]);
  });

  test("once the sandbox is set up its sockets are nowhere on the host, and serve it", async () => {
    const runtime = runtimeFolder(user);
    const port = await echoServer("127.0.0.1");
    // From outside to the port 8081 of the sandbox, where a bridge leads out again through the socket.
    const request = { localPorts: [port], publish: [{ ...anyPort, port: 8081 }] };
    const moreBridges = [{ listen: "tcp:127.0.0.1:8081", connect: `unix:/tmp/fence/run/local-${port}` }];
    const ends = new HostEnds(user, { request, program: ["wait-signal", 15], runtime, moreBridges });
    const { published } = await ends.next("open");
    await ends.next("settled");
    expect(readdirSync(runtime)).toEqual([]);
    expect(await received(client(published[0]).end(hello))).toEqual(whole(hello));
    ends.end();
    await ends.next("ended");
  });

  test("the sockets of a launcher that was killed are swept by the next one", async () => {
    const runtime = runtimeFolder(user);
    const request = { localPorts: [4000], publish: [{ ...anyPort, port: 8080 }] };
    const first = new HostEnds(user, { request, program: ["wait-signal", 15], runtime, keepsDirectory: true });
    const open = await first.next("open");
    await first.printed();
    expect(readdirSync(open.directory)).toEqual(["local-4000"]);
    const second = new HostEnds(user, { program: ["exit", 0], runtime });
    expect(await second.next("open")).toMatchObject({ swept: 0 });
    await second.next("ended");
    await first.kill();
    const third = new HostEnds(user, { program: ["exit", 0], runtime });
    expect(await third.next("open")).toMatchObject({ swept: 1 });
    expect(existsSync(open.directory)).toBe(false);
    await third.next("ended");
  });
});

function client({ host, hostPort: port }: PublishedPort): Socket {
  const socket = connect({ host, port, allowHalfOpen: true }).on("error", () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

async function echoServer(host: string): Promise<number> {
  return listening(
    createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket)),
    host,
  );
}

async function listening(server: ReturnType<typeof createServer>, host: string): Promise<number> {
  onTestFinished(() => void server.close());
  await once(server.listen({ port: 0, host }), "listening");
  return (server.address() as AddressInfo).port;
}
