import { expect, test } from "vitest";
import { attemptsFormat, encodeAttempts } from "../../../src/plan/attempts.ts";
import { readHeader } from "../../kit/c-header.ts";

const { macros, enums, structs } = readHeader("stub/attempts.h");

test("the format is that of attempts.h", () => {
  const { maxBytes, maxCount, arguments: count, headerBytes, attemptBytes, kinds } = attemptsFormat;
  expect(maxBytes).toBe(macros["ATTEMPTS_MAX_BYTES"]);
  expect(maxCount).toBe(macros["ATTEMPTS_MAX_COUNT"]);
  expect(count).toBe(macros["ATTEMPT_ARGUMENTS"]);
  expect(headerBytes).toBe(structs["attempts_header"]?.sizeBytes);
  expect(attemptBytes).toBe(structs["attempt"]?.sizeBytes);
  const names = Object.entries(kinds).map(([kind, number]) => [`ARGUMENT_${kind.toUpperCase()}`, number]);
  expect(Object.fromEntries(names)).toEqual(enums["attempt_argument"]);
});

test("arguments are numbers, pointers to the bytes behind the attempts, and results of earlier ones", () => {
  const path = Buffer.from("/x\0");
  const bytes = encodeAttempts([
    { number: 257, args: [-100, path, 7] },
    { number: 3, args: [{ resultOf: 0 }, "own-argv"] },
  ]);
  const { headerBytes, attemptBytes } = attemptsFormat;
  const data = headerBytes + 2 * attemptBytes;
  expect(bytes.readUInt32LE(0)).toBe(2);
  const attempt = (index: number) => {
    const at = headerBytes + index * attemptBytes;
    const args = [0, 1, 2, 3, 4, 5].map((place) => Number(bytes.readBigInt64LE(at + 8 + 8 * place)));
    return { number: bytes.readUInt32LE(at), kinds: bytes.readUInt32LE(at + 4), args };
  };
  expect(attempt(0)).toEqual({ number: 257, kinds: 0b00_01_00, args: [-100, data, 7, 0, 0, 0] });
  expect(attempt(1)).toEqual({ number: 3, kinds: 0b11_10, args: [0, 0, 0, 0, 0, 0] });
  expect(bytes.subarray(data)).toEqual(path);
});

test("more than the stub has room for is our mistake", () => {
  const many = Array.from({ length: attemptsFormat.maxCount + 1 }, () => ({ number: 39, args: [] }));
  expect(() => encodeAttempts(many)).toThrow(expect.objectContaining({ code: "FENCE_BUG" }));
  const large = [{ number: 39, args: [Buffer.alloc(attemptsFormat.maxBytes)] }];
  expect(() => encodeAttempts(large)).toThrow(expect.objectContaining({ code: "FENCE_BUG" }));
});
