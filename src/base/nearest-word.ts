/**
 * Finds the valid word that a mistyped one was probably meant to be.
 *
 * Runs:     host and sandbox, only after a mistake. Pure.
 * Promises: answers null rather than a far-fetched word.
 */

/** The candidate within a third of `word`'s length in edits, nearest first; null when none is near. */
export function nearestWord(word: string, candidates: readonly string[]): string | null {
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: string | null = null;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    // The lengths alone tell most words apart, and keep an endless one from costing time.
    if (Math.abs(word.length - candidate.length) >= bestDistance) continue;
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** "did you mean X?" as a hint, or the list of what is valid. */
export function wordHint(word: string, candidates: readonly string[]): string {
  const nearest = nearestWord(word, candidates);
  return nearest === null ? `valid: ${candidates.join(", ")}` : `did you mean ${nearest}?`;
}

/** The least number of insertions, deletions, replacements and swaps of neighbours. */
function editDistance(from: string, to: string): number {
  let beforePrevious: readonly number[] = [];
  let previous: readonly number[] = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwap = row > 1 && column > 1 && from[row - 2] === to[column - 1] && from[row - 1] === to[column - 2];
      current.push(
        Math.min(
          at(previous, column - 1) + (isSame ? 0 : 1),
          at(previous, column) + 1,
          at(current, column - 1) + 1,
          isSwap ? at(beforePrevious, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    [beforePrevious, previous] = [previous, current];
  }
  return at(previous, to.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? 0;
}
