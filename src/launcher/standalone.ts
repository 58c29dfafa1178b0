/**
 * A sandbox that `fence bootstrap` sets up from inside: its plan goes in and its report comes out on descriptors.
 *
 * Runs:     host, in the launcher.
 * Promises: see InsideEvents.
 * Source:   docs/launch.md
 */
import type { FenceError } from "../base/errors.ts";
import type { Json } from "../plan/schema.ts";
import type { Inside, InsideTold } from "./inside.ts";
import { InsideEvents } from "./inside-events.ts";
import type { Reading } from "./reading.ts";
import type { Sandbox } from "./sandbox.ts";

export class StandaloneInside implements Inside {
  readonly way = "standalone";
  readonly words: readonly [string, ...string[]];
  readonly #events: InsideEvents;
  readonly #report: Reading;

  /** Everything that it inherits is given to the sandbox. `isDebugging`: it says more. Throws FENCE_LAUNCH, FENCE_STUB. */
  constructor(sandbox: Sandbox, plan: Json, told: InsideTold, isDebugging: boolean) {
    const planFd = sandbox.giveBytes(Buffer.from(JSON.stringify(plan)), "the plan");
    const [report, statusFd] = sandbox.pipe();
    this.#events = new InsideEvents(told);
    this.#report = report;
    report.lines = (line) => this.#events.take(line);
    this.words = [
      ...(["fence", "bootstrap", "--plan-fd", String(planFd), "--status-fd", String(statusFd)] as const),
      ...(isDebugging ? ["--debug"] : []),
    ];
  }

  sendPlan(): void {}

  sent(): void {}

  whole(): Promise<unknown> {
    return this.#report.whole();
  }

  get wasReady(): boolean {
    return this.#events.wasReady;
  }

  get failure(): FenceError | null {
    return this.#events.failure;
  }

  close(): void {
    this.#report.close();
  }
}
