/**
 * Waits for a moment in which the machine does nothing else: beside other work a comparison with what mostly sleeps says little.
 *
 * Runs:     on the host (npm run bench).
 * Source:   proc_stat(5)
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const sampleMs = 100;
const longestWaitMs = 10_000;
/** The share of the processors' time that others may take. */
const busyLimit = 0.1;

/** Settles when it is quiet (true), or when that took too long (false). */
export async function untilQuiet(): Promise<boolean> {
  for (const end = performance.now() + longestWaitMs; performance.now() < end; ) {
    const before = processorTime();
    await sleep(sampleMs);
    const after = processorTime();
    if (after.busy - before.busy <= busyLimit * (after.total - before.total)) return true;
  }
  return false;
}

function processorTime(): { readonly busy: number; readonly total: number } {
  const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  // cpu user nice system idle iowait irq softirq steal
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const total = ticks.reduce((sum, value) => sum + value, 0);
  return { busy: total - (ticks[3] ?? 0) - (ticks[4] ?? 0), total };
}
