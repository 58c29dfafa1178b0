/**
 * What a command costs a program that uses the library, beside bubblewrap with the same mounts and no fence, both started by the
 * same Node.
 *
 * Runs:     on the host (npm run bench), or node test/bench/library.ts [ROUNDS] alone.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { fence, library } from "../../build/paths.ts";
import type * as Library from "../../src/library/library.ts";
import { outputOf } from "./children.ts";
import { interleaved, printTable, type Table } from "./measure.ts";
import { bareArguments } from "./planned.ts";
import { milliseconds } from "./stopwatch.ts";

export async function measureLibrary(rounds: number): Promise<Table> {
  const { createSandbox } = (await import(library)) as typeof Library;
  await using sandbox = await createSandbox({ executable: fence });
  const bare = bareArguments();
  const bwrap = outputOf("sh", ["-c", "command -v bwrap"]).trim(); // searched once, as the library does
  const rows = await interleaved(
    [
      { name: "a command in the library", measure: () => elapsed(() => sandbox.run("/bin/true")) },
      { name: "bare bwrap, same mounts", measure: () => elapsed(() => ended(bwrap, bare)) },
      { name: "fence run", measure: () => milliseconds(fence, ["run", "--", "/bin/true"]) },
      {
        name: "createSandbox() and close()",
        measure: () => elapsed(async () => (await createSandbox({ executable: fence })).close()),
      },
    ],
    rounds,
  );
  return {
    id: "library",
    title: "a command in the library, /bin/true, end",
    unit: "ms",
    better: "lower",
    rows,
    goals: [],
  };
}

async function elapsed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** As run() has it: two pipes, until everything is closed. */
function ended(file: string, args: readonly string[]): Promise<void> {
  return new Promise((settle, refuse) => {
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream.resume();
    child.once("error", refuse);
    child.once("close", (status) => (status === 0 ? settle() : refuse(new Error(`${file} ended with ${status}`))));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  printTable(await measureLibrary(Number(process.argv[2] ?? 31)));
}
