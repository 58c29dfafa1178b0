/**
 * What flock(2) may be asked for. The addon's call never waits.
 *
 * Runs:     host. Pure.
 * Source:   flock(2); the numbers are those of asm-generic
 */
export const LOCK_SH = 1;
export const LOCK_EX = 2;
