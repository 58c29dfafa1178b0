/**
 * Waits for a moment in which the machine does nothing else: beside other work a comparison with what mostly sleeps says little.
 *
 * Runs:     on the host (npm run bench).
 * Promises: looks without sleeping, so that what is measured starts on processors that are awake.
 * Source:   proc_stat(5)
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

const sampleMs = 100;
const longestWaitMs = 10_000;
/** The share of all processors' time that others may take. */
const busyLimit = 0.1;
/** USER_HZ: /proc/stat counts hundredths of a second. */
const tickMs = 10;

/** Returns when it is quiet (true), or when that took too long (false). */
export function awaitQuiet(): boolean {
  for (const end = performance.now() + longestWaitMs; performance.now() < end; ) {
    const before = busyMs();
    const own = process.cpuUsage();
    for (const sampled = performance.now() + sampleMs; performance.now() < sampled; );
    const { user, system } = process.cpuUsage(own);
    const others = busyMs() - before - (user + system) / 1000;
    if (others <= busyLimit * sampleMs * availableParallelism()) return true;
  }
  return false;
}

/** What all processors have worked since the machine was started. */
function busyMs(): number {
  const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  // cpu user nice system idle iowait irq softirq steal
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) * tickMs;
}
