import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { test, ways } from "../../kit/bridges.ts";
import { payload, received, whole } from "../../kit/bytes.ts";

const request = payload(1 << 20);
const fiftyMegabytes = payload(50 << 20);
/** Longer than socat waits. */
const replyDelayMs = 2000;

test.concurrent.for(ways)(
  "%s -> %s: a reply of 50 MB that begins 2 s after the client has half-closed arrives whole",
  async ([listen, connect], { stage }) => {
    const asked = Promise.withResolvers<unknown>();
    const target = await stage.target(connect, async (socket) => {
      asked.resolve(await received(socket));
      await delay(replyDelayMs);
      socket.end(fiftyMegabytes);
    });
    const client = stage.client(stage.bridge(listen, target).address);
    client.end(request);
    expect(await received(client)).toEqual(whole(fiftyMegabytes));
    expect(await asked.promise).toEqual(whole(request));
  },
);

test.concurrent.for(ways)(
  "%s -> %s: an upload of 50 MB that begins 2 s after the target has half-closed arrives whole",
  async ([listen, connect], { stage }) => {
    const uploaded = Promise.withResolvers<unknown>();
    const target = await stage.target(connect, async (socket) => {
      socket.end(request);
      uploaded.resolve(await received(socket));
    });
    const client = stage.client(stage.bridge(listen, target).address);
    expect(await received(client)).toEqual(whole(request));
    await delay(replyDelayMs);
    client.end(fiftyMegabytes);
    expect(await uploaded.promise).toEqual(whole(fiftyMegabytes));
  },
);

test.for(ways)(
  "%s -> %s: both sockets are closed when both directions have ended",
  async ([listen, connect], { stage }) => {
    const target = await stage.target(connect, (socket) => socket.pipe(socket));
    const { bridges, address } = stage.bridge(listen, target);
    const client = stage.client(address);
    client.end(request);
    expect(await received(client)).toEqual(whole(request));
    await once(client, "close");
    expect(bridges.statistics()[0]).toMatchObject({
      accepted: 1,
      refused: 0,
      open: 0,
      bytesToTarget: request.length,
      bytesToClient: request.length,
    });
  },
);
