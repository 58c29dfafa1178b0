/**
 * All processes that this one can see.
 *
 * Runs:     in tests.
 * Source:   proc_pid_stat(5), proc_pid_cmdline(5)
 */
import { readdirSync, readFileSync } from "node:fs";

export interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** One letter: `R` runs, or could. */
  readonly state: string;
  /** Its arguments, separated by spaces. */
  readonly command: string;
}

/** But for those that have ended and are still to be waited for. */
export function allProcesses(): readonly SeenProcess[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      if (!/^\d+$/.test(name)) return [];
      const stat = readFileSync(`/proc/${name}/stat`, "latin1").split(") ").at(-1) ?? "";
      const [state = "", parent, , session] = stat.split(" ");
      const command = readFileSync(`/proc/${name}/cmdline`, "latin1").replaceAll("\0", " ").trim();
      const found = { pid: Number(name), parent: Number(parent), session: Number(session), state, command };
      return state === "Z" ? [] : [found];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}
