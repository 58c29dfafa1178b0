import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished } from "vitest";
import { received, whole } from "../../kit/bytes.ts";
import { test, ways } from "../../kit/network-part.ts";
import { requires } from "../../kit/requires.ts";

const hello = Buffer.from("hello");

test.for(ways)("%s: 1000 clients wait at the limit and are served, 20 at a time", async (way, { stage }) => {
  const open = new Set<Socket>();
  let most = 0;
  const echo = (socket: Socket) => {
    open.add(socket);
    most = Math.max(most, open.size);
    socket.once("close", () => open.delete(socket));
    socket.pipe(socket);
  };
  const { client, ends } = await stage.served(way, echo, { connectionLimit: 20 });
  const clients = await Promise.all(Array.from({ length: 1000 }, client));
  const answers = clients.map((socket) => received(socket.end(hello)));
  expect(await Promise.all(answers)).toEqual(clients.map(() => whole(hello)));
  expect(await ends.drain()).toBe("drained");
  expect(ends.statistics()).toEqual([expect.objectContaining({ accepted: 1000, refused: 0, open: 0 })]);
  // A relay that is closed here may still be open there for a moment.
  expect(most).toBeLessThanOrEqual(40);
});

describe("published: sockets of the sandbox", () => {
  test("that cannot be made now are asked for again", async ({ stage }) => {
    const { client, sandbox } = await stage.served("published", (socket) => socket.pipe(socket));
    await sandbox.refuseSockets(6);
    const socket = await client();
    socket.end(hello);
    expect(await received(socket)).toEqual(whole(hello));
  });

  test("that do not come let clients wait, and when none will come they are reset", async ({ stage }) => {
    const { client, sandbox, ends, debug } = await stage.served("published", (socket) => socket.pipe(socket));
    await sandbox.refuseSockets(-1);
    const socket = await client();
    await sandbox.closeFactory();
    expect(await received(socket)).toMatchObject({ sizeBytes: 0, end: "ECONNRESET" });
    expect(await ends.drain()).toBe("drained");
    expect(ends.statistics()).toEqual([expect.objectContaining({ accepted: 1, refused: 1, open: 0 })]);
    expect(debug).toEqual([expect.stringContaining("of the sandbox: connect: ECONNREFUSED (")]);
  });

  test("are nobody's when the sandbox has ended, though some were ready", async ({ stage }) => {
    const { client, sandbox } = await stage.served("published", (socket) => socket.pipe(socket));
    const first = await client();
    first.write(hello);
    await once(first, "data"); // others are on their way, or there
    await sandbox.closeFactory();
    // Until the process has seen that, a client may still be connected, as before the end.
    for (;;) {
      const next = await client();
      const { end } = await received(next.end(hello));
      if (end === "ECONNRESET") break;
    }
    first.end();
    expect(await received(first)).toMatchObject({ end: "end" });
  });
});

test("what the configuration does not name cannot be connected to", async ({ stage }) => {
  const { client, debug, ends } = await stage.served("outbound", (socket) => socket.pipe(socket), { targets: [] });
  expect(await received(await client())).toMatchObject({ sizeBytes: 0, end: "ECONNRESET" });
  await ends.drain();
  expect(debug).toEqual([expect.stringContaining("connect: EACCES (")]);
});

test("Unix sockets cannot be connected to when the configuration names none", async ({ stage }) => {
  const path = join(mkdtempSync(join(tmpdir(), "fence-")), "service");
  const { promise: outcome, resolve } = Promise.withResolvers<string>();
  const service = createServer(() => resolve("connected")).listen(path);
  onTestFinished(() => void service.close());
  await once(service, "listening");
  const target = { kind: "tcp", host: "127.0.0.1", port: 1 } as const;
  const ends = stage.part({ targets: [target], publishedPorts: [], debug: resolve, crashed: () => {} }).sandbox(null);
  const sandbox = stage.sandbox();
  const { fd: listener, address: listen } = await sandbox.listen();
  if (listen.kind !== "tcp") throw new Error("no TCP listener");
  ends.add({ kind: "outbound", listener, listen, targets: [{ kind: "unix", path }] });
  stage.opened(await sandbox.connect(listen));
  expect(await outcome).toContain("clients wait: socket: EPERM (");
});

test("without descriptors nobody is lost: clients wait, and so do the ends of another sandbox", async ({
  stage,
  skip,
}) => {
  requires("root", "prlimit")({ skip });
  const { part, client, crashes, targetPort } = await stage.served("outbound", (socket) => socket.pipe(socket));
  const first = await echoed(await client());
  expect(spawnSync("prlimit", [`--pid=${part.child?.pid}`, "--nofile=40:40"]).status).toBe(0);
  const clients = await Promise.all(Array.from({ length: 40 }, client));
  const answers = clients.map((socket) => received(socket));
  for (const socket of clients) socket.write(hello);
  const other = stage.sandbox();
  const ends = part.sandbox(other.factory);
  const { fd: listener, address: listen } = await other.listen();
  if (listen.kind !== "tcp") throw new Error("no port");
  ends.add({ kind: "outbound", listener, listen, targets: [{ kind: "tcp", host: "127.0.0.1", port: targetPort }] });
  const late = stage.opened(await other.connect(listen));
  await echoed(first); // the process has had its turn
  for (const socket of clients) socket.end();
  expect(await Promise.all(answers)).toEqual(clients.map(() => whole(hello)));
  await echoed(late);
  expect(crashes).toEqual([]);
});

async function echoed(socket: Socket): Promise<Socket> {
  socket.write(hello);
  await once(socket, "data");
  return socket;
}
