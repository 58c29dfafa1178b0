/**
 * What the inside of a sandbox is to the launcher, whoever sets it up: the stub alone, or the bootstrap.
 *
 * Runs:     host. Types alone.
 * Source:   docs/launched.md
 */
import type { FenceError } from "../base/errors.ts";
import type { Json } from "../plan/schema.ts";

/** "launched": the stub carries a plan out that was made on the host. "standalone": `fence bootstrap` does it all. */
export type InsideWay = "launched" | "standalone";

/** What happens inside, as it is told. */
export interface InsideTold {
  /** Everything holds; the program starts next. `isolation` is what was applied. */
  readonly ready: (isolation: Json) => void;
  readonly verified: (checks: Json) => void;
  /** What relays inside has ended before its time. */
  readonly crash: (event: Json) => void;
}

export interface Inside {
  readonly way: InsideWay;
  /** What bubblewrap executes: argument 0 and those that follow. */
  readonly words: readonly [string, ...string[]];
  /** Makes what the sandbox waits for last of all, while bubblewrap is already at work. */
  sendPlan(): void;
  /** The sandbox has what it inherits. */
  sent(): void;
  /** Settles when there is nothing more to be told. Throws what keeps the launcher from hearing, or from telling it. */
  whole(): Promise<unknown>;
  /** Whether the program has started, or was about to. */
  readonly wasReady: boolean;
  /** What kept the program from starting; null: nothing that was reported. */
  readonly failure: FenceError | null;
  close(): void;
}
