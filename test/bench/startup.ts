/**
 * How long it takes to set a sandbox with two proxies up, run /bin/true in it, and end.
 *
 * Runs:     on the host (npm run bench).
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fence } from "../../build/paths.ts";
import { type Goal, interleaved, type Row } from "./measure.ts";
import type { Peers } from "./peers.ts";

export const startupGoals: readonly Goal[] = [{ against: "shell + 2 socat", ratio: 0.3, better: "lower" }];

export async function measureStartup(
  { shellBootstrap }: Peers,
  folder: string,
  rounds: number,
): Promise<readonly Row[]> {
  const proxies = [`${folder}/http.sock`, `${folder}/socks.sock`];
  const servers = proxies.map((path) => createServer().listen(path));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const [http = "", socks = ""] = proxies;
  const root = [
    ...["--die-with-parent", "--unshare-net", "--unshare-pid", "--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev"],
    ...["--proc", "/proc", "--tmpfs", "/tmp", "--bind", http, http, "--bind", socks, socks],
  ];
  const bootstrap = [
    ...["--ro-bind", fence, "/tmp/fence/bin/fence", "--", "/tmp/fence/bin/fence", "bootstrap"],
    ...["--http-proxy", `unix:${http}`, "--socks-proxy", `unix:${socks}`, "--rox", "/", "--rw", "/tmp"],
  ];
  const rows = await interleaved(
    [
      { name: "fence bootstrap", measure: () => milliseconds("bwrap", [...root, ...bootstrap, "/bin/true"]) },
      { name: "shell + 2 socat", measure: () => milliseconds("sh", [shellBootstrap, http, socks, "/bin/true"]) },
      { name: "bare bwrap", measure: () => milliseconds("bwrap", [...root, "/bin/true"]) },
    ],
    rounds,
  );
  for (const server of servers) server.close();
  return rows;
}

function milliseconds(command: string, args: readonly string[]): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(command, args, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  const elapsed = performance.now() - started;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}: ${stderr}`);
  return elapsed;
}
