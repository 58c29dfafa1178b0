/**
 * How long planning the mounts takes, in a process that has not planned before, by the size of the workspace.
 *
 * Runs:     on the host: npm run bench, or node test/bench/mounts.ts alone.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { figure, interleaved, outcomes, printTable, type Table } from "./measure.ts";

const child = fileURLToPath(new URL("plan-once.ts", import.meta.url));
const sizes = [200, 200_000];
const perDirectory = 100;

export async function measureMountPlanning(folder: string, rounds: number): Promise<Table> {
  const cases = sizes.map((files) => {
    const workspace = `${folder}/files-${files}`;
    fill(workspace, files);
    return {
      name: `fence, ${files} files`,
      measure: () => Number(execFileSync(process.execPath, [child, workspace], { encoding: "utf8" })),
    };
  });
  const rows = await interleaved(cases.toReversed(), rounds);
  return {
    id: "mounts",
    title: "planning the mounts of a writable workspace, denied programs looked up",
    unit: "ms",
    better: "lower",
    rows,
    goals: rows.slice(0, 1).map(({ name }) => ({ kind: "value", of: name, bound: 50 })),
  };
}

function fill(workspace: string, files: number): void {
  for (let directory = 0; directory * perDirectory < files; directory += 1) {
    const place = `${workspace}/src/${directory % 40}/${directory}`;
    mkdirSync(place, { recursive: true });
    for (let file = 0; file < perDirectory; file += 1) writeFileSync(`${place}/${file}.ts`, "");
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = mkdtempSync(`${tmpdir()}/fb-`);
  try {
    const table = await measureMountPlanning(folder, Number(process.argv[2] ?? 15));
    printTable(table);
    for (const { goal, measured, isMet } of outcomes(table))
      console.log(`${isMet ? "met" : "MISSED"} ${figure(measured)}: ${goal}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
