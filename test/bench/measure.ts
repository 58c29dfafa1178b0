/**
 * Interleaved rounds, medians, and ratios pair by pair: what a shared, noisy machine allows to say.
 *
 * Runs:     on the host (npm run bench).
 */

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

/** Measures every case once a round, after one round that does not count. */
export async function interleaved(cases: readonly Case[], rounds: number): Promise<readonly Row[]> {
  const values = cases.map((): number[] => []);
  for (let round = -1; round < rounds; round++) {
    for (const [i, { measure }] of cases.entries()) {
      const value = await measure();
      if (round >= 0) values[i]?.push(value);
    }
  }
  const first = values[0] ?? [];
  return cases.map(({ name }, i) => {
    const own = values[i] ?? [];
    const ratios = own.map((value, round) => (first[round] ?? Number.NaN) / value);
    return { name, median: median(own), low: Math.min(...own), high: Math.max(...own), ratioOfFirst: median(ratios) };
  });
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** How the first case stands against a goal on its ratio to another. */
export interface Goal {
  readonly against: string;
  readonly ratio: number;
  readonly better: "higher" | "lower";
}

export function printTable(title: string, unit: string, rows: readonly Row[], goals: readonly Goal[]): void {
  const [first] = rows;
  if (first === undefined) return;
  console.log(`\n${title} (median of interleaved rounds, ${unit})`);
  for (const { name, median: middle, low, high, ratioOfFirst } of rows) {
    const ratio = name === first.name ? "" : `${first.name} / ${name} = ${ratioOfFirst.toFixed(2)}`;
    console.log(`  ${name.padEnd(22)} ${figure(middle)}   [${figure(low)} to ${figure(high)}]   ${ratio}`);
  }
  for (const { against, ratio, better } of goals) {
    const measured = rows.find(({ name }) => name === against)?.ratioOfFirst ?? Number.NaN;
    const met = better === "lower" ? measured <= ratio : measured >= ratio;
    const bound = better === "lower" ? "at most" : "at least";
    console.log(`  goal: ${bound} ${ratio} of ${against}: ${measured.toFixed(2)}, ${met ? "met" : "MISSED"}`);
  }
}

function figure(value: number): string {
  return (value >= 100 ? value.toFixed(0) : value.toFixed(2)).padStart(8);
}
