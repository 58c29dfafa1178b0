/**
 * What the stub in a sandbox has said of its own end, when it could tell nobody but standard error.
 *
 * Runs:     host, in the launcher. Pure.
 * Promises: what it says is shown as fence's own report, not as bubblewrap's words; anything else stays what it is.
 * Source:   native/stub/fail.c
 */
import { errorCodes, FenceError, type FenceErrorCode } from "../base/errors.ts";
import { insideStep } from "./inside-events.ts";

/** As errorText() has it, too; the last of them is what the sandbox ended with. */
const report =
  /^fence: (?<message>.+)\n {2}step: {2}(?<step>\S+)\n(?: {2}hint: {2}(?<hint>.+)\n)? {2}code: {2}(?<code>FENCE_\w+)$/gm;
const failedCall = /: (?<syscall>[a-z][a-z0-9_]*): (?<errno>E[A-Z0-9]+|errno \d+)(?: \(.*\))?$/;

/** The error that is in what a sandbox wrote to standard error; null: there is none. */
export function stubReport(said: string): FenceError | null {
  const found = [...said.matchAll(report)].at(-1)?.groups;
  if (found === undefined) return null;
  const { message = "", step = "", hint } = found;
  const call = failedCall.exec(message)?.groups;
  return new FenceError(codeOf(found["code"]), message, {
    step: insideStep(step),
    ...(hint === undefined ? {} : { hint }),
    ...(call === undefined ? {} : { syscall: call["syscall"] ?? "", errno: call["errno"] ?? "" }),
  });
}

function codeOf(name: string | undefined): FenceErrorCode {
  return Object.keys(errorCodes).find((code): code is FenceErrorCode => code === name) ?? "FENCE_STUB";
}
