/**
 * What the set-up Node does once the program has started: relay its connections until it has ended.
 *
 * Runs:     sandbox, outside of the program's Landlock domain and session.
 * Promises: ends by itself when the program has ended. Daemons that it
 *           left behind keep their bridges as long as they use them.
 * Source:   docs/bootstrap.md
 */
import { readdirSync } from "node:fs";
import type { OpenBridge } from "../bridge/bridge.ts";
import { Bridges } from "../bridge/bridges.ts";
import type { Addon } from "../sys/addon.ts";
import { systemError } from "../sys/errno.ts";
import type { WaitingProcess } from "../sys/stub.ts";
import type { Report } from "./status.ts";

/** How long the bridges stay unused before daemons are taken to be done with them. */
const quietMs = 10_000;
/** Nothing tells when the last process of a PID namespace ends, so we look. */
const lookAgainMs = 200;

export interface BridgeProcess {
  readonly addon: Addon;
  readonly program: WaitingProcess;
  readonly bridges: readonly OpenBridge[];
  readonly report: Report;
  /** null: the user did not ask. */
  readonly debug: ((text: string) => void) | null;
}

/** Settles when there is nothing left to relay. */
export async function serveBridges({ addon, program, bridges, report, debug }: BridgeProcess): Promise<void> {
  const { pid } = program;
  const relays = new Bridges(addon, bridges, debug === null ? {} : { debug });
  try {
    await ended(addon, program.pidfd);
    await Promise.race([relays.whenQuiet(quietMs), aloneWith(pid)]);
    const outcome = await relays.drain();
    debug?.(`the program has ended, the bridges are ${outcome}`);
    reportEnd(report, relays);
  } finally {
    relays.close();
  }
}

/** Whoever reads the reports may be gone, as the program is. */
function reportEnd(report: Report, relays: Bridges): void {
  try {
    report({ event: "ended", bridges: relays.statistics() });
  } catch {
    // As above.
  }
}

/** Settles when there is no process left that could use the bridges; `program` may wait for its parent to reap it. */
async function aloneWith(program: number): Promise<void> {
  const [init, self] = [1, process.pid];
  const others = () =>
    readdirSync("/proc")
      .map(Number)
      .filter((pid) => pid > 0 && ![init, self, program].includes(pid));
  while (others().length > 0) await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
}

/** Settles when the process has ended. */
function ended(addon: Addon, pidfd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const watch = addon.watch(
      pidfd,
      () => {
        addon.unwatch(watch);
        resolve();
      },
      true,
    );
    if (watch < 0) reject(systemError("FENCE_BRIDGE", "cannot watch the program", "epoll_ctl", watch, {}));
  });
}
