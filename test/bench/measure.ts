/**
 * Interleaved rounds, medians, and ratios pair by pair: what a shared, noisy machine allows to say.
 *
 * Runs:     on the host (npm run bench).
 */
import { awaitQuiet } from "./quiet.ts";

export interface Case {
  readonly name: string;
  /** One measurement, in the unit of the table. */
  readonly measure: () => number | Promise<number>;
}

export interface Row {
  readonly name: string;
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** The first case divided by this one, round by round: the median. */
  readonly ratioOfFirst: number;
}

/** One comparison: the first row is fence. */
export interface Table {
  /** Also the name of its plot. */
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly rows: readonly Row[];
  readonly goals: readonly Goal[];
}

/** A bound on the first row divided by another, or on one row itself, in the better direction of the table. */
export type Goal =
  | { readonly kind: "ratio"; readonly against: string; readonly bound: number }
  | { readonly kind: "value"; readonly of: string; readonly bound: number };

export interface Outcome {
  readonly goal: string;
  readonly measured: number;
  readonly isMet: boolean;
}

/**
 * Measures every case once a round, each time in another order: what comes first finds processors that slept. One round that
 * does not count comes before.
 */
export async function interleaved(cases: readonly Case[], rounds: number): Promise<readonly Row[]> {
  const values = cases.map((): number[] => []);
  let noisy = 0;
  for (let round = -1; round < rounds; round++) {
    if (!awaitQuiet()) noisy++;
    for (const turn of cases.keys()) {
      const i = (turn + round + 1) % cases.length;
      const value = await cases[i]?.measure();
      if (round >= 0 && value !== undefined) values[i]?.push(value);
    }
  }
  if (noisy > 0) console.log(`${noisy} of ${rounds + 1} rounds began beside other work`);
  const first = values[0] ?? [];
  return cases.map(({ name }, i) => {
    const own = values[i] ?? [];
    const ratios = own.map((value, round) => (first[round] ?? Number.NaN) / value);
    return { name, median: median(own), low: Math.min(...own), high: Math.max(...own), ratioOfFirst: median(ratios) };
  });
}

/** The rows that are not of fence are what it is compared with. */
export function isPeer({ name }: Row): boolean {
  return !name.startsWith("fence");
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** A goal on a row that was not measured is missed. */
export function outcomes({ title, unit, better, rows, goals }: Table): Outcome[] {
  const word = better === "lower" ? "at most" : "at least";
  return goals.map((goal) => {
    const name = goal.kind === "ratio" ? goal.against : goal.of;
    const row = rows.find((candidate) => candidate.name === name);
    const measured = (goal.kind === "ratio" ? row?.ratioOfFirst : row?.median) ?? Number.NaN;
    const isMet = better === "lower" ? measured <= goal.bound : measured >= goal.bound;
    const bound = goal.kind === "ratio" ? `${goal.bound} of ${name}` : `${goal.bound} ${unit} (${name})`;
    return { goal: `${title}: ${word} ${bound}`, measured, isMet };
  });
}

export function printTable({ title, unit, rows }: Table): void {
  const [first] = rows;
  if (first === undefined) return;
  console.log(`\n${title} (median of interleaved rounds, ${unit})`);
  for (const row of rows) {
    const { name, median: middle, low, high, ratioOfFirst } = row;
    const ratio = isPeer(row) ? `${first.name} / ${name} = ${ratioOfFirst.toFixed(2)}` : "";
    const columns = [middle, low, high].map((value) => figure(value).padStart(8));
    console.log(`  ${name.padEnd(30)} ${columns[0]}   [${columns[1]} to ${columns[2]}]   ${ratio}`);
  }
}

export function printGoals(tables: readonly Table[]): void {
  console.log("\ngoals");
  for (const { goal, measured, isMet } of tables.flatMap(outcomes)) {
    console.log(`  ${isMet ? "met   " : "MISSED"} ${figure(measured).padStart(8)}   ${goal}`);
  }
}

export function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}
