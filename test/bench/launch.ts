/**
 * How long `fence run` takes to plan and make a sandbox, run /bin/true in it, and end; and what others take for theirs.
 *
 * Runs:     on the host (npm run bench), or node test/bench/launch.ts [ROUNDS] alone, without the shell set-up.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { dist, fence, packedNode } from "../../build/paths.ts";
import { type Case, interleaved, printTable, type Table } from "./measure.ts";
import { installNpmPeers } from "./npm-peers.ts";
import type { Peers } from "./peers.ts";
import { bareArguments } from "./planned.ts";
import { milliseconds } from "./stopwatch.ts";

export async function measureLaunch(peers: Peers | null, folder: string, rounds: number): Promise<Table> {
  const [httpProxy, socksProxy] = [`${folder}/http.sock`, `${folder}/socks.sock`];
  const sockets = [httpProxy, socksProxy];
  const servers = sockets.map((path) => createServer((socket) => socket.end()).listen(path));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const others = mkdtempSync(`${dist}/npm-peers-`);
  try {
    const proxies = ["--http-proxy", `unix:${httpProxy}`, "--socks-proxy", `unix:${socksProxy}`];
    const run = (...options: string[]) => milliseconds(fence, ["run", ...options, "--", "/bin/true"]);
    const npmPeers = installNpmPeers(others);
    const shell = (path: string): Case => ({
      name: shellName,
      measure: () => milliseconds("sh", [path, ...sockets, "/bin/true"]),
    });
    const rows = await interleaved(
      [
        { name: "fence run", measure: () => run() },
        { name: "fence run, two proxies", measure: () => run(...proxies) },
        { name: "fence run -t code", measure: () => run("-t", "code") },
        { name: "fence run --no-fast-path", measure: () => run("--no-fast-path") },
        ...(peers === null ? [] : [shell(peers.shellBootstrap)]),
        ...npmPeers.map(({ name, command: [file, ...args], environment }): Case => {
          return { name, measure: () => milliseconds(file, args, { environment }) };
        }),
        { name: "bare bwrap, same mounts", measure: () => milliseconds("bwrap", bareArguments()) },
        { name: "one start of Node", measure: () => milliseconds(packedNode, ["-e", "0"]) },
      ],
      rounds,
    );
    const isMeasured = (name: string) => rows.some((row) => row.name === name);
    return {
      id: "launch",
      title: "fence run, /bin/true, end",
      unit: "ms",
      better: "lower",
      rows,
      goals: goals.filter(({ against }) => isMeasured(against)),
    };
  } finally {
    for (const server of servers) server.close();
    rmSync(others, { recursive: true });
  }
}

const shellName = "shell + 2 socat";
const goals = [
  { kind: "ratio", against: shellName, bound: 0.5 },
  { kind: "ratio", against: "srt", bound: 1 / 6 },
] as const;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = mkdtempSync(`${tmpdir()}/fb-`);
  try {
    printTable(await measureLaunch(null, folder, Number(process.argv[2] ?? 15)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
