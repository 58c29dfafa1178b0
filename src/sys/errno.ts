/**
 * What negative results of system calls are called.
 *
 * Runs:     host and sandbox.
 * Promises: every errno has a name, "errno 131" at worst.
 * Source:   errno(3). Node's table lacks a few; loading node:os for them would cost the bootstrap 0.3 ms.
 */
import { getSystemErrorMap } from "node:util";
import { FenceError, type FenceErrorCode, type FenceErrorDetails } from "../base/errors.ts";

const unknownToNode: Readonly<Record<number, readonly [string, string]>> = {
  [-10]: ["ECHILD", "no child processes"],
  [-8]: ["ENOEXEC", "exec format error"],
  [-37]: ["ENOLCK", "no locks available"],
  [-38]: ["ENOSYS", "function not implemented"],
  [-42]: ["ENOMSG", "no message of desired type"],
  [-77]: ["EBADFD", "file descriptor in bad state"],
  [-80]: ["ELIBBAD", "accessing a corrupted shared library"],
  [-109]: ["ETOOMANYREFS", "too many descriptors of this user's are on their way between processes"],
};

/** Symbolic, such as `EADDRINUSE`. */
export function errnoName(result: number): string {
  return nameAndMessage(result)[0];
}

/** As in "bind: EADDRINUSE (address already in use)". */
export function describeFailure(syscall: string, result: number): string {
  const [name, message] = nameAndMessage(result);
  return `${syscall}: ${name} (${message})`;
}

/** What helps wherever it happens. */
const hints: Readonly<Record<string, string>> = {
  EMFILE: "raise the limit on open files (ulimit -n)",
  ENFILE: "the whole system has too many open files (fs.file-max)",
};

/** What we tried, on what, which call, which errno. */
export function systemError(
  code: FenceErrorCode,
  tried: string,
  syscall: string,
  result: number,
  details: FenceErrorDetails,
): FenceError {
  const errno = errnoName(result);
  const hint = hints[errno];
  return new FenceError(code, `${tried}: ${describeFailure(syscall, result)}`, {
    syscall,
    errno,
    ...(hint === undefined ? {} : { hint }),
    ...details,
  });
}

/** The same for an exception of Node's own calls. */
export function nodeError(
  code: FenceErrorCode,
  tried: string,
  error: unknown,
  details: FenceErrorDetails = {},
): FenceError {
  const { errno, syscall } = error as NodeJS.ErrnoException;
  if (errno === undefined) throw error;
  return systemError(code, tried, syscall ?? "system call", errno, { ...details, cause: error });
}

function nameAndMessage(result: number): readonly [string, string] {
  return getSystemErrorMap().get(result) ?? unknownToNode[result] ?? [`errno ${-result}`, "unknown"];
}
