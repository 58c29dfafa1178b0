import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished } from "vitest";
import { formatAddress } from "../../../src/bridge/address.ts";
import { payload, received, whole } from "../../kit/bytes.ts";
import { type NetworkStage, test, type Way, ways } from "../../kit/network-part.ts";
import { folder } from "../../kit/sandbox.ts";

const request = payload(1 << 20);
const answer = payload(3 << 20);

test.for(ways)("%s: before the first connection there is no process, and then there is one", async (way, { stage }) => {
  const { part, client } = await stage.served(way, (socket) => socket.pipe(socket));
  expect(part.child).toBeNull();
  const socket = await client();
  socket.end("hello");
  expect(await received(socket)).toEqual(whole(Buffer.from("hello")));
  expect(part.child?.pid).toBeGreaterThan(1);
});

test.for(ways)("%s: an answer that begins when the client has half-closed arrives whole", async (way, { stage }) => {
  const asked = Promise.withResolvers<unknown>();
  const { client } = await stage.served(way, async (socket) => {
    asked.resolve(await received(socket));
    socket.end(answer);
  });
  const socket = await client();
  socket.end(request);
  expect(await received(socket)).toEqual(whole(answer));
  expect(await asked.promise).toEqual(whole(request));
});

test.for(ways)("%s: an upload that begins when the target has half-closed arrives whole", async (way, { stage }) => {
  const uploaded = Promise.withResolvers<unknown>();
  const { client } = await stage.served(way, async (socket) => {
    socket.end(request);
    uploaded.resolve(await received(socket));
  });
  const socket = await client();
  expect(await received(socket)).toEqual(whole(request));
  socket.end(answer);
  expect(await uploaded.promise).toEqual(whole(answer));
});

describe("a reset is passed on as one", () => {
  test.for(ways)("%s: the client's", async (way, { stage }) => {
    const { client, target } = await connected(stage, way);
    const seen = received(target);
    client.resetAndDestroy();
    expect(await seen).toMatchObject({ end: "ECONNRESET" });
  });

  test.for(ways)("%s: the target's", async (way, { stage }) => {
    const { client, target } = await connected(stage, way);
    const seen = received(client);
    target.resetAndDestroy();
    expect(await seen).toMatchObject({ end: "ECONNRESET" });
  });
});

test.for(ways)("%s: a target that refuses resets the client, is counted and told", async (way, { stage }) => {
  const { client, ends, listen, debug } = await stage.served(way, null);
  expect(await received(await client())).toMatchObject({ sizeBytes: 0, end: "ECONNRESET" });
  expect(await ends.drain()).toBe("drained");
  expect(ends.statistics()).toEqual([expect.objectContaining({ accepted: 1, refused: 1, open: 0 })]);
  const where = `bridge ${formatAddress(listen)}: cannot connect to ${ends.statistics()[0]?.connect}`;
  expect(debug).toEqual([expect.stringContaining(`${where}: connect: ECONNREFUSED (`)]);
});

test("a Unix socket of the host's is reached from [::1], when the first target refuses", async ({ stage }) => {
  const path = join(folder(), "socket");
  const server = createServer((socket) => socket.pipe(socket)).listen(path);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { fd: listener, address: listen } = stage.listen("::1");
  if (listen.kind !== "tcp") throw new Error("no port");
  const targets = [
    { kind: "unix", path: `${path}-that-is-not-there` },
    { kind: "unix", path },
  ] as const;
  const told = Promise.withResolvers<string>();
  const part = stage.part({ targets, publishedPorts: [], debug: told.resolve, crashed: () => {} });
  const ends = part.sandbox(null);
  ends.add({ kind: "outbound", listener, listen, targets });
  const client = await stage.connect(listen);
  client.end(request);
  expect(await received(client)).toEqual(whole(request));
  expect(await told.promise).toMatch(/^bridge tcp:\[::1\]:\d+: cannot connect to unix:.*, trying the next address$/);
});

/** Both ends of a connection over which a byte has gone each way. */
async function connected(stage: NetworkStage, way: Way): Promise<{ readonly client: Socket; readonly target: Socket }> {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const { client: connect } = await stage.served(way, resolve);
  const client = await connect();
  client.write("?");
  const target = await promise;
  await once(target, "data");
  target.write("!");
  await once(client, "data");
  return { client, target };
}
