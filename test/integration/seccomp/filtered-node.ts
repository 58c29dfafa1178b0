/**
 * A Node that was started under a filter: tries what is asked for, or relays from an inherited listener.
 *
 * Runs:     in a child process of the bridge filter's tests; the first argument names what it does.
 * Promises: prints one JSON line when it has tried, or when it relays.
 */
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { chmodSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import addon from "landlock-napi/addon";
import { Bridges } from "../../../src/bridge/bridges.ts";

const tries: Readonly<Record<string, () => unknown>> = {
  workerThread: () => once(new Worker("process.exit()", { eval: true }), "exit"),
  threadPool: () => Promise.all(Array.from({ length: 8 }, () => readFile(import.meta.filename))),
  timer: () => delay(1),
  process: () => {
    const { error } = spawnSync("/bin/true");
    if (error !== undefined) throw error;
  },
  listen: () => once(createServer().listen(0, "127.0.0.1"), "listening"),
  datagram: () => once(createSocket("udp4").bind(0), "listening"),
  mode: () => chmodSync(process.argv[3] ?? "", 0o777),
};

async function outcome(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
    return "ok";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** Until standard input ends. */
async function relay(targetPath: string): Promise<void> {
  const listener = {
    fd: 3,
    address: { kind: "tcp", host: "127.0.0.1", port: 1 },
    kind: "tcp",
    file: "not-ours",
  } as const;
  const bridges = new Bridges(addon, [{ listener, target: { kind: "unix", path: targetPath } }]);
  console.log(JSON.stringify("relays"));
  await once(process.stdin.resume(), "end");
  console.log(JSON.stringify(await bridges.drain()));
  bridges.close();
}

if (process.argv[2] === "relay") await relay(process.argv[3] ?? "");
else {
  const outcomes: Record<string, string | number> = {};
  for (const [name, attempt] of Object.entries(tries)) outcomes[name] = await outcome(attempt);
  outcomes["threads"] = readdirSync("/proc/self/task").length;
  process.stdout.write(JSON.stringify(outcomes), () => process.exit());
}
