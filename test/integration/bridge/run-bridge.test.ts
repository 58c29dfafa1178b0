import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { describe, expect } from "vitest";
import { type Address, formatAddress } from "../../../src/bridge/address.ts";
import { type Stage, test } from "../../kit/bridges.ts";
import { payload, received, whole } from "../../kit/bytes.ts";

const bytes = payload(1 << 20);

describe("fence bridge", () => {
  test("prints one line when all bridges are ready, and relays", async ({ stage }) => {
    const target = await stage.target("tcp", (socket) => socket.pipe(socket));
    const other = await stage.target("unix");
    const [first, second] = [stage.freeAddress("unix"), stage.freeAddress("unix")];
    const bridge = stage.process([specification(first, target), specification(second, other)]);
    expect(await bridge.ready).toBe(`fence: ready: ${arrow(first, target)}, ${arrow(second, other)}\n`);
    const client = stage.client(first).end(bytes);
    expect(await received(client)).toEqual(whole(bytes));
  });

  test.for(["SIGINT", "SIGTERM"] as const)(
    "%s: delivers what it holds, removes its socket, exits 0",
    async (signal, { stage }) => {
      const accepted = Promise.withResolvers<Socket>();
      const target = await stage.target("tcp", (socket) => accepted.resolve(socket.pause()));
      const listen = stage.freeAddress("unix");
      const bridge = stage.process([specification(listen, target)]);
      await bridge.ready;
      await new Promise((resolve) => stage.client(listen).end(bytes, () => resolve(null)));
      const server = await accepted.promise;
      bridge.signal(signal);
      expect(await received(server)).toEqual(whole(bytes));
      expect(await bridge.ended()).toEqual({ status: 0, stderr: "" });
      expect(existsSync(pathOf(listen))).toBe(false);
    },
  );

  test("a signal while nothing is open ends it at once", async ({ stage }) => {
    const listen = stage.freeAddress("unix");
    const bridge = stage.process([specification(listen, await stage.target("unix"))]);
    await bridge.ready;
    bridge.signal("SIGTERM");
    expect(await bridge.ended()).toEqual({ status: 0, stderr: "" });
  });

  test("a peer that does not read: it gives up after 2 s without progress, says so and exits 125", async ({
    stage,
  }) => {
    const { bridge, listen } = await stuck(stage);
    bridge.signal("SIGTERM");
    expect(await bridge.ended()).toEqual({
      status: 125,
      stderr: "FENCE_BRIDGE not everything was delivered: nothing moved for 2 s\n",
    });
    expect(existsSync(pathOf(listen))).toBe(false);
  });

  test("a second signal ends it at once with 128 plus its number, and its socket is removed", async ({ stage }) => {
    const { bridge, listen } = await stuck(stage);
    // When both are pending the kernel delivers the lower number first.
    bridge.signal("SIGINT");
    bridge.signal("SIGTERM");
    expect(await bridge.ended()).toEqual({ status: 128 + 15, stderr: "" });
    expect(existsSync(pathOf(listen))).toBe(false);
  });

  test.for([
    ["before the bridges", ["--debug"], []],
    ["after them", [], ["--debug"]],
  ] as const)(
    "--debug %s: tells why connections failed, and at the end what there was",
    async ([, before, after], { stage }) => {
      const [first, second] = [stage.freeAddress("unix"), stage.freeAddress("unix")];
      const target = await stage.target("tcp", (socket) => socket.pipe(socket));
      const nobody = await stage.refusingTarget("tcp6");
      const bridge = stage.process([...before, specification(first, target), specification(second, nobody), ...after]);
      await bridge.ready;
      expect(await received(stage.client(first).end(bytes))).toEqual(whole(bytes));
      await received(stage.client(second));
      bridge.signal("SIGTERM");
      const refusal = `connect: ECONNREFUSED (connection refused)`;
      const both = `${bytes.length} bytes to the target, ${bytes.length} back`;
      expect(await bridge.ended()).toEqual({
        status: 0,
        stderr: [
          `fence: debug: bridge ${formatAddress(second)}: cannot connect to ${formatAddress(nobody)}: ${refusal}`,
          `fence: debug: bridge ${arrow(first, target)}: 1 accepted, 0 refused, 0 open, ${both}`,
          `fence: debug: bridge ${arrow(second, nobody)}: 1 accepted, 1 refused, 0 open, 0 bytes to the target, 0 back`,
          "",
        ].join("\n"),
      });
    },
  );

  test("with an option that it does not have exits 125", async ({ stage }) => {
    const usage = stage.process(["--debgu", specification(stage.freeAddress("unix"), stage.freeAddress("unix"))]);
    expect(await usage.ended()).toEqual({ status: 125, stderr: 'FENCE_USAGE unknown option "--debgu"\n' });
  });

  test("without bridges, and with a wrong one, exits 125", async ({ stage }) => {
    expect(await stage.process([]).ended()).toEqual({ status: 125, stderr: "FENCE_USAGE no bridge was named\n" });
    const wrong = await stage.process(["tcp:80=unix:/a"]).ended();
    expect(wrong).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(/^FENCE_USAGE a bridge must be tcp:HOST/),
    });
  });

  test("that cannot open one listener opens none and prints no ready line", async ({ stage }) => {
    const target = await stage.target("unix");
    const [first, second] = [stage.freeAddress("unix"), stage.freeAddress("unix")];
    writeFileSync(pathOf(second), "in the way");
    const bridge = stage.process([specification(first, target), specification(second, target)]);
    expect(await bridge.ready).toBe("");
    expect(await bridge.ended()).toMatchObject({ status: 125, stderr: expect.stringContaining("FENCE_LISTEN") });
    expect(existsSync(pathOf(first))).toBe(false);
  });
});

/** A bridge with more bytes under way than it can ever deliver. */
async function stuck(stage: Stage) {
  const target = await stage.target("tcp", (socket) => {
    socket.once("data", (first) => (first.length === 1 ? socket.write(first) : socket.pause()));
  });
  const listen = stage.freeAddress("unix");
  const bridge = stage.process([specification(listen, target)]);
  await bridge.ready;
  const client = stage.client(listen);
  client.write(Buffer.alloc(64 << 20));
  // The bridge has served everybody else when it has answered: twice without any progress, and there will be none.
  for (let before = -1; client.writableLength !== before; ) {
    before = client.writableLength;
    for (let times = 0; times < 2; times++) await answered(stage.client(listen));
  }
  expect(client.writableLength).toBeGreaterThan(0);
  return { bridge, listen };
}

async function answered(client: Socket): Promise<void> {
  client.write("x");
  await once(client, "data");
}

function specification(listen: Address, connect: Address): string {
  return `${formatAddress(listen)}=${formatAddress(connect)}`;
}

function arrow(listen: Address, connect: Address): string {
  return `${formatAddress(listen)} -> ${formatAddress(connect)}`;
}

function pathOf(address: Address): string {
  return address.kind === "unix" ? address.path : "";
}
