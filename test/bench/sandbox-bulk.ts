/**
 * Bytes per second through a sandbox's proxy listener, beside a connection on the host's loopback through the same relay.
 *
 * Runs:     on the host (npm run bench).
 */
import type { ChildProcess } from "node:child_process";
import { fence } from "../../build/paths.ts";
import { freePort, outputOf, startListening, stopAll } from "./children.ts";
import { type Case, interleaved, type Table } from "./measure.ts";
import type { Peers } from "./peers.ts";
import { proxyPort } from "./sandbox.ts";

const bulkBytes = 1 << 30;
const warmUpBytes = 1 << 10;
const directions = { S: "client to proxy", G: "proxy to client" } as const;

/** Yields each table as soon as it is measured. */
export async function* measureSandboxBulk(peers: Peers, folder: string, rounds: number): AsyncGenerator<Table> {
  const proxy = `${folder}/bulk-proxy.sock`;
  const running: ChildProcess[] = [];
  try {
    await startListening(running, [peers.loadGenerator, "server", `unix:${proxy}`], { path: proxy });
    const port = await freePort();
    await startListening(running, [fence, "bridge", `tcp:127.0.0.1:${port}=unix:${proxy}`], { port });
    for (const [direction, words] of Object.entries(directions)) {
      const load = (to: number, bytes = bulkBytes) => ["bulk", `tcp:${to}`, direction, "1", `${bytes}`];
      const sandbox = ["run", "--http-proxy", `unix:${proxy}`, "--allow-read", peers.loadGenerator, "--"];
      // The first connection starts the relay, which the other side has running.
      const twice = ["sh", "-c", '"$0" $1 >/dev/null && exec "$0" $2', peers.loadGenerator];
      const loads = [load(proxyPort, warmUpBytes), load(proxyPort)].map((words) => words.join(" "));
      const cases: readonly Case[] = [
        { name: "fence run, proxy listener", measure: () => gigabytes(fence, [...sandbox, ...twice, ...loads]) },
        { name: directName, measure: () => gigabytes(peers.loadGenerator, load(port)) },
      ];
      yield {
        id: `sandbox-bulk-${direction === "S" ? "to-proxy" : "to-client"}`,
        title: `bulk through a sandbox's proxy listener, ${words}`,
        unit: "GB/s",
        better: "higher",
        rows: await interleaved(cases, rounds),
        goals: [{ kind: "ratio", against: directName, bound: 0.9 }],
      };
    }
  } finally {
    await stopAll(running);
  }
}

const directName = "host's loopback, fence bridge";

function gigabytes(file: string, args: readonly string[]): number {
  const printed = outputOf(file, args);
  const { gbps, fails }: { gbps?: number; fails?: number } = JSON.parse(printed);
  if (gbps === undefined || (fails ?? 0) > 0) throw new Error(`${args.join(" ")}: ${printed}`);
  return gbps;
}
