/**
 * Landlock's errata: faults of the kernel that a bitmap says are fixed.
 *
 * Runs:     host and sandbox. Pure.
 * Source:   https://docs.kernel.org/userspace-api/landlock.html (Errata), landlock_create_ruleset(2)
 */

export interface Erratum {
  readonly number: number;
  /** The ABI whose feature it concerns: kernels below cannot have the fault. */
  readonly abi: number;
  /** What happens where it is not fixed. */
  readonly says: string;
}

export const errata: readonly Erratum[] = [
  { number: 1, abi: 4, says: "the TCP rights also deny Multipath TCP, SCTP and SMC sockets" },
  { number: 2, abi: 6, says: "the signal scope also denies signals between the threads of one process" },
  { number: 3, abi: 1, says: "a directory moved out of its bind mount can gain rights when it is renamed or linked" },
];

/** The errata that this kernel has not fixed. `bitmap` is landlockErrata()'s answer; below 0 the kernel cannot say. */
export function openErrata(bitmap: number, abi: number): readonly Erratum[] {
  const fixed = Math.max(0, bitmap);
  return errata.filter((erratum) => erratum.abi <= abi && (fixed & (1 << (erratum.number - 1))) === 0);
}
