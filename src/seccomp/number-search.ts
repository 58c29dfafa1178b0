/**
 * Finds the decision for a number by binary search, so that no number costs many comparisons.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: a number in no range gets the default decision.
 */
import { bug } from "../base/errors.ts";
import type { Decision } from "./bpf.ts";

/** The numbers from `first` to `last`, both included. */
export interface NumberRange {
  readonly first: number;
  readonly last: number;
  readonly decision: Decision;
}

/** The numbers from `first` up to the next step. */
interface Step {
  readonly first: number;
  readonly decision: Decision;
}

const greatestNumber = 0xffff_ffff;

/** Decides about the number in the accumulator. The ranges may come in any order but must not overlap. */
export function searchNumber(ranges: readonly NumberRange[], otherwise: Decision): Decision {
  const [lowest, ...higher] = stepsOf(ranges, otherwise);
  return searchSteps(lowest?.decision ?? otherwise, higher);
}

/** Every number once: the first step is at 0, and no two neighbours decide alike. */
function stepsOf(ranges: readonly NumberRange[], otherwise: Decision): readonly Step[] {
  const steps: Step[] = [];
  let next = 0;
  for (const { first, last, decision } of ranges.toSorted((a, b) => a.first - b.first)) {
    if (first < next || last < first) throw bug(`the range from ${first} to ${last} is empty or overlaps another`);
    if (first > next) steps.push({ first: next, decision: otherwise });
    steps.push({ first, decision });
    next = last + 1;
  }
  if (next <= greatestNumber) steps.push({ first: next, decision: otherwise });
  return steps.filter((step, index) => step.decision !== steps[index - 1]?.decision);
}

/** `below` decides about the numbers under the first step. */
function searchSteps(below: Decision, steps: readonly Step[]): Decision {
  const middle = steps.length >> 1;
  const pivot = steps[middle];
  if (pivot === undefined) return below;
  return {
    kind: "branch",
    test: "at-least",
    value: pivot.first,
    yes: searchSteps(pivot.decision, steps.slice(middle + 1)),
    no: searchSteps(below, steps.slice(0, middle)),
  };
}
