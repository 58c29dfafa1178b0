/**
 * Runs a tool of the build and stops the build when it fails.
 *
 * Runs:     on the build machine.
 */
import { spawnSync } from "node:child_process";

export function run(command: string, args: readonly string[], options: { readonly cwd?: string } = {}): string {
  const done = spawnSync(command, args, { ...options, encoding: "utf8", maxBuffer: 64 << 20 });
  if (done.error !== undefined) throw new Error(`cannot run ${command}: ${done.error.message}`);
  if (done.status !== 0) {
    throw new Error(
      `${command} ${args.join(" ")} ended with ${done.status ?? done.signal}\n${done.stdout}${done.stderr}`,
    );
  }
  return done.stdout;
}
