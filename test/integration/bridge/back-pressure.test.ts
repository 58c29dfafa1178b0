import type { Socket } from "node:net";
import { expect } from "vitest";
import { countedDoors, test, ways } from "../../kit/bridges.ts";
import { payload, received, whole, writeUntilStalled } from "../../kit/bytes.ts";

const offered = payload(64 << 20);
/** What the kernel may hold in four socket buffers, and the relay in a pipe. */
const boundBytes = 32 << 20;

test.for(ways)(
  "%s -> %s: a target that does not read stops the client, and nothing is lost",
  async (way, { stage }) => {
    const { addon, passed } = countedDoors();
    const accepted = Promise.withResolvers<Socket>();
    const target = await stage.target(way[1], (socket) => accepted.resolve(socket.pause()));
    const client = stage.client(stage.bridge(way[0], target, {}, addon).address);
    const written = await writeUntilStalled(client, offered, passed);
    expect(written).toBeLessThan(boundBytes);
    client.end(offered.subarray(written));
    expect(await received(await accepted.promise)).toEqual(whole(offered));
  },
);

test.for(ways)(
  "%s -> %s: a client that does not read stops the target, and nothing is lost",
  async (way, { stage }) => {
    const { addon, passed } = countedDoors();
    const accepted = Promise.withResolvers<Socket>();
    const target = await stage.target(way[1], (socket) => accepted.resolve(socket));
    const client = stage.client(stage.bridge(way[0], target, {}, addon).address).pause();
    const server = await accepted.promise;
    const written = await writeUntilStalled(server, offered, passed);
    expect(written).toBeLessThan(boundBytes);
    server.end(offered.subarray(written));
    expect(await received(client)).toEqual(whole(offered));
  },
);

test("a direction that is stopped does not stop the other one", async ({ stage }) => {
  const { addon, passed } = countedDoors();
  const accepted = Promise.withResolvers<Socket>();
  const target = await stage.target("unix", (socket) => accepted.resolve(socket.pause()));
  const client = stage.client(stage.bridge("tcp", target, {}, addon).address);
  await writeUntilStalled(client, offered, passed);
  const answer = payload(1 << 20);
  (await accepted.promise).end(answer);
  expect(await received(client)).toEqual(whole(answer));
});
