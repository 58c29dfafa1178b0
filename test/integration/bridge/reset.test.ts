import { once } from "node:events";
import type { Socket } from "node:net";
import { expect } from "vitest";
import { countedDoors, type Stage, test, type Way } from "../../kit/bridges.ts";
import { digest, payload, received, relayIsStill, whole, writeFails, writeUntilStalled } from "../../kit/bytes.ts";

const tcpToTcp: readonly Way[] = [
  ["tcp", "tcp"],
  ["tcp6", "tcp6"],
];
const fromTcp: readonly Way[] = [["tcp", "unix"], ["tcp6", "unix"], ...tcpToTcp];
/** More than all buffers on the way hold. */
const offered = payload(64 << 20);
const toTcp: readonly Way[] = [["unix", "tcp"], ["unix", "tcp6"], ...tcpToTcp];

test.for(tcpToTcp)("%s -> %s: a client's reset reaches the target as one", async (way, { stage }) => {
  const { client, target } = await connected(stage, way);
  const seen = received(target);
  client.resetAndDestroy();
  expect(await seen).toMatchObject({ end: "ECONNRESET" });
});

test.for(tcpToTcp)("%s -> %s: a target's reset reaches the client as one", async (way, { stage }) => {
  const { client, target } = await connected(stage, way);
  const seen = received(client);
  target.resetAndDestroy();
  expect(await seen).toMatchObject({ end: "ECONNRESET" });
});

test.for(tcpToTcp)("%s -> %s: so does a reset that a write of the relay meets first", async (way, { stage }) => {
  const { client, target } = await connected(stage, way);
  const seen = received(client);
  // Both before the relay has its turn.
  client.write("the relay reads this first");
  target.resetAndDestroy();
  expect(await seen).toMatchObject({ end: "ECONNRESET" });
});

test.for([
  ["unix", "tcp"],
  ["unix", "tcp6"],
  ["unix", "unix"],
] as const)(
  "%s -> %s: a client that is gone leaves no connection to a target that says nothing",
  async (way, { stage }) => {
    const { client, bothClosed } = await connected(stage, way);
    client.destroy();
    await bothClosed;
  },
);

test.for(["tcp", "tcp6"] as const)("a %s client's reset ends a Unix target, both ways", async (listen, { stage }) => {
  const { client, target } = await connected(stage, [listen, "unix"]);
  const seen = received(target);
  client.resetAndDestroy();
  expect(await seen).toMatchObject({ end: "end" });
  expect(await writeFails(target)).toBe("EPIPE");
});

test.for(["tcp", "tcp6"] as const)("a %s target's reset ends a Unix client, both ways", async (connect, { stage }) => {
  const { client, target } = await connected(stage, ["unix", connect]);
  const seen = received(client);
  target.resetAndDestroy();
  expect(await seen).toMatchObject({ end: "end" });
  expect(await writeFails(client)).toBe("EPIPE");
});

test.for(fromTcp)("%s -> %s: a client's reset is passed on while the target does not read", async (way, { stage }) => {
  const { client, passed, bothClosed } = await connected(stage, way);
  expect(await writeUntilStalled(client, offered, passed)).toBeLessThan(offered.length);
  client.resetAndDestroy();
  await bothClosed;
});

test.for(toTcp)("%s -> %s: a target's reset is passed on while it does not read", async (way, { stage }) => {
  const { client, target, passed, bothClosed } = await connected(stage, way);
  expect(await writeUntilStalled(client, offered, passed)).toBeLessThan(offered.length);
  target.resetAndDestroy();
  await bothClosed;
});

test.for(toTcp)(
  "%s -> %s: a client that reads late gets all that came before the target's reset",
  async (way, { stage }) => {
    const { client, target, passed } = await connected(stage, way);
    await writeUntilStalled(target, offered, passed);
    target.resetAndDestroy();
    await once(target, "close");
    const got = await received(client);
    expect(got.sizeBytes).toBe(passed());
    expect(got.sizeBytes).toBeGreaterThan(100_000);
    expect(got.digest).toBe(digest(offered.subarray(0, got.sizeBytes)));
    expect(got.end).toBe(way[0] === "unix" ? "end" : "ECONNRESET");
  },
);

test.for(fromTcp)(
  "%s -> %s: a target that reads late gets all that came before the client's reset",
  async (way, { stage }) => {
    const { client, target, passed } = await connected(stage, way);
    // More than the target's kernel takes, if that is TCP; less than what makes the relay wait.
    const request = offered.subarray(0, way[1] === "unix" ? 100_000 : 1 << 20);
    await writeUntilStalled(client, request, passed);
    expect(passed()).toBe(request.length);
    client.resetAndDestroy();
    await once(client, "close");
    await relayIsStill(passed);
    expect(await received(target)).toEqual(whole(request, way[1] === "unix" ? "end" : "ECONNRESET"));
  },
);

test("a client that closed in order while its target did not read has sent all, although its answer was refused", async ({
  stage,
}) => {
  const { client, target, passed } = await connected(stage, ["tcp", "unix"]);
  const request = offered.subarray(0, 280_000);
  // More than the target's kernel takes (213 KB), so that the relay waits; the rest fits the relay's kernel, with the end.
  client.write(request.subarray(0, 250_000));
  await relayIsStill(passed);
  client.end(request.subarray(250_000), () => client.destroy());
  await once(client, "close");
  await relayIsStill(passed);
  expect(passed()).toBe(250_000);
  // The kernel answers it with a reset.
  target.write("an answer");
  await relayIsStill(passed);
  expect(await received(target)).toEqual(whole(request));
});

/** A client and a target that have met through a bridge. Nothing reads yet. */
async function connected(stage: Stage, [listen, connect]: Way) {
  const { addon, passed } = countedDoors();
  const bothClosed = Promise.withResolvers<void>();
  const accepted = Promise.withResolvers<Socket>();
  const { bridges, address } = stage.bridge(
    listen,
    await stage.target(connect, (socket) => accepted.resolve(socket.pause())),
    {},
    {
      ...addon,
      closeDescriptor: (fd) => {
        // The relay counts as open until it has closed both.
        process.nextTick(() => bridges.statistics()[0]?.open === 0 && bothClosed.resolve());
        return addon.closeDescriptor(fd);
      },
    },
  );
  const client = stage.client(address).pause();
  const target = await accepted.promise;
  return { client, target, passed, bothClosed: bothClosed.promise };
}
