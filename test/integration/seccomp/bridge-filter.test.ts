import { execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import addon from "landlock-napi/addon";
import { afterAll, beforeAll, expect, test } from "vitest";
import { closeListener, openListeners } from "../../../src/bridge/listener.ts";
import { bridgeFilter } from "../../../src/seccomp/bridge-filter.ts";
import type { Architecture } from "../../../src/seccomp/filter.ts";

const folder = mkdtempSync(join(tmpdir(), "fence-"));
const preload = join(folder, "filter-at-start.so");
const filter = join(folder, "filter");
const child = resolve(import.meta.dirname, "filtered-node.ts");

beforeAll(() => {
  const source = resolve(import.meta.dirname, "filter-at-start.c");
  execFileSync("cc", ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", preload, source]);
  writeFileSync(filter, bridgeFilter(process.arch as Architecture));
});

afterAll(() => rmSync(folder, { recursive: true }));

function startNode(args: readonly string[], filtered: boolean, stdio: SpawnOptions["stdio"] = "pipe") {
  const env = filtered ? { ...process.env, LD_PRELOAD: preload, FENCE_TEST_FILTER: filter } : process.env;
  const node = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", child, ...args], { env, stdio });
  if (node.stdin === null || node.stdout === null || node.stderr === null) throw new Error("no pipes");
  return { stdin: node.stdin, stdout: node.stdout, stderr: text(node.stderr), exit: once(node, "exit") };
}

async function tried(filtered: boolean): Promise<Record<string, unknown>> {
  const node = startNode(["try", filter], filtered);
  const printed = await text(node.stdout);
  expect(await node.stderr).toBe("");
  expect(await node.exit).toEqual([0, null]);
  return JSON.parse(printed);
}

test("Node starts with its threads, and makes no process, no listener, no datagram socket, no other mode", async () => {
  const free = await tried(false);
  const { threads, ...outcomes } = await tried(true);
  expect(Object.values(free).slice(0, -1)).toEqual(Array(7).fill("ok"));
  expect(outcomes).toEqual({
    ...{ workerThread: "ok", threadPool: "ok", timer: "ok" },
    ...{ process: "EPERM", listen: "EPERM", datagram: "EPERM", mode: "EPERM" },
  });
  expect(threads).toBe(free["threads"]);
  expect(threads).toBeGreaterThanOrEqual(7);
});

test("relays copy and splice under it, from a listener that was there before", async () => {
  const target = join(folder, "target");
  const answer = randomBytes(4 << 20);
  const received: Promise<Buffer>[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    received.push(untilEnd(socket));
    socket.end(answer);
  }).listen(target);
  await once(server, "listening");
  const [listener] = openListeners(addon, [{ kind: "tcp", host: "127.0.0.1", port: 0 }]);
  if (listener?.address.kind !== "tcp") throw new Error("no listener");
  const node = startNode(["relay", target], true, ["pipe", "pipe", "pipe", listener.fd]);
  const [line] = await once(node.stdout, "data");
  expect(String(line)).toBe('"relays"\n');
  closeListener(addon, listener);

  const question = randomBytes(4 << 20);
  const client = connect({ host: "127.0.0.1", port: listener.address.port, allowHalfOpen: true });
  client.end(question);
  expect(sha256(await untilEnd(client))).toBe(sha256(answer));
  expect((await Promise.all(received)).map(sha256)).toEqual([sha256(question)]);
  node.stdin.end();
  expect(await text(node.stdout)).toBe('"drained"\n');
  expect(await node.stderr).toBe("");
  expect(await node.exit).toEqual([0, null]);
  server.close();
});

/** Leaves the socket open for writing. */
async function untilEnd(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "end");
  return Buffer.concat(chunks);
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
