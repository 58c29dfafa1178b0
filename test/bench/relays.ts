/**
 * Relays side by side: bytes and connections per second through TCP listeners to one Unix target.
 *
 * Runs:     on the host (npm run bench).
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { promisify } from "node:util";
import { fence } from "../../build/paths.ts";
import { type Goal, interleaved, type Row } from "./measure.ts";
import type { Peers } from "./peers.ts";

const run = promisify(execFile);
const bulkBytes = 1 << 30;
const stormSeconds = 1;

export interface RelayFigures {
  readonly title: string;
  readonly unit: string;
  readonly goals: readonly Goal[];
  readonly rows: readonly Row[];
}

/** Yields each table as soon as it is measured. */
export async function* measureRelays(peers: Peers, folder: string, rounds: number): AsyncGenerator<RelayFigures> {
  const target = `unix:${folder}/target.sock`;
  const running: ChildProcess[] = [];
  try {
    running.push(spawn(peers.loadGenerator, ["server", target], { stdio: "inherit" }));
    const relays = await Promise.all([
      start(running, "fence bridge", (port) => [fence, "bridge", `tcp:127.0.0.1:${port}=${target}`]),
      start(running, "socat", (port) => {
        const listen = `TCP-LISTEN:${port},fork,reuseaddr,backlog=4096,bind=127.0.0.1`;
        return ["socat", listen, `UNIX-CONNECT:${target.slice("unix:".length)}`];
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
    yield { title: "bulk, client to target", unit: "GB/s", goals: bulkGoals, rows: await bulk("S") };
    yield { title: "bulk, target to client", unit: "GB/s", goals: bulkGoals, rows: await bulk("G") };
    const storm = await measure((port) => ["storm", `tcp:${port}`, "16", `${stormSeconds}`], "cps");
    yield { title: "connections", unit: "per second", goals: connectionGoals, rows: storm };
    const echo = await measure((port) => ["echo", `tcp:${port}`, "64", "20000"], "p50");
    yield { title: "echo of 64 bytes, p50", unit: "microseconds", goals: echoGoals, rows: echo };
  } finally {
    for (const child of running) child.kill();
  }
}

const bulkGoals: readonly Goal[] = [
  { against: "socat", ratio: 2.5, better: "higher" },
  { against: "splice-relay in C", ratio: 0.85, better: "higher" },
];
const echoGoals: readonly Goal[] = [{ against: "socat", ratio: 1.15, better: "lower" }];
const connectionGoals: readonly Goal[] = [
  { against: "socat", ratio: 6, better: "higher" },
  { against: "splice-relay in C", ratio: 0.85, better: "higher" },
];

async function start(running: ChildProcess[], name: string, commandOn: (port: number) => readonly string[]) {
  const port = await freePort();
  const [command = "", ...args] = commandOn(port);
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] });
  running.push(child);
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
  }
  return { name, port };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

async function load(loadGenerator: string, args: readonly string[], figure: string): Promise<number> {
  const { stdout } = await run(loadGenerator, args);
  const result: Record<string, number> = JSON.parse(stdout);
  const value = result[figure];
  if (value === undefined || (result["fails"] ?? 0) > 0) throw new Error(`${args.join(" ")}: ${stdout}`);
  return value;
}
