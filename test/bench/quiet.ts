/**
 * Waits for a moment in which the machine does nothing else: beside other work a comparison with what mostly sleeps says little.
 *
 * Runs:     on the host (npm run bench).
 * Source:   proc_stat(5)
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

const sampleMs = 100;
const longestWaitMs = 10_000;
/** The share of all processors' time that others may take. */
const busyLimit = 0.1;
/** Sleeps: whoever works until a program is started has used up some of the time that the scheduler gives both. */
const nobody = new Int32Array(new SharedArrayBuffer(4));
/** USER_HZ: /proc/stat counts hundredths of a second. */
const tickMs = 10;

/** Returns when it is quiet (true), or when that took too long (false). */
export function awaitQuiet(): boolean {
  for (const end = performance.now() + longestWaitMs; performance.now() < end; ) {
    const before = busyMs();
    Atomics.wait(nobody, 0, 0, sampleMs);
    if (busyMs() - before <= busyLimit * sampleMs * availableParallelism()) return true;
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
