/**
 * Relays side by side: bytes and connections per second through TCP listeners to one Unix target.
 *
 * Runs:     on the host (npm run bench).
 */
import { type ChildProcess, execFile } from "node:child_process";
import { promisify } from "node:util";
import { fence } from "../../build/paths.ts";
import { freePort, startListening, stopAll } from "./children.ts";
import { type Goal, interleaved, type Table } from "./measure.ts";
import type { Peers } from "./peers.ts";

const run = promisify(execFile);
const bulkBytes = 1 << 30;
const stormSeconds = 1;

/** Yields each table as soon as it is measured. */
export async function* measureRelays(peers: Peers, folder: string, rounds: number): AsyncGenerator<Table> {
  const target = `unix:${folder}/target.sock`;
  const running: ChildProcess[] = [];
  try {
    const path = target.slice("unix:".length);
    await startListening(running, [peers.loadGenerator, "server", target], { path });
    const relays = await Promise.all([
      start(running, "fence bridge", (port) => [fence, "bridge", `tcp:127.0.0.1:${port}=${target}`]),
      start(running, "socat", (port) => {
        const listen = `TCP-LISTEN:${port},fork,reuseaddr,backlog=4096,bind=127.0.0.1`;
        return ["socat", listen, `UNIX-CONNECT:${path}`];
      }),
      start(running, "splice-relay in C", (port) => [peers.spliceRelay, `tcp:${port}`, target]),
    ]);
    const measure = (args: (port: number) => string[], figure: string) =>
      interleaved(
        relays.map(({ name, port }) => ({ name, measure: () => load(peers.loadGenerator, args(port), figure) })),
        rounds,
      );
    const bulk = (direction: string) =>
      measure((port) => ["bulk", `tcp:${port}`, direction, "1", `${bulkBytes}`], "gbps");
    yield {
      id: "bulk-to-target",
      title: "bulk, client to target (TCP to Unix)",
      unit: "GB/s",
      better: "higher",
      goals: goals(2.5, 0.85),
      rows: await bulk("S"),
    };
    yield {
      id: "bulk-to-client",
      title: "bulk, target to client (Unix to TCP)",
      unit: "GB/s",
      better: "higher",
      goals: goals(2.5, 0.85),
      rows: await bulk("G"),
    };
    const storm = (port: number) => ["storm", `tcp:${port}`, "16", `${stormSeconds}`];
    yield {
      id: "connections",
      title: "connections",
      unit: "per second",
      better: "higher",
      goals: goals(6, 0.85),
      rows: await measure(storm, "cps"),
    };
    const echo = (port: number) => ["echo", `tcp:${port}`, "64", "20000"];
    yield {
      id: "echo",
      title: "echo of 64 bytes, p50",
      unit: "microseconds",
      better: "lower",
      goals: [{ kind: "ratio", against: "socat", bound: 1.15 }],
      rows: await measure(echo, "p50"),
    };
  } finally {
    await stopAll(running);
  }
}

function goals(socat: number, spliceRelay: number): readonly Goal[] {
  return [
    { kind: "ratio", against: "socat", bound: socat },
    { kind: "ratio", against: "splice-relay in C", bound: spliceRelay },
  ];
}

async function start(
  running: ChildProcess[],
  name: string,
  commandOn: (port: number) => readonly string[],
): Promise<{ readonly name: string; readonly port: number }> {
  const port = await freePort();
  await startListening(running, commandOn(port), { port });
  return { name, port };
}

async function load(loadGenerator: string, args: readonly string[], figure: string): Promise<number> {
  const { stdout } = await run(loadGenerator, args);
  const result: Record<string, number> = JSON.parse(stdout);
  const value = result[figure];
  if (value === undefined || (result["fails"] ?? 0) > 0) throw new Error(`${args.join(" ")}: ${stdout}`);
  return value;
}
