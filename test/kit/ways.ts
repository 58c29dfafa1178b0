/**
 * The ways in which `fence run` starts a program.
 *
 * Runs:     in end-to-end tests.
 * Promises: a test that names a way fails when fence has gone another.
 * Source:   docs/launch.md
 */
import type { Json } from "./sandbox.ts";

/** Launched is the default, standalone what `--no-fast-path` asks for. */
export const ways = ["launched", "standalone"] as const;
export type Way = (typeof ways)[number];

/** The options that make it so. */
export const wayOptions: Readonly<Record<Way, readonly string[]>> = { launched: [], standalone: ["--no-fast-path"] };

/** Throws when fence says that it has gone another way. */
export function confirmWay(reports: readonly Json[], way: Way): void {
  const ready = reports.find(({ event }) => event === "ready");
  if (ready !== undefined && ready.way !== way)
    throw new Error(`fence has gone the way ${JSON.stringify(ready.way)}, this test is about ${way}`);
}
