/**
 * What one running sandbox of `fence run` takes beside its launcher and its program, and that no Node runs in it.
 *
 * Runs:     on the host (npm run bench), as a user who may read the memory maps of processes that are not dumpable.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { fence } from "../../build/paths.ts";
import { interleaved, printGoals, printTable, type Table } from "./measure.ts";
import { descendantsOf, megabytes, type ProcessFacts, settled } from "./processes.ts";

const program = "sh";

export async function measureSandboxMemory(folder: string, rounds: number): Promise<Table> {
  const rows = await interleaved([{ name: "fence run, one sandbox", measure: () => oneSandbox(folder) }], rounds);
  return {
    id: "sandbox-memory",
    title: "memory of a running sandbox with two proxies, beside launcher and program",
    unit: "MB of PSS",
    better: "lower",
    rows,
    goals: [{ kind: "value", of: "fence run, one sandbox", bound: 1 }],
  };
}

/** The front, bubblewrap and fence's processes inside: the launcher is no child of theirs. */
async function oneSandbox(folder: string): Promise<number> {
  const proxies = ["--http-proxy", `unix:${folder}/http.sock`, "--socks-proxy", `unix:${folder}/socks.sock`];
  const command = [program, "-c", "echo started; read -r line"];
  const front = spawn(fence, ["run", ...proxies, "--", ...command], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    await Promise.race([once(front.stdout, "data"), once(front, "exit")]);
    if (front.pid === undefined || front.exitCode !== null) throw new Error("fence run has not started its program");
    const own = [front.pid, ...others(descendantsOf(front.pid))];
    return await settled(() => own.reduce((sum, pid) => sum + megabytes(pid), 0));
  } finally {
    front.kill("SIGTERM");
    if (front.exitCode === null && front.signalCode === null) await once(front, "exit");
  }
}

/** All but the program, none of which may be a Node. */
function others(processes: readonly ProcessFacts[]): readonly number[] {
  const nodes = processes.filter(({ threads }) => threads > 1);
  if (nodes.length > 0) throw new Error(`in the sandbox runs what has threads: ${nodes.map(({ name }) => name)}`);
  if (!processes.some(({ name }) => name === program)) throw new Error("the program does not run");
  return processes.filter(({ name }) => name !== program).map(({ pid }) => pid);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = mkdtempSync(`${tmpdir()}/fb-`);
  try {
    const table = await measureSandboxMemory(folder, Number(process.argv[2] ?? 3));
    printTable(table);
    printGoals([table]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
