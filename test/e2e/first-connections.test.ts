import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { launched } from "../kit/launched.ts";
import { probe } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";
import { folder } from "../kit/sandbox.ts";

beforeEach(requires("bwrap", "unprivileged bwrap"));

/** Sandboxes, each a fresh one. */
const sandboxes = Number(process.env["FENCE_FIRST_CONNECTIONS"] ?? 50);

/** A proxy that says what it hears, where nobody else looks. */
async function echoProxy(): Promise<string> {
  const path = join(folder(), "proxy.sock");
  const server = createServer((socket) => void socket.pipe(socket)).listen(path);
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return path;
}

for (const way of ["launched", "standalone"] as const) {
  const count = way === "launched" ? sandboxes : Math.ceil(sandboxes / 5); // whose start takes twice as long
  test(`${way}: nobody who connects as a program's first act is refused, ${count} times`, {
    timeout: 1e4 + count * 2e3,
  }, async () => {
    const options = ["--http-proxy", `unix:${await echoProxy()}`, ...(way === "standalone" ? ["--no-fast-path"] : [])];
    const refused: unknown[] = [];
    for (let i = 0; i < count; i++) {
      const { status, stdout, stderr, reports } = await launched([probe, "echo-tcp", "3128", "hello"], { options });
      expect(reports).toContainEqual(expect.objectContaining({ event: "ready", way }));
      const answer = status === 0 ? JSON.parse(stdout) : { status, stderr };
      if (answer.errno !== 0 || answer.text !== "hello") refused.push(answer);
    }
    expect(refused).toEqual([]);
  });
}
