/**
 * Measures fence against its peers in one run, and says where it stands against its goals.
 *
 * Runs:     on the host: npm run bench [-- ROUNDS]
 * Promises: tests never assert on time; this prints figures, writes them to dist/bench.json and draws them in docs/figures/.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir } from "node:os";
import { dist, root } from "../../build/paths.ts";
import { measureColdBridge } from "./cold-bridge.ts";
import { measureLaunch } from "./launch.ts";
import { measureLibrary } from "./library.ts";
import { outcomes, printGoals, printTable, type Table } from "./measure.ts";
import { measureMemory } from "./memory.ts";
import { measureMountPlanning } from "./mounts.ts";
import { makePeers } from "./peers.ts";
import { barChart } from "./plot.ts";
import { measureRelays } from "./relays.ts";
import { measureSandboxBulk } from "./sandbox-bulk.ts";
import { measureSandboxMemory } from "./sandbox-memory.ts";
import { measureSandboxStart } from "./sandbox-start.ts";
import { measureStartup } from "./startup.ts";

const relayRounds = Number(process.argv[2] ?? 5);
/** One start takes milliseconds, so that many more fit. */
const startupRounds = relayRounds * 6 + 1;
/** Memory hardly varies. */
const memoryRounds = 3;
const machine = { kernel: `Linux ${release()}`, processors: `${cpus().length} x ${cpus()[0]?.model}` };

async function* measureAll(folder: string): AsyncGenerator<Table> {
  const peers = makePeers(folder);
  yield await measureStartup(peers, folder, startupRounds);
  yield await measureLaunch(peers, folder, startupRounds);
  yield* await measureSandboxStart(peers, folder, startupRounds);
  yield await measureLibrary(startupRounds);
  yield await measureColdBridge(peers, folder, startupRounds);
  yield await measureMountPlanning(folder, startupRounds);
  yield await measureMemory(peers, folder, memoryRounds);
  yield await measureSandboxMemory(folder, memoryRounds);
  yield* measureRelays(peers, folder, relayRounds);
  yield* measureSandboxBulk(peers, folder, relayRounds);
}

const folder = mkdtempSync(`${tmpdir()}/fb-`);
try {
  console.log(`${machine.kernel}, ${machine.processors}; ${startupRounds} rounds of starts, ${relayRounds} of relays`);
  const [load = 0] = loadavg();
  if (load > 1) console.log(`the load is ${load.toFixed(1)}: the machine does other work, trust the ratios only`);
  const tables: Table[] = [];
  for await (const table of measureAll(folder)) {
    printTable(table);
    tables.push(table);
  }
  printGoals(tables);
  const results = tables.map((table) => ({ ...table, outcomes: outcomes(table) }));
  writeFileSync(`${dist}/bench.json`, `${JSON.stringify({ machine, startupRounds, relayRounds, results }, null, 2)}\n`);
  mkdirSync(`${root}/docs/figures`, { recursive: true });
  for (const table of tables) writeFileSync(`${root}/docs/figures/${table.id}.svg`, barChart(table));
} finally {
  rmSync(folder, { recursive: true });
}
