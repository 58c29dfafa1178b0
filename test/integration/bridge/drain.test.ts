import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import realAddon from "landlock-napi/addon";
import { describe, expect } from "vitest";
import type { Bridges, DrainOptions } from "../../../src/bridge/bridges.ts";
import { openListeners } from "../../../src/bridge/listener.ts";
import { countedDoors, doors, type Kind, type Stage, test, ways } from "../../kit/bridges.ts";
import { payload, received, whole, writeUntilStalled } from "../../kit/bytes.ts";

const EAGAIN = 11;
const bytes = payload(1 << 20);

describe("drain", () => {
  test.for(ways)("%s -> %s: delivers what was sent just before", async ([listen, connect], { stage }) => {
    const arrived = Promise.withResolvers<unknown>();
    const target = await stage.target(connect, (socket) => arrived.resolve(received(socket)));
    const { bridges, address } = stage.bridge(listen, target);
    const client = stage.client(address);
    await new Promise((resolve) => client.end(bytes, () => resolve(null)));
    expect(await bridges.drain()).toBe("drained");
    bridges.close();
    expect(await arrived.promise).toEqual(whole(bytes));
  });

  test.for(ways)("%s -> %s: delivers what was answered just before", async ([listen, connect], { stage }) => {
    const answered = Promise.withResolvers<void>();
    const target = await stage.target(connect, (socket) => void socket.end(bytes, () => answered.resolve()));
    const { bridges, address } = stage.bridge(listen, target);
    const client = stage.client(address);
    const arrived = received(client);
    await answered.promise;
    expect(await bridges.drain()).toBe("drained");
    bridges.close();
    expect(await arrived).toEqual(whole(bytes));
  });

  test.for(ways)("%s -> %s: serves those who wait in the backlog", async ([listen, connect], { stage }) => {
    const [listener] = openListeners(realAddon, [stage.freeAddress(listen)]);
    if (listener === undefined) throw new Error("no listener");
    const clients = Array.from({ length: 100 }, () => stage.client(listener.address).end("hello"));
    await Promise.all(clients.map((client) => once(client, "finish")));
    const arrived: Promise<unknown>[] = [];
    const allThere = Promise.withResolvers<void>();
    const target = await stage.target(connect, (socket) => {
      if (arrived.push(received(socket)) === clients.length) allThere.resolve();
      socket.once("end", () => socket.end());
    });
    const bridges = stage.relay([{ listener, target }], { connectionLimit: 10 });
    const drained = bridges.drain();
    for (const client of clients) client.destroy();
    expect(await drained).toBe("drained");
    bridges.close();
    expect(bridges.statistics()[0]).toMatchObject({ accepted: 100, refused: 0 });
    await allThere.promise;
    expect(await Promise.all(arrived)).toEqual(clients.map(() => whole(Buffer.from("hello"))));
  });

  test.for([["unix", "unix"], ...ways] as const)(
    "%s -> %s: has ended with a backlog of just one turn's clients, who say nothing",
    async (way, { stage }) => {
      const [listener] = openListeners(realAddon, [stage.freeAddress(way[0])]);
      if (listener === undefined) throw new Error("no listener");
      const clients = Array.from({ length: 64 }, () => stage.client(listener.address));
      await Promise.all(clients.map((client) => once(client, "connect")));
      const bridges = stage.relay([{ listener, target: await stage.target(way[1]) }]);
      expect(await bridges.drain()).toBe("drained");
      expect(bridges.statistics()[0]).toMatchObject({ accepted: 64, open: 64 });
    },
  );

  test("has ended when the only client of the backlog, who waited for a busy target, has gone on", async ({
    stage,
  }) => {
    const backlog = stage.fullBacklog();
    const tried = Promise.withResolvers<void>();
    const addon = doors({
      connect: (fd, address) => {
        const result = realAddon.connect(fd, address);
        if (result === -EAGAIN) tried.resolve();
        return result;
      },
    });
    const { bridges, address } = stage.bridge("unix", backlog.address, {}, addon);
    stage.client(address);
    await tried.promise;
    const drained = bridges.drain();
    backlog.serve();
    expect(await drained).toBe("drained");
    expect(bridges.statistics()[0]).toMatchObject({ accepted: 1, open: 1 });
  });

  test("accepts nobody who comes later", async ({ stage }) => {
    const target = await stage.target("unix", (socket) => socket.pipe(socket));
    const { bridges, address } = stage.bridge("tcp", target);
    expect(await bridges.drain()).toBe("drained");
    const late = stage.client(address);
    await once(late, "connect");
    expect(await bridges.drain()).toBe("drained");
    expect(bridges.statistics()[0]?.accepted).toBe(0);
  });

  test("does not wait for connections that hold nothing", async ({ stage }) => {
    const target = await stage.target("unix", (socket) => socket.pipe(socket));
    const { bridges, address } = stage.bridge("tcp", target);
    const client = stage.client(address);
    client.write("hello");
    await once(client, "data");
    expect(await bridges.drain()).toBe("drained");
    expect(bridges.statistics()[0]?.open).toBe(1);
  });

  const readers = ways.flatMap(([listen, connect]) =>
    (["client", "target"] as const).map((reader) => ({ listen, connect, reader })),
  );

  test.for(readers)(
    "$listen -> $connect: gives up after its time when the $reader does not read",
    async (way, { stage }) => {
      const { addon, passed } = countedDoors();
      const { bridges, reader, writer } = await met(stage, way, addon);
      reader.pause();
      await writeUntilStalled(writer, payload(64 << 20), passed);
      expect(await bridges.drain({ stallMs: 100 })).toBe("stalled");
    },
  );

  test.concurrent.for(readers)(
    "$listen -> $connect: a slow $reader gets everything, as long as it reads",
    async (way, { stage }) => {
      const bulk = payload(24 << 20);
      const { bridges, reader, writer } = await met(stage, way);
      // 24 pauses of 60 ms are longer than the bridge waits without progress.
      dawdle(reader, { everyBytes: 1 << 20, pauseMs: 60 });
      const arrived = received(reader);
      writer.end(bulk);
      expect(await drainAll(bridges, writer, { stallMs: 1000 })).toBe("drained");
      bridges.close();
      expect(await arrived).toEqual(whole(bulk));
    },
  );

  test.for(readers)(
    "$listen -> $connect: ends in time although the slow $reader always has more to read",
    async (way, { stage }) => {
      const { addon, passed } = countedDoors();
      const { bridges, reader, writer } = await met(stage, way, addon);
      // From the beginning there is more on its way than the reader takes in this time.
      await writeUntilStalled(writer, payload(64 << 20), passed);
      dawdle(reader.resume(), { everyBytes: 256 << 10, pauseMs: 20 });
      writer.end(Buffer.alloc(64 << 20));
      expect(await bridges.drain({ totalMs: 200 })).toBe("timed-out");
    },
  );

  test("counts bytes that only the kernel still holds", async ({ stage }) => {
    const { addon, passed } = countedDoors();
    const accepted = Promise.withResolvers<Socket>();
    const target = await stage.target("tcp", (socket) => accepted.resolve(socket.pause()));
    const { bridges, address } = stage.bridge("unix", target, {}, addon);
    // More than the target's kernel takes without a reader, less than what makes the relay wait.
    await writeUntilStalled(stage.client(address), payload(1 << 20), passed);
    expect(passed()).toBe(1 << 20);
    expect(await bridges.drain({ stallMs: 100 })).toBe("stalled");
    (await accepted.promise).resume();
    expect(await bridges.drain()).toBe("drained");
  });
});

