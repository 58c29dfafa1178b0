import { once } from "node:events";
import type { Socket } from "node:net";
import { expect } from "vitest";
import { type Address, formatAddress } from "../../../src/bridge/address.ts";
import type { ProcessLimits } from "../../kit/bridge-process.ts";
import { type Kind, type Stage, test } from "../../kit/bridges.ts";
import { received, whole } from "../../kit/bytes.ts";

const hello = Buffer.from("hello");

test.for([30, 50])(
  "with %i descriptors 50 clients at once are all served, nobody is dropped",
  async (limit, { stage }) => {
    const target = await stage.target("tcp", (socket) => socket.pipe(socket));
    const { bridge, listen } = await started(stage, "unix", target, { descriptorLimit: limit });
    const clients = Array.from({ length: 50 }, () => stage.client(listen));
    await Promise.all(clients.map((client) => once(client, "connect")));
    expect(await Promise.all(clients.map((client) => received(client.end(hello))))).toEqual(
      clients.map(() => whole(hello)),
    );
    bridge.signal("SIGTERM");
    expect(await bridge.ended()).toEqual({ status: 0, stderr: "" });
  },
);

const readers = 1000;
/** More than all the kernel's buffers on one way hold. */
const flood = Buffer.alloc(64 << 20);
/** The goal is 12 MB; what the garbage collector has not collected yet is for the rest. */
const boundBytes = 24 << 20;

test.for([
  ["tcp", "unix", "client", "kept"],
  ["tcp", "unix", "client", "dropped"],
  ["tcp", "unix", "target", "kept"],
  ["tcp", "unix", "target", "dropped"],
  ["unix", "tcp", "client", "dropped"],
  ["unix", "tcp", "target", "dropped"],
  ["unix", "unix", "client", "dropped"],
] as const)(
  "%s -> %s: 1000 readers that stop (the %s), with capabilities %s, cost less than 24 MB",
  async ([...way], { stage }) => {
    const [listenKind, connect, stops, capabilities] = way;
    const writers: Socket[] = [];
    const target = await stage.target(connect, (socket) => {
      socket.once("data", (mode) => {
        socket.write(hello);
        if (String(mode) === "hello") return;
        if (stops === "client") writers.push(flooding(socket));
        else socket.pause();
      });
    });
    const { bridge, listen } = await started(stage, listenKind, target, { capabilities });
    const everybodyElseWasServed = async (): Promise<void> => {
      for (let times = 0; times < 2; times++) await answered(stage.client(listen), "hello");
    };
    await everybodyElseWasServed();
    const before = bridge.privateBytes;
    const blocked = Array.from({ length: readers }, async () => {
      const client = stage.client(listen);
      await answered(client, "stop");
      if (stops === "target") writers.push(flooding(client));
    });
    await Promise.all(blocked);
    await everybodyElseWasServed();
    const grownBytes = bridge.privateBytes - before;
    expect(writers.filter(({ writableLength }) => writableLength > 0)).toHaveLength(readers);
    expect(grownBytes).toBeLessThan(boundBytes);
  },
);

/** It has more to write than anybody takes. */
function flooding(socket: Socket): Socket {
  socket.write(flood);
  return socket;
}

async function started(stage: Stage, kind: Kind, target: Address, limits: ProcessLimits) {
  const listen = kind === "unix" ? stage.freeAddress("unix") : await stage.refusingTarget(kind);
  const bridge = stage.process([`${formatAddress(listen)}=${formatAddress(target)}`], limits);
  expect(await bridge.ready).toContain("ready");
  return { bridge, listen };
}

/** Reads the beginning of the answer, and no more. */
async function answered(client: Socket, request: string): Promise<void> {
  client.write(request);
  await once(client, "readable");
}
