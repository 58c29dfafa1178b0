import { once } from "node:events";
import type { Socket } from "node:net";
import realAddon from "landlock-napi/addon";
import { describe, expect } from "vitest";
import type { Addon } from "../../../src/sys/addon.ts";
import { doors, test, ways } from "../../kit/bridges.ts";
import { payload, received, whole } from "../../kit/bytes.ts";

const EMFILE = 24;
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

  test("nobody is dropped: 40 clients are served two at a time", async ({ stage }) => {
    const target = await stage.target("unix", (socket) => socket.pipe(socket));
    const { bridges, address } = stage.bridge("tcp", target, { connectionLimit: 2 });
    const clients = Array.from({ length: 40 }, () => stage.client(address).end("hello"));
    expect(await Promise.all(clients.map(received))).toEqual(clients.map(() => whole(Buffer.from("hello"))));
    expect(bridges.statistics()[0]).toMatchObject({ accepted: 40, open: 0 });
  });
});

describe("a target that refuses", () => {
  test.for(["unix", "tcp"] as const)("(%s) resets a TCP client at once and is counted", async (connect, { stage }) => {
    const told: string[] = [];
    const refusing = await stage.refusingTarget(connect);
    const { bridges, address } = stage.bridge("tcp", refusing, { debug: (message) => told.push(message) });
    expect(await received(stage.client(address))).toMatchObject({ sizeBytes: 0, end: "ECONNRESET" });
    expect(bridges.statistics()[0]).toMatchObject({ accepted: 1, refused: 1, open: 0 });
    expect(told).toEqual([
      expect.stringMatching(/^bridge tcp:.*: cannot connect to .*: connect: (ENOENT|ECONNREFUSED)/),
    ]);
  });

  test.for(["unix", "tcp6"] as const)("(%s) ends a Unix client at once", async (connect, { stage }) => {
    const { bridges, address } = stage.bridge("unix", await stage.refusingTarget(connect));
    expect(await received(stage.client(address))).toMatchObject({ sizeBytes: 0 });
    expect(bridges.statistics()[0]).toMatchObject({ accepted: 1, refused: 1, open: 0 });
  });

  test("does not keep the next client from a target that is back", async ({ stage }) => {
    let refusals = 1;
    const addon = doors({ connect: (fd, address) => (refusals-- > 0 ? -111 : realAddon.connect(fd, address)) });
    const target = await stage.target("unix", (socket) => socket.end("hello"));
    const { bridges, address } = stage.bridge("tcp", target, {}, addon);
    expect(await received(stage.client(address))).toMatchObject({ end: "ECONNRESET" });
    expect(await received(stage.client(address))).toEqual(whole(Buffer.from("hello")));
    expect(bridges.statistics()[0]).toMatchObject({ accepted: 2, refused: 1 });
  });
});

describe("out of descriptors or memory", () => {
  const faults = (["accept", "socket"] as const).flatMap((door) =>
    Object.entries(shortages).map(([name, errno]) => ({ door, name, errno })),
  );

  test.for(faults)("$door with $name: the client waits and is served", async ({ door, errno }, { stage }) => {
    const { addon, failures } = failing(door, errno, 3, door === "socket" ? 1 : 0);
    const target = await stage.target("unix", (socket) => socket.pipe(socket));
    const { bridges, address } = stage.bridge("tcp", target, {}, addon);
    const client = stage.client(address).end("hello");
    expect(await received(client)).toEqual(whole(Buffer.from("hello")));
    expect(failures()).toBe(3);
    expect(bridges.statistics()[0]).toMatchObject({ accepted: 1, refused: 0 });
  });

  test.for(["connect", "epollControl"] as const)("%s: a client that was accepted waits", async (door, { stage }) => {
    const { addon, failures } = failing(door, shortages.ENOMEM, 2, door === "epollControl" ? 1 : 0);
    const target = await stage.target("unix", (socket) => socket.pipe(socket));
    const { address } = stage.bridge("tcp", target, {}, addon);
    const client = stage.client(address).end("hello");
    expect(await received(client)).toEqual(whole(Buffer.from("hello")));
    expect(failures()).toBe(2);
  });

  test.for(["receive", "send"] as const)("%s: the bytes come a little later", async (door, { stage }) => {
    const { addon, failures } = failing(door, shortages.ENOBUFS, 2);
    const target = await stage.target("unix", (socket) => socket.pipe(socket));
    const { address } = stage.bridge("tcp", target, {}, addon);
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

test("a client waits while the backlog of the target is full", async ({ stage }) => {
  const backlog = stage.fullBacklog();
  const tried = Promise.withResolvers<void>();
  const addon = doors({
    connect: (fd, address) => {
      const result = realAddon.connect(fd, address);
      if (result === -11) tried.resolve();
      return result;
    },
  });
  const { bridges, address } = stage.bridge("tcp", backlog.address, {}, addon);
  const client = stage.client(address).end("hello");
  await tried.promise;
  expect(bridges.statistics()[0]).toMatchObject({ accepted: 0, refused: 0 });
  backlog.serve();
  expect(await received(client)).toEqual(whole(Buffer.from("hello")));
});

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