/** A client and a target that have met through a bridge, by what they are to do. */
async function met(
  stage: Stage,
  { listen, connect, reader }: { listen: Kind; connect: Kind; reader: "client" | "target" },
  addon = realAddon,
) {
  const accepted = Promise.withResolvers<Socket>();
  const { bridges, address } = stage.bridge(listen, await stage.target(connect, accepted.resolve), {}, addon);
  const client = stage.client(address);
  const target = await accepted.promise;
  return reader === "client"
    ? { bridges, reader: client, writer: target }
    : { bridges, reader: target, writer: client };
}

/**
 * Drains until all that the writer was given was on its way. The writer is in this process: what it has not yet handed to
 * its kernel no bridge can know of, and "drained" is then the right answer.
 */
async function drainAll(bridges: Bridges, writer: Socket, options: Partial<DrainOptions>) {
  for (;;) {
    const isAllOnItsWay = writer.writableFinished;
    const outcome = await bridges.drain(options);
    if (isAllOnItsWay || outcome !== "drained") return outcome;
    await nextTurn();
  }
}

/** Pauses after each so many bytes. */
function dawdle(socket: Socket, { everyBytes, pauseMs }: { everyBytes: number; pauseMs: number }): void {
  let left = everyBytes;
  socket.on("data", async ({ length }) => {
    left -= length;
    if (left > 0) return;
    left = everyBytes;
    socket.pause();
    await delay(pauseMs);
    socket.resume();
  });
}

describe("whenQuiet", () => {
  test("waits until nothing has happened for so long", async ({ stage }) => {
    const target = await stage.target("unix", (socket) => socket.pipe(socket));
    const { bridges, address } = stage.bridge("tcp", target);
    const client = stage.client(address).resume();
    let lastEcho = 0;
    client.on("data", () => {
      lastEcho = performance.now();
    });
    const quiet = bridges.whenQuiet(150).then(() => performance.now());
    for (let i = 0; i < 10; i++) {
      client.write("still here");
      await delay(50);
    }
    expect((await quiet) - lastEcho).toBeGreaterThan(140);
    expect(bridges.statistics()[0]?.open).toBe(1);
  });
});
