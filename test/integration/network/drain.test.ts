import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect } from "vitest";
import { payload, received, whole } from "../../kit/bytes.ts";
import { test, ways } from "../../kit/network-part.ts";

const answer = payload(4 << 20);

test.for(ways)(
  "%s: what was sent just before the sandbox's end arrives, also with a slow reader",
  async (way, { stage }) => {
    const { client, ends } = await stage.served(way, (socket) => void socket.end(answer));
    const socket = await client();
    await once(socket, "readable");
    const drained = ends.drain();
    expect(await received(socket)).toEqual(whole(answer));
    expect(await drained).toBe("drained");
  },
);

test.for(ways)(
  "%s: a client who waits is served though nobody was before, and nobody after",
  async (way, { stage }) => {
    const { client, ends, part } = await stage.served(way, (socket) => socket.pipe(socket));
    const socket = await client();
    socket.end("hello");
    const [outcome, seen] = await Promise.all([ends.drain(), received(socket)]);
    expect([outcome, seen]).toEqual(["drained", whole(Buffer.from("hello"))]);
    expect(ends.statistics()).toEqual([expect.objectContaining({ accepted: 1, bytesToTarget: 5, bytesToClient: 5 })]);
    expect(part.child).not.toBeNull();
  },
);

test("when nobody ever connected there is nothing to deliver, and no process is started for that", async ({
  stage,
}) => {
  const { ends, part, listen } = await stage.served("published", () => {});
  expect(await ends.drain()).toBe("drained");
  expect(part.child).toBeNull();
  expect(ends.statistics()).toEqual([expect.objectContaining({ accepted: 0, bytesToTarget: 0 })]);
  await expect(stage.connect(listen)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("afterwards clients are refused", async ({ stage }) => {
  const { client, ends, listen } = await stage.served("published", (socket) => socket.pipe(socket));
  const socket = await client();
  socket.end("hello");
  await received(socket);
  await ends.drain();
  await expect(stage.connect(listen)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("a reader that has stopped is given up", async ({ stage }) => {
  const { client, ends } = await stage.served("published", (socket) => socket.pipe(socket));
  const socket = await client();
  socket.end(payload(64 << 20));
  await once(socket, "readable");
  expect(await ends.drain({ stallMs: 300 })).toBe("stalled");
});

test("a process that ends meanwhile has lost something", async ({ stage }) => {
  const { client, ends, part, crashed } = await stage.served("published", (socket) => socket.pipe(socket));
  const socket = await client();
  socket.end(payload(64 << 20));
  await once(socket, "readable");
  const drained = ends.drain();
  process.kill(part.child?.pid ?? 0, "SIGKILL");
  expect(await drained).toBe("lost");
  expect(await crashed()).toMatchObject({ signal: "SIGKILL", restartsLeft: 4 });
});

describe("one sandbox among others", () => {
  test("ends alone", async ({ stage }) => {
    const { part, client, ends, targetPort } = await stage.served("outbound", (socket) => socket.pipe(socket));
    const other = stage.sandbox();
    const others = part.sandbox(other.factory);
    const { fd: listener, address: listen } = await other.listen();
    const targets = [{ kind: "tcp", host: "127.0.0.1", port: targetPort }] as const;
    others.add({ kind: "outbound", listener, listen, targets });
    if (listen.kind !== "tcp") throw new Error("no port");
    const [mine, theirs] = [await client(), stage.opened(await other.connect(listen))];
    for (const socket of [mine, theirs]) await echoed(socket);
    const ended = received(mine);
    expect(await ends.drain()).toBe("drained");
    await ended;
    await echoed(theirs);
    const later = stage.opened(await other.connect(listen));
    await echoed(later);
    const closed = received(later);
    others.close();
    await closed;
  });
});

async function echoed(socket: Socket): Promise<void> {
  socket.resume().write("hello");
  const [bytes] = await once(socket, "data");
  socket.pause();
  expect(String(bytes)).toBe("hello");
}
