/**
 * How long it takes to set a sandbox with two proxies up, run /bin/true in it, and end.
 *
 * Runs:     on the host (npm run bench).
 */
import { once } from "node:events";
import { createServer } from "node:net";
import { packedNode } from "../../build/paths.ts";
import { interleaved, type Table } from "./measure.ts";
import type { Peers } from "./peers.ts";
import { bwrapRoot, fenceInBwrap } from "./sandbox.ts";
import { milliseconds } from "./stopwatch.ts";

export async function measureStartup({ shellBootstrap }: Peers, folder: string, rounds: number): Promise<Table> {
  const [httpProxy, socksProxy] = [`${folder}/http.sock`, `${folder}/socks.sock`];
  const sockets = [httpProxy, socksProxy];
  const servers = sockets.map((path) => createServer((socket) => socket.end()).listen(path));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const inBwrap = (args: readonly string[]) => milliseconds("bwrap", [...args, "/bin/true"]);
  const rows = await interleaved(
    [
      { name: "fence bootstrap", measure: () => inBwrap(fenceInBwrap({ httpProxy, socksProxy })) },
      {
        name: "fence bootstrap --init",
        measure: () => inBwrap(fenceInBwrap({ httpProxy, socksProxy, options: ["--init"] })),
      },
      { name: "shell + 2 socat", measure: () => milliseconds("sh", [shellBootstrap, ...sockets, "/bin/true"]) },
      { name: "bare bwrap", measure: () => inBwrap(bwrapRoot(sockets)) },
      { name: "one start of Node", measure: () => milliseconds(packedNode, ["-e", "0"]) },
    ],
    rounds,
  );
  for (const server of servers) server.close();
  return {
    id: "start-up",
    title: "sandbox with two proxies, /bin/true, end",
    unit: "ms",
    better: "lower",
    rows,
    goals: [{ kind: "ratio", against: "shell + 2 socat", bound: 0.3 }],
  };
}
