/**
 * System calls for a throw-away child to make, as bytes that the stub reads.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: the numbers are those of native/stub/attempts.h, a test compares them.
 * Source:   docs/verify.md
 */
import { bug } from "../base/errors.ts";

export const attemptsFormat = {
  maxBytes: 65536,
  maxCount: 256,
  arguments: 6,
  headerBytes: 8,
  attemptBytes: 56,
  kinds: { value: 0, data: 1, result: 2, vector: 3 },
} as const;

export type AttemptArgument =
  /** Negative numbers are passed as 64-bit two's complement. */
  | number
  /** The call gets a pointer to these bytes. */
  | Uint8Array
  /** The call gets what this earlier attempt, by its place in the list, has returned. */
  | { readonly resultOf: number }
  /** The call gets the argument vector of the process that makes it. */
  | "own-argv";

export interface Attempt {
  /** The system call's number. */
  readonly number: number;
  /** Six at most; the others are 0. */
  readonly args: readonly AttemptArgument[];
}

export function encodeAttempts(attempts: readonly Attempt[]): Buffer {
  const { headerBytes, attemptBytes, maxBytes, maxCount } = attemptsFormat;
  const head = Buffer.alloc(headerBytes + attempts.length * attemptBytes);
  const data: Uint8Array[] = [];
  let end = head.length;
  head.writeUInt32LE(attempts.length, 0);
  attempts.forEach(({ number, args }, index) => {
    const at = headerBytes + index * attemptBytes;
    head.writeUInt32LE(number, at);
    let kinds = 0;
    args.forEach((arg, place) => {
      const { kind, value } = encodeArgument(arg, end);
      kinds |= attemptsFormat.kinds[kind] << (2 * place);
      head.writeBigInt64LE(BigInt(value), at + 8 + 8 * place);
      if (!(arg instanceof Uint8Array)) return;
      data.push(arg);
      end += arg.length;
    });
    head.writeUInt32LE(kinds, at + 4);
  });
  if (end > maxBytes || attempts.length > maxCount) throw bug(`${attempts.length} attempts are too many`);
  return Buffer.concat([head, ...data]);
}

/** `end` is where bytes of this argument will be. */
function encodeArgument(arg: AttemptArgument, end: number) {
  if (typeof arg === "number") return { kind: "value", value: arg } as const;
  if (arg === "own-argv") return { kind: "vector", value: 0 } as const;
  if (arg instanceof Uint8Array) return { kind: "data", value: end } as const;
  return { kind: "result", value: arg.resultOf } as const;
}
