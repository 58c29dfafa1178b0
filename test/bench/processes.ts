/**
 * Processes and their memory, as /proc tells (proc_pid_smaps(5)).
 *
 * Runs:     on the host (npm run bench), as a user who may read them: some of fence's are not dumpable.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** The process's share of memory, in MB (10^6 bytes). */
export function megabytes(pid: number): number {
  const [, kibibytes] = /^Pss:\s+(\d+) kB$/m.exec(rollup(pid)) ?? [];
  return (Number(kibibytes ?? 0) * 1024) / 1e6;
}

function rollup(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  } catch {
    return ""; // it has ended, which takes nothing
  }
}

/** What `measure` gives, once it has not changed for a while. */
export async function settled(measure: () => number): Promise<number> {
  let last = Number.NaN;
  for (let same = 0; same < 3; ) {
    const now = measure();
    same = Math.abs(now - last) < 0.05 ? same + 1 : 0;
    last = now;
    await sleep(200);
  }
  return last;
}

/** Those that run the executable file at `path`. */
export function processesOf(path: string): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && executable(pid) === path);
}

function executable(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return null; // a kernel thread, or it has ended
  }
}

export interface ProcessFacts {
  readonly pid: number;
  readonly name: string;
  readonly parent: number;
  readonly threads: number;
}

/** Every process below this one. */
export function descendantsOf(ancestor: number): readonly ProcessFacts[] {
  const all = readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0)
    .flatMap((pid) => factsOf(pid) ?? []);
  const below = (parent: number): readonly ProcessFacts[] =>
    all.filter((each) => each.parent === parent).flatMap((each) => [each, ...below(each.pid)]);
  return below(ancestor);
}

/** proc_pid_status(5). */
function factsOf(pid: number): ProcessFacts | null {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return null; // it has ended
  }
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
  return { pid, name: field("Name"), parent: Number(field("PPid")), threads: Number(field("Threads")) };
}
