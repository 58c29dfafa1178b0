/**
 * What fence adds to bubblewrap's own start in a sandbox: two listeners, Landlock, seccomp and a reaper. The launcher does not
 * count: its messages are there already, as they are when it starts a sandbox.
 *
 * Runs:     on the host (npm run bench), or node test/bench/sandbox-start.ts [ROUNDS] alone, without the shell set-up.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { fence } from "../../build/paths.ts";
import { sandboxPath } from "../../src/base/paths.ts";
import type { GrantedPath } from "../../src/plan/mounts.ts";
import { interleaved, printGoals, printTable, type Table } from "./measure.ts";
import type { Peers } from "./peers.ts";
import { bareArguments, grants, launchedArguments, launchedPlan } from "./planned.ts";
import { bwrapRoot } from "./sandbox.ts";
import { milliseconds } from "./stopwatch.ts";

/** In the sandbox of the shell set-up, then in that of `fence run`. */
export async function measureSandboxStart(peers: Peers | null, folder: string, rounds: number): Promise<Table[]> {
  // The shell takes paths that exist; nobody connects.
  const sockets = ["http.sock", "socks.sock"].map((name) => `${folder}/${name}`);
  for (const path of sockets) writeFileSync(path, "", { flag: "a" });
  const plain = bwrapRoot(fence.startsWith("/tmp/") ? [...sockets, fence] : sockets);
  const launchedInPlain = launched(`${folder}/plain.plan`, plainGrants, [
    ...plain,
    "--as-pid-1",
    "--",
    fence,
    "launched",
    "FD",
  ]);
  const launchedInOurs = launched(`${folder}/launched.plan`, grants, launchedArguments());
  const title = "bwrap with fence launched in it, /bin/true, end";
  return [
    {
      ...{ id: "sandbox-start", title, unit: "ms", better: "lower" },
      rows: await interleaved(
        [
          { name: "fence launched", measure: launchedInPlain },
          { name: bare, measure: () => milliseconds("bwrap", [...plain, "--", "/bin/true"]) },
          ...(peers === null
            ? []
            : [{ name: shell, measure: () => milliseconds("sh", [peers.shellBootstrap, ...sockets, "/bin/true"]) }]),
        ],
        rounds,
      ),
      goals: [
        { kind: "ratio", against: bare, bound: 1.15 },
        ...(peers === null ? [] : [{ kind: "ratio", against: shell, bound: 0.045 } as const]),
      ],
    },
    {
      ...{ id: "sandbox-start-run", title: `${title}, with the mounts of fence run`, unit: "ms", better: "lower" },
      rows: await interleaved(
        [
          { name: "fence launched", measure: launchedInOurs },
          { name: bare, measure: () => milliseconds("bwrap", bareArguments()) },
        ],
        rounds,
      ),
      goals: [{ kind: "ratio", against: bare, bound: 1.15 }],
    },
  ];
}

const bare = "bare bwrap, same mounts";
const shell = "shell + 2 socat";
const plainGrants: readonly GrantedPath[] = [
  { path: sandboxPath("/"), access: "rox" },
  ...["/dev", "/proc", "/tmp"].map((path): GrantedPath => ({ path: sandboxPath(path), access: "rw" })),
];

/** Starts bubblewrap with these arguments and what `fence launched` waits for. */
function launched(plan: string, grants: readonly GrantedPath[], args: readonly string[]): () => number {
  writeFileSync(plan, launchedPlan(grants));
  return () => milliseconds("bwrap", args, { plan });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = mkdtempSync(`${tmpdir()}/fb-`);
  try {
    const tables = await measureSandboxStart(null, folder, Number(process.argv[2] ?? 31));
    for (const table of tables) printTable(table);
    printGoals(tables);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
