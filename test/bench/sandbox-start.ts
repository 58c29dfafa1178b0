/**
 * What fence adds to bubblewrap's own start in a sandbox: two listeners, Landlock, seccomp and a reaper. The launcher does not
 * count: its messages are there already, as they are when it starts a sandbox.
 *
 * Runs:     on the host (npm run bench), or node test/bench/sandbox-start.ts [ROUNDS] alone, without the shell set-up.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { root } from "../../build/paths.ts";
import { milliseconds } from "./children.ts";
import { interleaved, printGoals, printTable, type Table } from "./measure.ts";
import { compile, type Peers } from "./peers.ts";
import { bareArguments, launchedArguments, launchedPlan } from "./planned.ts";

export async function measureSandboxStart(peers: Peers | null, folder: string, rounds: number): Promise<Table> {
  const launcher = compile(`${root}/test/bench/launched-once.c`, `${folder}/launched-once`, ["-static"]);
  const plan = `${folder}/launched.plan`;
  writeFileSync(plan, launchedPlan());
  // The shell takes paths that exist; nobody connects.
  const sockets = ["http.sock", "socks.sock"].map((name) => `${folder}/${name}`);
  for (const path of sockets) writeFileSync(path, "", { flag: "a" });
  const rows = await interleaved(
    [
      { name: "fence launched", measure: () => milliseconds(launcher, [plan, "bwrap", ...launchedArguments()]) },
      { name: bare, measure: () => milliseconds(launcher, ["-", "bwrap", ...bareArguments()]) },
      ...(peers === null
        ? []
        : [{ name: shell, measure: () => milliseconds("sh", [peers.shellBootstrap, ...sockets, "/bin/true"]) }]),
    ],
    rounds,
  );
  return {
    id: "sandbox-start",
    title: "bwrap with fence launched in it, /bin/true, end",
    unit: "ms",
    better: "lower",
    rows,
    goals: [
      { kind: "ratio", against: bare, bound: 1.15 },
      ...(peers === null ? [] : [{ kind: "ratio", against: shell, bound: 0.045 } as const]),
    ],
  };
}

const bare = "bare bwrap, same mounts";
const shell = "shell + 2 socat";

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = mkdtempSync(`${tmpdir()}/fb-`);
  try {
    const table = await measureSandboxStart(null, folder, Number(process.argv[2] ?? 31));
    printTable(table);
    printGoals([table]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
