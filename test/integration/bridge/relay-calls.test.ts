import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import addon from "landlock-napi/addon";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import type { Address } from "../../../src/bridge/address.ts";
import { decodePort, encodeAddress, familyOf } from "../../../src/bridge/sockaddr.ts";

const EBADF = -9;
const EAGAIN = -11;
const EINVAL = -22;
const EPIPE = -32;
const ENOTSOCK = -88;
const EINPROGRESS = -115;
const ECONNRESET = 104;

const open = new Set<number>();
afterEach(() => {
  for (const fd of open) close(fd);
});

describe("the relay's calls", () => {
  test("a message is received though whoever sent it closed with messages unread", () => {
    const ends = new Int32Array(2);
    expect(addon.messagePair(ends)).toBe(0);
    const [near = -1, far = -1] = ends;
    opened(near);
    expect(addon.sendMessage(near, Buffer.from("unread"), -1, -1)).toBe(0);
    expect(addon.sendMessage(far, Buffer.from("last"), -1, -1)).toBe(0);
    expect(close(far)).toBe(0);
    const received = Buffer.alloc(8);
    expect(addon.receiveMessage(near, received, new Int32Array(1))).toBe(4);
    expect(received.toString("latin1", 0, 4)).toBe("last");
    expect(addon.receiveMessage(near, received, new Int32Array(1))).toBe(0);
  });

  test("answer -errno and never throw for a failed system call", () => {
    const bytes = Buffer.alloc(8);
    const address = encodeAddress({ kind: "tcp", host: "127.0.0.1", port: 1 });
    const results = {
      bind: addon.bind(-1, address),
      listen: addon.listen(-1, 1),
      accept: addon.accept(-1),
      connect: addon.connect(-1, address),
      socketName: addon.socketName(-1, address),
      shutdownWrite: addon.shutdownWrite(-1),
      setNonblocking: addon.setNonblocking(-1),
      setMode: addon.setMode(-1, 0o600),
      reuseAddress: addon.reuseAddress(-1),
      noDelay: addon.noDelay(-1),
      doNotPace: addon.doNotPace(-1),
      writableWhenSent: addon.writableWhenSent(-1),
      resetOnClose: addon.resetOnClose(-1),
      takeError: addon.takeError(-1),
      peerUid: addon.peerUid(-1),
      listeningFamily: addon.listeningFamily(-1),
      lock: addon.lock(-1, 1),
      unread: addon.unread(-1),
      unacknowledged: addon.unacknowledged(-1),
      unsent: addon.unsent(-1),
      receive: addon.receive(-1, bytes),
      send: addon.send(-1, bytes, 0, 8, 0),
      writePipe: addon.writePipe(-1, bytes, 0, 8),
      setPipeSize: addon.setPipeSize(-1, 4096),
      splice: addon.splice(-1, -1, 8),
      epollControl: addon.epollControl(-1, 1, -1, 1, 1),
      epollWait: addon.epollWait(-1, new Int32Array(2)),
    };
    expect(results).toEqual(Object.fromEntries(Object.keys(results).map((call) => [call, EBADF])));
    expect(addon.socket(12345)).toBe(-97);
  });

  test("refuse to touch bytes outside the buffer", () => {
    const bytes = Buffer.alloc(8);
    for (const [start, end] of [
      [0, 9],
      [5, 4],
      [-1, 4],
      [9, 9],
    ] as const) {
      expect(() => addon.send(-1, bytes, start, end, 0)).toThrow(TypeError);
      expect(() => addon.writePipe(-1, bytes, start, end)).toThrow(TypeError);
    }
    expect(() => addon.connect(-1, Buffer.alloc(129))).toThrow(TypeError);
    expect(() => addon.pipe(new Int32Array(1))).toThrow(TypeError);
    expect(() => addon.epollWait(-1, new Int32Array(1))).toThrow(TypeError);
  });

  test("refuse arguments of the wrong type", () => {
    // @ts-expect-error a number is needed
    expect(() => addon.accept("1")).toThrow(TypeError);
    // @ts-expect-error bytes are needed
    expect(() => addon.receive(1, "bytes")).toThrow(TypeError);
    // @ts-expect-error five arguments are needed
    expect(() => addon.send(1, Buffer.alloc(1))).toThrow(TypeError);
    // @ts-expect-error 32-bit integers are needed
    expect(() => addon.pipe(new Float64Array(2))).toThrow(TypeError);
  });

  test("never block", () => {
    const { client, server } = pair();
    expect(addon.receive(client, Buffer.alloc(8))).toBe(EAGAIN);
    const bytes = Buffer.alloc(1 << 20);
    let last = 0;
    while (last !== EAGAIN) last = addon.send(client, bytes, 0, bytes.length, 0);
    expect(addon.unread(server)).toBeGreaterThan(0);
  });

  test("never raise SIGPIPE", () => {
    const { client, server } = pair();
    const { readEnd, writeEnd } = pipe();
    expect(addon.writePipe(writeEnd, Buffer.from("x"), 0, 1)).toBe(1);
    close(server);
    expect(addon.send(client, Buffer.from("x"), 0, 1, 0)).toBe(EPIPE);
    addon.ignoreSigpipe();
    expect(addon.splice(readEnd, client, 1)).toBe(EPIPE);
  });

  test("move bytes through a pipe", () => {
    const { client, server } = pair();
    const { readEnd, writeEnd } = pipe();
    expect(addon.setPipeSize(writeEnd, 65_536)).toBe(65_536);
    expect(addon.send(client, Buffer.from("-hello-"), 1, 6, 0)).toBe(5);
    expect(addon.splice(server, writeEnd, 100)).toBe(5);
    expect(addon.splice(readEnd, server, 100)).toBe(5);
    const bytes = Buffer.alloc(8);
    expect(addon.receive(client, bytes)).toBe(5);
    expect(bytes.toString("latin1", 0, 5)).toBe("hello");
    addon.shutdownWrite(server);
    expect(addon.receive(client, bytes)).toBe(0);
  });

  test("report events as pairs of id and events, no more than fit", () => {
    const epoll = opened(addon.epollCreate());
    const first = pair();
    const second = pair();
    expect(addon.epollControl(epoll, 1, first.client, 0x4, 7)).toBe(0);
    expect(addon.epollControl(epoll, 1, second.client, 0x4, 0x7fffffff)).toBe(0);
    const room = new Int32Array(4);
    expect(addon.epollWait(epoll, room)).toBe(2);
    expect(
      new Map([
        [room[0], room[1]],
        [room[2], room[3]],
      ]),
    ).toEqual(
      new Map([
        [7, 0x4],
        [0x7fffffff, 0x4],
      ]),
    );
    expect(addon.epollWait(epoll, new Int32Array(2))).toBe(1);
    expect(addon.epollWait(epoll, new Int32Array(3))).toBe(1);
  });

  test("answer the port that the kernel chose", () => {
    const loopback = { kind: "tcp", host: "::1", port: 0 } as const;
    const listener = opened(addon.socket(familyOf(loopback)));
    const name = encodeAddress(loopback);
    expect(addon.bind(listener, name)).toBe(0);
    expect(addon.listen(listener, 1)).toBe(0);
    expect(addon.socketName(listener, name)).toBe(name.length);
    expect(addon.connect(opened(addon.socket(familyOf(loopback))), name)).toBe(EINPROGRESS);
    expect(opened(addon.accept(listener))).toBeGreaterThan(0);
    expect(decodePort(name)).toBeGreaterThan(0);
  });

  test("give accepted sockets the listener's TCP_NODELAY", () => {
    // Without it a second small write would wait for the peer to acknowledge the first, up to 40 ms.
    const { client, server } = tcpPair();
    for (const byte of ["a", "b"]) expect(addon.send(server, Buffer.from(byte), 0, 1, 0)).toBe(1);
    expect(addon.unsent(server)).toBe(0);
    expect(addon.unread(client)).toBe(2);
  });

  test("answer who the peer of a Unix socket is", () => {
    const { client, server } = pair();
    expect(addon.peerUid(server)).toBe(process.geteuid?.());
    expect(addon.peerUid(client)).toBe(process.geteuid?.());
  });

  test("answer the family of a stream socket that listens, and of no other", () => {
    for (const host of ["127.0.0.1", "::1"]) {
      const address = { kind: "tcp", host, port: 0 } as const;
      const socket = opened(addon.socket(familyOf(address)));
      addon.bind(socket, encodeAddress(address));
      expect(addon.listeningFamily(socket)).toBe(EINVAL);
      addon.listen(socket, 1);
      expect(addon.listeningFamily(socket)).toBe(familyOf(address));
    }
    expect(addon.listeningFamily(pair().client)).toBe(EINVAL);
    expect(addon.listeningFamily(pipe().readEnd)).toBe(ENOTSOCK);
  });

  test("lock a directory for all, or for one, and never wait", () => {
    const directory = mkdtempSync(join(tmpdir(), "fence-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const [one, other] = [opened(openSync(directory, "r")), opened(openSync(directory, "r"))];
    const [shared, exclusive, none] = [1, 2, 8];
    expect([addon.lock(one, shared), addon.lock(other, shared)]).toEqual([0, 0]);
    expect(addon.lock(one, exclusive)).toBe(EAGAIN);
    expect(addon.lock(other, exclusive)).toBe(0); // the first one has lost what it had
    expect(addon.lock(one, shared)).toBe(EAGAIN);
    expect([addon.lock(other, none), addon.lock(one, exclusive)]).toEqual([0, 0]);
  });

  test("a reset is sent when the socket is closed, and found as the pending error", () => {
    const { client, server } = tcpPair();
    expect(addon.resetOnClose(client)).toBe(0);
    expect(close(client)).toBe(0);
    expect(addon.takeError(server)).toBe(ECONNRESET);
    expect(addon.takeError(server)).toBe(0);
  });
});

/** Two Unix sockets that are connected with each other. */
function pair() {
  const directory = mkdtempSync(join(tmpdir(), "fence-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return connected({ kind: "unix", path: join(directory, "socket") });
}

function tcpPair() {
  return connected({ kind: "tcp", host: "127.0.0.1", port: 0 });
}

function connected(address: Address) {
  const listener = opened(addon.socket(familyOf(address)));
  const name = encodeAddress(address);
  if (address.kind === "tcp") addon.noDelay(listener);
  addon.bind(listener, name);
  addon.listen(listener, 1);
  if (address.kind === "tcp") addon.socketName(listener, name);
  const client = opened(addon.socket(familyOf(address)));
  addon.connect(client, name);
  const server = opened(addon.accept(listener));
  expect(server).toBeGreaterThan(0);
  return { client, server };
}

function pipe() {
  const ends = new Int32Array(2);
  expect(addon.pipe(ends)).toBe(0);
  const [readEnd = -1, writeEnd = -1] = ends;
  return { readEnd: opened(readEnd), writeEnd: opened(writeEnd) };
}

/** Closed after the test, unless close() was called before. */
function opened(fd: number): number {
  open.add(fd);
  return fd;
}

function close(fd: number): number {
  open.delete(fd);
  return addon.closeDescriptor(fd);
}
