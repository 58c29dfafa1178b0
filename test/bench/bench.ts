/**
 * Measures fence against its peers in one run, and says where it stands against its goals.
 *
 * Runs:     on the host: npm run bench [-- ROUNDS]
 * Promises: tests never assert on time; this prints figures and writes them to dist/bench.json.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { dist } from "../../build/paths.ts";
import { printTable } from "./measure.ts";
import { makePeers } from "./peers.ts";
import { measureRelays, type RelayFigures } from "./relays.ts";
import { measureStartup, startupGoals } from "./startup.ts";

const relayRounds = Number(process.argv[2] ?? 5);
/** One start takes milliseconds, so that many more fit. */
const startupRounds = relayRounds * 6 + 1;
const folder = mkdtempSync(`${tmpdir()}/fb-`);
try {
  console.log(`Linux ${release()}, ${cpus().length} x ${cpus()[0]?.model}; ${startupRounds} and ${relayRounds} rounds`);
  const peers = makePeers(folder);
  const startup = await measureStartup(peers, folder, startupRounds);
  printTable("sandbox with two proxies, /bin/true, end", "ms", startup, startupGoals);
  const relays: RelayFigures[] = [];
  for await (const figures of measureRelays(peers, folder, relayRounds)) {
    printTable(figures.title, figures.unit, figures.rows, figures.goals);
    relays.push(figures);
  }
  writeFileSync(`${dist}/bench.json`, `${JSON.stringify({ startup, relays }, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true });
}
