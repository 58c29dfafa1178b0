/**
 * Where the milliseconds of `fence run -- PROGRAM` go, from outside: when it reports, when bubblewrap and the program start.
 *
 * Runs:     on the host: node test/bench/launch-phases.ts [ROUNDS] [OPTION of fence run]...
 * Promises: bubblewrap is the machine's own; the program before it and the program inside only say when they run.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { linkSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fence, root } from "../../build/paths.ts";
import { outputOf } from "./children.ts";
import { figure, median } from "./measure.ts";
import { compile } from "./peers.ts";

/** Each ends where the next begins. */
const phases = [
  "front, Node, command line",
  "decisions, mounts, plan",
  "bwrap, P0",
  "program, its end",
  "end of fence",
];

interface Stamps {
  readonly [name: string]: bigint;
}

const [rounds = "31", ...options] = process.argv.slice(2);
const folder = mkdtempSync(`${tmpdir()}/fb-`);
try {
  const { PATH: path = "" } = process.env;
  const bwrap = outputOf("sh", ["-c", "command -v bwrap"]).trim();
  const stamp = compile(`${root}/test/bench/stamp.c`, `${folder}/stamp`, ["-static", `-DBWRAP="${bwrap}"`]);
  linkSync(stamp, `${folder}/bwrap`);
  const values: number[][] = [...phases, "in all"].map(() => []);
  for (let round = -1; round < Number(rounds); round++) {
    const lengths = lengthsOf(await stampsOf(stamp, `${folder}:${path}`));
    if (round >= 0) for (const [i, length] of lengths.entries()) values[i]?.push(length);
  }
  console.log(`fence run ${options.join(" ")} (ms; ${rounds} rounds)\n${"".padEnd(30)}   median  fastest`);
  for (const [i, name] of [...phases, "in all"].entries()) {
    const own = values[i] ?? [];
    console.log(`${name.padEnd(30)} ${[median(own), Math.min(...own)].map((n) => figure(n).padStart(8)).join(" ")}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

async function stampsOf(program: string, path: string): Promise<Stamps> {
  const begun = process.hrtime.bigint();
  const child = spawn(fence, ["run", "--allow-read", program, "--status-fd", "3", ...options, "--", program], {
    stdio: ["ignore", "pipe", "inherit", "pipe"],
    env: { ...process.env, PATH: path },
  });
  const stamps: Record<string, bigint> = { begun };
  const [, output, , report] = child.stdio as unknown as readonly Readable[];
  if (output === undefined || report === undefined) throw new Error("there are no pipes");
  createInterface(output).on("line", (line) => {
    const [name = "", when = ""] = line.split(" ");
    stamps[name] = BigInt(when);
  });
  createInterface(report).on("line", (line) => {
    stamps[JSON.parse(line).event] = process.hrtime.bigint();
  });
  child.once("exit", () => {
    stamps["exit"] = process.hrtime.bigint();
  });
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`fence ended with ${status}`);
  return stamps;
}

/** In milliseconds, in the order of the phases, and in all. */
function lengthsOf(stamps: Stamps): readonly number[] {
  const moments = ["begun", "starting", "bwrap", "program", "ended", "exit"].map((name) => {
    const moment = stamps[name];
    if (moment === undefined) throw new Error(`nothing was heard of ${name}`);
    return Number(moment - (stamps["begun"] ?? 0n)) / 1e6;
  });
  const lengths = moments.slice(1).map((moment, i) => moment - (moments[i] ?? 0));
  return [...lengths, moments.at(-1) ?? Number.NaN];
}
