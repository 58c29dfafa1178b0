/**
 * The one error class, and the one table of codes it may carry.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: every failure of fence has a code of this table, and with it an exit status.
 * Source:   docs/errors.md lists the same codes for users; a test holds the two together.
 */

interface ErrorCode {
  /** Exit status: 125 fence failed, 126 the program cannot run, 127 the program was not found. */
  readonly exit: 125 | 126 | 127;
  readonly says: string;
}

export const errorCodes = {
  FENCE_USAGE: { exit: 125, says: "The command line is wrong." },
  FENCE_PLAN: { exit: 125, says: "The JSON plan cannot be read or is wrong." },
  FENCE_STUB: { exit: 125, says: "The fence executable cannot start here." },
  FENCE_LISTEN: { exit: 125, says: "A bridge cannot listen on its address." },
  FENCE_RULE_PATH: { exit: 125, says: "The path of a Landlock rule cannot be opened." },
  FENCE_LANDLOCK_ABI: { exit: 125, says: "The kernel supports less Landlock than the options need." },
  FENCE_LANDLOCK: { exit: 125, says: "A Landlock system call failed." },
  FENCE_SECCOMP: { exit: 125, says: "The seccomp filter cannot be made or installed." },
  FENCE_VERIFY: { exit: 125, says: "A restriction did not prove itself." },
  FENCE_EXEC_PLAN: { exit: 125, says: "The exec plan cannot be made, passed on or carried out." },
  FENCE_BRIDGE: { exit: 125, says: "A bridge failed while it was running." },
  FENCE_STATUS: { exit: 125, says: "The status descriptor cannot be written." },
  FENCE_SERVICE: { exit: 125, says: "The library's service cannot be started, or has ended." },
  FENCE_OUTPUT: { exit: 125, says: "A command wrote more than the library was to keep." },
  FENCE_LAUNCH: { exit: 125, says: "The launcher cannot start or follow its sandbox." },
  FENCE_COMMAND: { exit: 125, says: "The policy denies the command." },
  FENCE_MOUNTS: { exit: 125, says: "What the policy asks to be mounted cannot be mounted so." },
  FENCE_RESOLVE: { exit: 125, says: "The name of a proxy cannot be resolved." },
  FENCE_CONFIG: { exit: 125, says: "The configuration cannot be read or is wrong." },
  FENCE_PREPARE: { exit: 125, says: "What the sandbox needs on the host cannot be made." },
  FENCE_BWRAP: { exit: 125, says: "The program bubblewrap is missing, or cannot start the sandbox." },
  FENCE_ISOLATION: { exit: 125, says: "A required layer of isolation cannot be had here." },
  FENCE_PROGRAM_CANNOT_RUN: { exit: 126, says: "The program exists but cannot be executed." },
  FENCE_PROGRAM_NOT_FOUND: { exit: 127, says: "The program does not exist inside the sandbox." },
  FENCE_BUG: { exit: 125, says: "fence itself is wrong. Please report it." },
} as const satisfies Record<`FENCE_${string}`, ErrorCode>;

export type FenceErrorCode = keyof typeof errorCodes;

export interface FenceErrorDetails {
  /** What fence was doing, a word such as `enforce-landlock`. */
  readonly step?: string;
  /** The system call that failed, as its manual page is named. */
  readonly syscall?: string;
  readonly path?: string;
  /** Symbolic, such as `ENOENT`. */
  readonly errno?: string;
  /** What the user can do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class FenceError extends Error {
  override readonly name = "FenceError";
  readonly code: FenceErrorCode;
  readonly details: FenceErrorDetails;

  constructor(code: FenceErrorCode, message: string, details: FenceErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.details = details;
  }

  get exitStatus(): 125 | 126 | 127 {
    return errorCodes[this.code].exit;
  }
}

/** For what cannot happen: our mistake, never the user's. */
export function bug(message: string, cause?: unknown): FenceError {
  return new FenceError("FENCE_BUG", message, {
    hint: "this is a fault of fence itself: please report it",
    cause,
  });
}

/** Any thrown value as a FenceError; what is none is our mistake. */
export function asFenceError(thrown: unknown): FenceError {
  return isFenceError(thrown) ? thrown : bug(String(thrown), thrown);
}

/** Each part of the executable has a class of its own, and one reports what another has thrown. */
function isFenceError(thrown: unknown): thrown is FenceError {
  return thrown instanceof Error && thrown.name === "FenceError" && "code" in thrown && "details" in thrown;
}

/** The default of an exhaustive switch; the type checker refuses a call that could be reached. */
export function unreachable(value: never): never {
  throw bug(`unexpected value ${JSON.stringify(value)}`);
}
