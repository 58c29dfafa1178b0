import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import realAddon from "landlock-napi/addon";
import { expect } from "vitest";
import { doors, test, ways } from "../../kit/bridges.ts";
import { payload, received, whole } from "../../kit/bytes.ts";

/** How a peer sends: writes of these sizes, each followed by a pause or none. */
const sending = fc.array(
  fc.record({
    sizeBytes: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 300_000 })),
    pauseMs: fc.constantFrom(null, null, null, 0, 1, 3),
  }),
  { maxLength: 30 },
);
/** How a peer receives: after each so many bytes it pauses. */
const receiving = fc.record({
  betweenPausesBytes: fc.integer({ min: 1000, max: 500_000 }),
  pauseMs: fc.constantFrom(null, 0, 2),
});
const peer = fc.record({ sending, receiving });

type Peer = typeof peer extends fc.Arbitrary<infer T> ? T : never;

test.for(ways)(
  "%s -> %s: all bytes arrive in order, both ways at once, under any chunking and pause",
  async ([listen, connect], { stage }) => {
    let accepted = Promise.withResolvers<Socket>();
    const target = await stage.target(connect, (socket) => accepted.resolve(socket));
    const { bridges, address } = stage.bridge(listen, target);
    await fc.assert(
      fc.asyncProperty(peer, peer, async (clientPlan, targetPlan) => {
        accepted = Promise.withResolvers<Socket>();
        const client = stage.client(address);
        const server = await accepted.promise;
        const arrived = Promise.all([received(client), received(server)]);
        dawdle(client, clientPlan);
        dawdle(server, targetPlan);
        const [up, down] = await Promise.all([send(client, clientPlan), send(server, targetPlan)]);
        expect(await arrived).toEqual([whole(down), whole(up)]);
      }),
      { numRuns: 25 },
    );
    expect(bridges.statistics()[0]?.accepted).toBeGreaterThanOrEqual(25);
  },
);

test.for(ways)(
  "%s -> %s: connections that are idle hold no pipe, those that come after them use the same",
  async (way, { stage }) => {
    let pipes = 0;
    const addon = doors({
      pipe: (ends) => {
        pipes++;
        return realAddon.pipe(ends);
      },
    });
    const bulk = payload(4 << 20);
    const target = await stage.target(way[1], (socket) => {
      let left = bulk.length;
      socket.on("data", ({ length }) => {
        left -= length;
        if (left === 0) socket.write("thanks");
      });
    });
    const { bridges, address } = stage.bridge(way[0], target, {}, addon);
    for (let i = 0; i < 10; i++) {
      const client = stage.client(address);
      client.write(bulk);
      await once(client, "data");
    }
    expect(bridges.statistics()[0]?.open).toBe(10);
    expect(pipes).toBe(1);
  },
);

/** Pauses while it receives. */
function dawdle(socket: Socket, { receiving: { betweenPausesBytes, pauseMs } }: Peer): void {
  if (pauseMs === null) return;
  let sincePause = 0;
  socket.on("data", async (bytes) => {
    sincePause += bytes.length;
    if (sincePause < betweenPausesBytes) return;
    sincePause = 0;
    socket.pause();
    await delay(pauseMs);
    socket.resume();
  });
}

/** Sends as planned, half-closes, and answers what it has sent. */
async function send(socket: Socket, plan: Peer): Promise<Buffer> {
  const bytes = payload(plan.sending.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  let at = 0;
  for (const { sizeBytes, pauseMs } of plan.sending) {
    socket.write(bytes.subarray(at, at + sizeBytes));
    at += sizeBytes;
    if (pauseMs !== null) await delay(pauseMs);
  }
  socket.end();
  return bytes;
}
