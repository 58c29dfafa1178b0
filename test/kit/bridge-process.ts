/**
 * `fence bridge` in a child process, for what concerns a whole process: its limits, its memory, its end.
 *
 * Runs:     in the bridge tests.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../integration/bridge/bridge-child.ts", import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly stderr: string;
}

export interface ProcessLimits {
  /** RLIMIT_NOFILE; Node raises a soft limit to the hard one, so both are set. */
  readonly descriptorLimit?: number;
  /** Without them a user's pipes are limited, pipe(7): the bridge process in the sandbox has none. */
  readonly capabilities?: "kept" | "dropped";
}

export class BridgeProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;
  /** The line it prints when it is ready; empty when it ended without one. */
  readonly ready: Promise<string>;

  constructor(bridges: readonly string[], { descriptorLimit = 20_000, capabilities = "kept" }: ProcessLimits = {}) {
    const node = [process.execPath, "--disable-warning=ExperimentalWarning", program, ...bridges];
    const command = capabilities === "kept" ? node : ["setpriv", "--bounding-set=-all", "--inh-caps=-all", ...node];
    this.#child = spawn("sh", ["-c", `ulimit -n ${descriptorLimit}; exec "$@"`, "sh", ...command]);
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error("no pipes");
    const stderrText = text(stderr);
    this.ready = Promise.race([once(stdout, "data").then(String), once(stdout, "end").then(() => "")]);
    this.#ended = once(this.#child, "exit").then(async ([status]) => ({ status, stderr: await stderrText }));
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** When it has ended. */
  ended(): Promise<Ended> {
    return this.#ended;
  }

  /** Resident memory of its own, in bytes. */
  get privateBytes(): number {
    const rollup = readFileSync(`/proc/${this.#child.pid}/smaps_rollup`, "utf8");
    const sizes = [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB$/gm)].map(([, kilobytes]) => Number(kilobytes) * 1024);
    return sizes.reduce((sum, size) => sum + size, 0);
  }
}
