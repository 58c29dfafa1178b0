import { once } from "node:events";
import type { Socket } from "node:net";
import { expect } from "vitest";
import { type Address, formatAddress } from "../../../src/bridge/address.ts";
import { type Kind, type Stage, test } from "../../kit/bridges.ts";
import { received, whole } from "../../kit/bytes.ts";

const hello = Buffer.from("hello");

test.for([30, 50])(
  "with %i descriptors 50 clients at once are all served, nobody is dropped",
  async (limit, { stage }) => {
    const target = await stage.target("tcp", (socket) => socket.pipe(socket));
    const { bridge, listen } = await started(stage, "unix", target, limit);
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

test.for([
  ["tcp", "unix"],
  ["unix", "tcp"],
  ["unix", "unix"],
] as const)("%s -> %s: 1000 blocked readers cost less than 12 MB", async ([listenKind, connect], { stage }) => {
  const flood = Buffer.alloc(8 << 20);
  const target = await stage.target(connect, (socket) => {
    socket.once("data", (mode) => (String(mode) === "flood" ? socket.write(flood) : socket.write(hello)));
  });
  const { bridge, listen } = await started(stage, listenKind, target);
  await answered(stage.client(listen), "hello");
  const before = bridge.privateBytes;
  await Promise.all(Array.from({ length: readers }, () => answered(stage.client(listen), "flood")));
  // The bridge has served everybody else twice when these have had their turns.
  await answered(stage.client(listen), "hello");
  await answered(stage.client(listen), "hello");
  console.log("GROWTH", listenKind, connect, (bridge.privateBytes - before) / 1048576);
  expect(bridge.privateBytes - before).toBeLessThan(12 << 20);
});

async function started(stage: Stage, kind: Kind, target: Address, descriptorLimit?: number) {
  const listen = kind === "unix" ? stage.freeAddress("unix") : await stage.refusingTarget(kind);
  const bridge = stage.process([`${formatAddress(listen)}=${formatAddress(target)}`], descriptorLimit);
  expect(await bridge.ready).toContain("ready");
  return { bridge, listen };
}

/** Reads the beginning of the answer, and no more. */
async function answered(client: Socket, request: string): Promise<void> {
  client.write(request);
  await once(client, "readable");
}
