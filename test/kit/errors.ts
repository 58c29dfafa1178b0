/**
 * What a call throws, as a test wants to look at it.
 *
 * Runs:     in tests.
 */
import { FenceError } from "../../src/base/errors.ts";

/** The FenceError that the call throws; any other exception, and none, fails the test. */
export function failure(act: () => unknown): FenceError {
  try {
    act();
  } catch (error) {
    if (error instanceof FenceError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
