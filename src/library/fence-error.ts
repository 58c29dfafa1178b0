/**
 * The error of the library: the CLI's, with what it says of itself at hand.
 *
 * Runs:     in the user's own Node.
 * Promises: every failure of fence is one of these; what else is thrown came from the caller (an AbortSignal's reason).
 * Source:   docs/errors.md
 */
import { FenceError as BaseError, errorCodes, type FenceErrorCode, type FenceErrorDetails } from "../base/errors.ts";
import type { ErrorRecord } from "../base/service-protocol.ts";

/** What fence could not do, with the CLI's codes. */
export class FenceError extends BaseError {
  /** What fence was doing: a word. */
  declare readonly step?: string;
  /** The system call that failed. */
  declare readonly syscall?: string;
  declare readonly path?: string;
  /** Symbolic, such as `ENOENT`. */
  declare readonly errno?: string;
  /** What you can do about it. */
  declare readonly hint?: string;

  /** @internal */
  constructor(code: FenceErrorCode, message: string, details: FenceErrorDetails = {}) {
    super(code, message, details);
    const { cause, ...said } = details;
    Object.assign(this, said);
    // Printed once, not twice.
    Object.defineProperty(this, "details", { value: details, enumerable: false });
    if (cause === undefined) delete this.cause;
  }
}

/** What the service has said. */
export function errorOf(record: ErrorRecord): FenceError {
  const { step, syscall, path, errno, hint } = record;
  const code =
    Object.keys(errorCodes).find((known): known is FenceErrorCode => known === record.code) ?? "FENCE_SERVICE";
  return new FenceError(code, record.message, {
    ...(step !== null && { step }),
    ...(syscall !== null && { syscall }),
    ...(path !== null && { path }),
    ...(errno !== null && { errno }),
    ...(hint !== null && { hint }),
  });
}

/** The caller has called us wrongly. */
export function usage(message: string, hint?: string): FenceError {
  return new FenceError("FENCE_USAGE", message, hint === undefined ? {} : { hint });
}
