/**
 * Bridges with real sockets on both sides, all in this process: clients and targets are Node's, the relays are ours.
 *
 * Runs:     in the bridge tests.
 * Promises: every port is the kernel's choice, every path is in a directory of its own; all is closed after the test.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, connect as netConnect, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import realAddon from "landlock-napi/addon";
import { test as baseTest } from "vitest";
import type { Address, ListenAddress } from "../../src/bridge/address.ts";
import type { OpenBridge } from "../../src/bridge/bridge.ts";
import { Bridges, type BridgesOptions, openBridges } from "../../src/bridge/bridges.ts";
import { encodeAddress, familyOf } from "../../src/bridge/sockaddr.ts";
import type { Addon } from "../../src/sys/addon.ts";
import { BridgeProcess, type ProcessLimits } from "./bridge-process.ts";

export type Kind = "tcp" | "tcp6" | "unix";
/** [listener, target] */
export type Way = readonly [Kind, Kind];

/** The two directions in which bridges are used, over IPv4 and IPv6. */
export const ways: readonly Way[] = [
  ["tcp", "unix"],
  ["unix", "tcp"],
  ["tcp6", "unix"],
  ["unix", "tcp6"],
];

/** The addon's calls, some of them replaced. */
export function doors(replaced: Partial<Addon> = {}): Addon {
  return { ...realAddon, ...replaced };
}

/** The addon's calls, and how many bytes relays have read through them. */
export function countedDoors(): { readonly addon: Addon; readonly passed: () => number } {
  let read = 0;
  const count = (size: number): number => {
    read += Math.max(size, 0);
    return size;
  };
  const pipes = new Set<number>();
  const addon = doors({
    receive: (fd, buffer) => count(realAddon.receive(fd, buffer)),
    pipe: (ends) => {
      const result = realAddon.pipe(ends);
      for (const end of ends) pipes.add(end);
      return result;
    },
    splice: (from, to, length) => {
      const size = realAddon.splice(from, to, length);
      return pipes.has(to) ? count(size) : size;
    },
  });
  return { addon, passed: () => read };
}

/** Everything that one test opens. */
export class Stage {
  readonly #closers: (() => void)[] = [];

  close(): void {
    for (const close of this.#closers.reverse()) close();
  }

  /** Short, because a Unix socket's path holds 107 bytes. */
  directory(): string {
    const path = mkdtempSync(join(tmpdir(), "fence-"));
    this.#closers.push(() => rmSync(path, { recursive: true, force: true }));
    return path;
  }

  /** An address that is free: port 0, or a path in a fresh directory. */
  freeAddress(kind: Kind): Address {
    if (kind === "unix") return { kind, path: join(this.directory(), "socket") };
    return { kind: "tcp", host: kind === "tcp6" ? "::1" : "127.0.0.1", port: 0 };
  }

  /** A server whose connections do not end by themselves. "unread": what they receive stays in the kernel. */
  async target(
    kind: Kind,
    onConnection: (socket: Socket) => void = () => {},
    input: "read" | "unread" = "read",
  ): Promise<Address> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: input === "unread" }, (socket) => {
      onConnection(this.#opened(socket));
    });
    this.#closers.push(() => void server.close());
    const asked = this.freeAddress(kind);
    // With a short backlog Linux resets some of many TCP connections at a time, although connect(2) has succeeded.
    server.listen({ ...endpoint(asked), backlog: 4096 });
    await once(server, "listening");
    return withPort(asked, server);
  }

  /** A Unix socket that nobody accepts from, and whose backlog is full; serve() makes it an echo server. */
  fullBacklog(): { readonly address: Address; readonly serve: () => void } {
    const address = this.freeAddress("unix");
    const name = encodeAddress(address);
    const listener = realAddon.socket(familyOf(address));
    realAddon.bind(listener, name);
    realAddon.listen(listener, 0);
    for (let result = 0; result === 0; ) {
      const filler = realAddon.socket(familyOf(address));
      result = realAddon.connect(filler, name);
      this.#closers.push(() => realAddon.closeDescriptor(filler));
    }
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#opened(socket).pipe(socket));
    this.#closers.push(() => void server.close());
    return { address, serve: () => void server.listen({ fd: listener }) };
  }

  /** Where nobody listens. */
  async refusingTarget(kind: Kind): Promise<Address> {
    const server = createServer();
    const asked = this.freeAddress(kind);
    server.listen(endpoint(asked));
    await once(server, "listening");
    const address = withPort(asked, server);
    server.close();
    await once(server, "close");
    return address;
  }

  /** A bridge from a fresh address to the target. */
  bridge(kind: Kind, target: Address, options: Partial<BridgesOptions> = {}, addon: Addon = realAddon): StartedBridge {
    const open = openBridges(addon, [{ listen: this.freeAddress(kind), connect: target }]);
    const address = open[0]?.listener.address;
    if (address === undefined || address.kind === "descriptor") throw new Error("no listener");
    return { bridges: this.relay(open, options, addon), address };
  }

  relay(open: readonly OpenBridge[], options: Partial<BridgesOptions> = {}, addon: Addon = realAddon): Bridges {
    const bridges = new Bridges(addon, open, options);
    this.#closers.push(() => bridges.close());
    return bridges;
  }

  /** `fence bridge` in a child process, which is killed when it outlives the test. */
  process(bridges: readonly string[], limits?: ProcessLimits): BridgeProcess {
    const started = new BridgeProcess(bridges, limits);
    this.#closers.push(() => started.signal("SIGKILL"));
    return started;
  }

  /** A client that does not end by itself. */
  client(address: ListenAddress): Socket {
    return this.#opened(netConnect({ ...endpoint(address), allowHalfOpen: true }));
  }

  /** An error that no test looks at must not end them all. */
  #opened(socket: Socket): Socket {
    this.#closers.push(() => void socket.destroy());
    return socket.on("error", () => {});
  }
}

export interface StartedBridge {
  readonly bridges: Bridges;
  readonly address: Address;
}

/** Tests that get a stage, which is closed after them. */
export const test = baseTest.extend<{ readonly stage: Stage }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixture's needs from this pattern
  stage: async ({}, use) => {
    const stage = new Stage();
    await use(stage);
    stage.close();
  },
});

function endpoint(address: ListenAddress): { path: string } | { host: string; port: number } {
  if (address.kind === "descriptor") throw new Error("nobody knows where a descriptor listens");
  return address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
}

function withPort(asked: Address, server: Server): Address {
  const address = server.address();
  if (asked.kind === "unix") return asked;
  if (address === null || typeof address === "string") throw new Error("no port");
  return { ...asked, port: address.port };
}
