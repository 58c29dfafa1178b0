/**
 * Runs a seccomp filter as the kernel would, after the checks that the kernel makes before it accepts one.
 *
 * Runs:     in tests.
 * Promises: refuses what seccomp(2) refuses; knows only the instructions that our assembler writes, and refuses others.
 * Source:   kernel/seccomp.c (seccomp_check_filter), net/core/filter.c (bpf_check_classic)
 */

/** struct seccomp_data; the instruction pointer is of no use to a filter. */
export interface SystemCall {
  readonly architecture: number;
  /** Any number; its low 32 bits count, as in the register. */
  readonly number: number;
  /** Up to six; the missing ones are 0. */
  readonly arguments: readonly bigint[];
}

export interface FilterResult {
  /** SECCOMP_RET_* with its data. */
  readonly action: number;
  /** How many instructions ran. */
  readonly steps: number;
}

interface Instruction {
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  readonly constant: number;
}

const instructionBytes = 8;
const maximumInstructions = 4096;
const dataBytes = 64;
const opcodes = { load: 0x20, jump: 0x05, equal: 0x15, atLeast: 0x35, anyBit: 0x45, answer: 0x06 };

/** Throws on a filter that the kernel would not accept. */
export function runFilter(filter: Uint8Array, call: SystemCall): FilterResult {
  const program = checkFilter(filter);
  const data = seccompData(call);
  let accumulator = 0;
  let position = 0;
  for (let steps = 1; ; steps++) {
    const { code, jumpTrue, jumpFalse, constant } = at(program, position);
    position++;
    if (code === opcodes.answer) return { action: constant, steps };
    if (code === opcodes.load) accumulator = data.getUint32(constant, true);
    if (code === opcodes.jump) position += constant;
    if (code === opcodes.equal) position += accumulator === constant ? jumpTrue : jumpFalse;
    if (code === opcodes.atLeast) position += accumulator >= constant ? jumpTrue : jumpFalse;
    if (code === opcodes.anyBit) position += (accumulator & constant) !== 0 ? jumpTrue : jumpFalse;
  }
}

/** The instructions of an acceptable filter. Throws on any other. */
export function checkFilter(filter: Uint8Array): readonly Instruction[] {
  const program = decode(filter);
  if (program.length < 1 || program.length > maximumInstructions) throw new Error(`${program.length} instructions`);
  for (const [position, instruction] of program.entries()) checkInstruction(program, position, instruction);
  if (at(program, program.length - 1).code !== opcodes.answer) throw new Error("the last instruction does not return");
  return program;
}

function checkInstruction(program: readonly Instruction[], position: number, instruction: Instruction): void {
  const { code, jumpTrue, jumpFalse, constant } = instruction;
  const following = program.length - position - 1;
  switch (code) {
    case opcodes.answer:
      return;
    case opcodes.load:
      if (constant % 4 !== 0 || constant >= dataBytes) throw new Error(`${position}: loads from offset ${constant}`);
      return;
    case opcodes.jump:
      if (constant >= following) throw new Error(`${position}: jumps past the end`);
      return;
    case opcodes.equal:
    case opcodes.atLeast:
    case opcodes.anyBit:
      if (Math.max(jumpTrue, jumpFalse) >= following) throw new Error(`${position}: jumps past the end`);
      return;
    default:
      throw new Error(`${position}: unknown instruction 0x${code.toString(16)}`);
  }
}

function decode(filter: Uint8Array): readonly Instruction[] {
  if (filter.length % instructionBytes !== 0) throw new Error(`${filter.length} bytes are not whole instructions`);
  const view = new DataView(filter.buffer, filter.byteOffset, filter.byteLength);
  return Array.from({ length: filter.length / instructionBytes }, (_, index) => {
    const start = index * instructionBytes;
    return {
      code: view.getUint16(start, true),
      jumpTrue: view.getUint8(start + 2),
      jumpFalse: view.getUint8(start + 3),
      constant: view.getUint32(start + 4, true),
    };
  });
}

function seccompData(call: SystemCall): DataView {
  const data = new DataView(new ArrayBuffer(dataBytes));
  data.setUint32(0, call.number, true);
  data.setUint32(4, call.architecture, true);
  for (const [index, argument] of call.arguments.entries()) data.setBigUint64(16 + 8 * index, argument, true);
  return data;
}

function at(program: readonly Instruction[], position: number): Instruction {
  const found = program[position];
  if (found === undefined) throw new Error(`no instruction at ${position}`);
  return found;
}
