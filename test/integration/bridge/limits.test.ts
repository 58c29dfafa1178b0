import { once } from "node:events";
import type { Socket } from "node:net";
import realAddon from "landlock-napi/addon";
import { describe, expect } from "vitest";
import { formatAddress } from "../../../src/bridge/address.ts";
import type { Addon } from "../../../src/sys/addon.ts";
import { doors, test, ways } from "../../kit/bridges.ts";
import { payload, received, whole } from "../../kit/bytes.ts";

const EAGAIN = 11;
const EMFILE = 24;
const ECONNREFUSED = 111;
const shortages = { EMFILE, ENFILE: 23, ENOBUFS: 105, ENOMEM: 12 };

describe("at the connection limit", () => {
  test.for(ways)("%s -> %s: the third client waits for one of two to end", async ([listen, connect], { stage }) => {
    const target = await stage.target(connect, (socket) => socket.pipe(socket));
    const { bridges, address } = stage.bridge(listen, target, { connectionLimit: 2 });
    const [first, second] = [stage.client(address), stage.client(address)];
    await Promise.all([first, second].map((client) => once(client.resume(), "connect")));
    const third = stage.client(address);
    await once(third, "connect");
    third.write("hello");
    // The relays have had their turn after the third client was there.
    await Promise.all([first, second].map((client) => echoed(client)));
    expect(bridges.statistics()[0]).toMatchObject({ accepted: 2, open: 2 });
    first.destroy();
    await once(third, "data");
    expect(bridges.statistics()[0]).toMatchObject({ accepted: 3, refused: 0 });
  });

  test.for(ways)("%s -> %s: 40 clients are served two at a time", async ([listen, connect], { stage }) => {
    const target = await stage.target(connect, (socket) => socket.pipe(socket));
    const { bridges, address } = stage.bridge(listen, target, { connectionLimit: 2 });
    const clients = Array.from({ length: 40 }, () => stage.client(address).end("hello"));
    expect(await Promise.all(clients.map(received))).toEqual(clients.map(() => whole(Buffer.from("hello"))));
    expect(bridges.statistics()[0]).toMatchObject({ accepted: 40, open: 0 });
  });
});

describe("a target that refuses", () => {
  test.for([...ways, ["tcp", "tcp"], ["unix", "unix"]] as const)(
    "%s -> %s: ends the client at once, with a reset if it can, and is counted",
    async ([listen, connect], { stage }) => {
      const told: string[] = [];
      const refusing = await stage.refusingTarget(connect);
      const { bridges, address } = stage.bridge(listen, refusing, { debug: (message) => told.push(message) });
      const end = listen === "unix" ? "end" : "ECONNRESET";
      expect(await received(stage.client(address))).toMatchObject({ sizeBytes: 0, end });
      expect(bridges.statistics()[0]).toMatchObject({ accepted: 1, refused: 1, open: 0 });
      const errno = connect === "unix" ? "ENOENT" : "ECONNREFUSED";
      const where = `bridge ${formatAddress(address)}: cannot connect to ${formatAddress(refusing)}`;
      expect(told).toEqual([expect.stringContaining(`${where}: connect: ${errno} (`)]);
    },
  );

  test.for(ways)("%s -> %s: does not keep the next client from it when it is back", async (way, { stage }) => {
    let refusals = 1;
    const addon = doors({
      connect: (fd, address) => (refusals-- > 0 ? -ECONNREFUSED : realAddon.connect(fd, address)),
    });
    const target = await stage.target(way[1], (socket) => socket.end("hello"));
    const { bridges, address } = stage.bridge(way[0], target, {}, addon);
    expect(await received(stage.client(address))).toMatchObject({ sizeBytes: 0 });
    expect(await received(stage.client(address))).toEqual(whole(Buffer.from("hello")));
    expect(bridges.statistics()[0]).toMatchObject({ accepted: 2, refused: 1 });
  });
});

describe("out of descriptors or memory", () => {
  const faults = ways.flatMap(([listen, connect]) =>
    (["accept", "socket"] as const).flatMap((door) =>
      Object.entries(shortages).map(([name, errno]) => ({ listen, connect, door, name, errno })),
    ),
  );

  test.for(faults)(
    "$listen -> $connect: $door with $name: the client waits and is served",
    async (fault, { stage }) => {
      const { addon, failures } = failing(fault.door, fault.errno, 3, fault.door === "socket" ? 1 : 0);
      const target = await stage.target(fault.connect, (socket) => socket.pipe(socket));
      const { bridges, address } = stage.bridge(fault.listen, target, {}, addon);
      const client = stage.client(address).end("hello");
      expect(await received(client)).toEqual(whole(Buffer.from("hello")));
      expect(failures()).toBe(3);
      expect(bridges.statistics()[0]).toMatchObject({ accepted: 1, refused: 0 });
    },
  );

  const laterFaults = ways.flatMap(
    ([listen, connect]) =>
      [
        { listen, connect, door: "connect", errno: shortages.ENOMEM, after: 0 },
        { listen, connect, door: "epollControl", errno: shortages.ENOMEM, after: 1 },
        { listen, connect, door: "receive", errno: shortages.ENOBUFS, after: 0 },
        { listen, connect, door: "send", errno: shortages.ENOBUFS, after: 0 },
      ] as const,
  );

  test.for(laterFaults)("$listen -> $connect: $door: a client that was accepted waits", async (fault, { stage }) => {
    const { addon, failures } = failing(fault.door, fault.errno, 2, fault.after);
    const target = await stage.target(fault.connect, (socket) => socket.pipe(socket));
    const { address } = stage.bridge(fault.listen, target, {}, addon);
    const client = stage.client(address).end("hello");
    expect(await received(client)).toEqual(whole(Buffer.from("hello")));
    expect(failures()).toBe(2);
  });

  test.for(ways)("%s -> %s: without pipes bytes are copied", async ([listen, connect], { stage }) => {
    const bytes = payload(4 << 20);
    const target = await stage.target(connect, (socket) => socket.pipe(socket));
    const addon = doors({ pipe: () => -EMFILE, splice: () => expect.unreachable("splice") });
    const { address } = stage.bridge(listen, target, {}, addon);
    const client = stage.client(address).end(bytes);
    expect(await received(client)).toEqual(whole(bytes));
  });
});

test.for(["tcp", "tcp6", "unix"] as const)(
  "a %s client waits while the backlog of the target is full",
  async (listen, { stage }) => {
    const backlog = stage.fullBacklog();
    const tried = Promise.withResolvers<void>();
    const addon = doors({
      connect: (fd, address) => {
        const result = realAddon.connect(fd, address);
        if (result === -EAGAIN) tried.resolve();
        return result;
      },
    });
    const { bridges, address } = stage.bridge(listen, backlog.address, {}, addon);
    const client = stage.client(address).end("hello");
    await tried.promise;
    expect(bridges.statistics()[0]).toMatchObject({ accepted: 0, refused: 0 });
    backlog.serve();
    expect(await received(client)).toEqual(whole(Buffer.from("hello")));
  },
);

/** A byte goes to the target and back. */
async function echoed(client: Socket): Promise<void> {
  client.write("x");
  await once(client, "data");
}

/** A door that fails so often, after it has worked so often. */
function failing(door: keyof Addon, errno: number, times: number, after = 0) {
  let calls = 0;
  let failures = 0;
  const real = realAddon[door] as (...args: unknown[]) => unknown;
  const addon = doors({
    [door]: (...args: unknown[]) => {
      if (calls++ < after || failures >= times) return real(...args);
      failures++;
      return -errno;
    },
  });
  return { addon, failures: () => failures };
}
