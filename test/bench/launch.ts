/**
 * How long `fence run` takes to plan and make a sandbox, run /bin/true in it, and end.
 *
 * Runs:     on the host (npm run bench), or node test/bench/launch.ts [ROUNDS] alone, without the shell set-up.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { fence, packedNode } from "../../build/paths.ts";
import { milliseconds } from "./children.ts";
import { type Case, interleaved, printTable, type Table } from "./measure.ts";
import type { Peers } from "./peers.ts";
import { bwrapRoot, fenceInBwrap } from "./sandbox.ts";

export async function measureLaunch(peers: Peers | null, folder: string, rounds: number): Promise<Table> {
  const [httpProxy, socksProxy] = [`${folder}/http.sock`, `${folder}/socks.sock`];
  const sockets = [httpProxy, socksProxy];
  const servers = sockets.map((path) => createServer((socket) => socket.end()).listen(path));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const proxies = ["--http-proxy", `unix:${httpProxy}`, "--socks-proxy", `unix:${socksProxy}`];
  const inBwrap = (args: readonly string[]) => milliseconds("bwrap", [...args, "/bin/true"]);
  const shell: readonly Case[] =
    peers === null
      ? []
      : [
          {
            name: "shell + 2 socat",
            measure: () => milliseconds("sh", [peers.shellBootstrap, ...sockets, "/bin/true"]),
          },
        ];
  const rows = await interleaved(
    [
      { name: "fence run, two proxies", measure: () => milliseconds(fence, ["run", ...proxies, "--", "/bin/true"]) },
      { name: "fence run", measure: () => milliseconds(fence, ["run", "--", "/bin/true"]) },
      { name: "fence run -t code", measure: () => milliseconds(fence, ["run", "-t", "code", "--", "/bin/true"]) },
      { name: "fence bootstrap in bwrap", measure: () => inBwrap(fenceInBwrap({ httpProxy, socksProxy })) },
      ...shell,
      { name: "bare bwrap", measure: () => inBwrap(bwrapRoot(sockets)) },
      { name: "one start of Node", measure: () => milliseconds(packedNode, ["-e", "0"]) },
    ],
    rounds,
  );
  for (const server of servers) server.close();
  return {
    id: "launch",
    title: "fence run, /bin/true, end",
    unit: "ms",
    better: "lower",
    rows,
    goals: peers === null ? [] : [{ kind: "ratio", against: "shell + 2 socat", bound: 1 }],
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = mkdtempSync(`${tmpdir()}/fb-`);
  try {
    printTable(await measureLaunch(null, folder, Number(process.argv[2] ?? 15)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
