import { expect, test } from "vitest";
import { checkFilter, runFilter } from "../../kit/bpf-interpreter.ts";

const returns = "0600000001000000";

function bytes(...instructions: readonly string[]): Uint8Array {
  return Buffer.from(instructions.join(""), "hex");
}

test.for<[string, Uint8Array]>([
  ["0 instructions", bytes()],
  ["4097 instructions", bytes(...new Array(4097).fill(returns))],
  ["not whole instructions", bytes(returns).subarray(1)],
  ["does not return", bytes(returns, "2000000000000000")],
  ["jumps past the end", bytes("1500010000000000", returns)],
  ["jumps past the end", bytes("1500000100000000", returns)],
  ["jumps past the end", bytes("0500000001000000", returns)],
  ["jumps past the end", bytes("05000000ffffffff", returns)], // backwards, were it signed
  ["loads from offset 2", bytes("2000000002000000", returns)],
  ["loads from offset 64", bytes("2000000040000000", returns)],
  ["unknown instruction 0x28", bytes("2800000000000000", returns)], // a half word
  ["unknown instruction 0x16", bytes("1600000000000000", returns)], // returns the accumulator
])("a filter is refused: %s", ([reason, filter]) => {
  expect(() => checkFilter(filter)).toThrow(reason);
});

test("a filter of 4096 instructions is accepted", () => {
  expect(checkFilter(bytes(...new Array(4096).fill(returns)))).toHaveLength(4096);
});

test.for<[string, number, readonly bigint[], number]>([
  ["2000000000000000", 0x1234, [], 0x1234],
  ["2000000004000000", 0, [], 0xc000_003e],
  ["2000000010000000", 0, [0x1_0000_0002n], 2],
  ["2000000014000000", 0, [0x1_0000_0002n], 1],
  ["2000000038000000", 0, [0n, 0n, 0n, 0n, 0n, 9n], 9],
  ["2000000000000000", -1, [], 0xffff_ffff],
])("%s loads its word of seccomp_data", ([load, number, args, value]) => {
  const constant = Buffer.alloc(4);
  constant.writeUInt32LE(value);
  const filter = bytes(load, `15000001${constant.toString("hex")}`, returns, "0600000002000000");
  expect(runFilter(filter, { architecture: 0xc000_003e, number, arguments: args })).toEqual({ action: 1, steps: 3 });
});
