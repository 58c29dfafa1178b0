/**
 * Assembles a tree of decisions about one system call into classic BPF.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: the program only jumps forward, always returns, and is accepted by seccomp(2), or nothing is assembled.
 * Source:   https://docs.kernel.org/networking/filter.html, linux/filter.h, linux/bpf_common.h
 */
import { bug, unreachable } from "../base/errors.ts";

/** A node that is used twice is assembled once: share nodes that are equal. */
export type Decision =
  | { readonly kind: "answer"; readonly action: number }
  /** The accumulator becomes the 32-bit word at `offset` of struct seccomp_data. */
  | { readonly kind: "load"; readonly offset: number; readonly next: Decision }
  /** The accumulator is compared with `value`, as an unsigned number; `any-bit`: they have a bit in common. */
  | {
      readonly kind: "branch";
      readonly test: "equal" | "at-least" | "any-bit";
      readonly value: number;
      readonly yes: Decision;
      readonly no: Decision;
    };

/** struct sock_filter. */
interface Instruction {
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  readonly constant: number;
}

const instructionBytes = 8;
const maximumInstructions = 4096; // BPF_MAXINSNS
const maximumJump = 0xff; // jt and jf are bytes
const seccompDataBytes = 64;

const opcodes = {
  load: 0x20, // BPF_LD | BPF_W | BPF_ABS
  jump: 0x05, // BPF_JMP | BPF_JA
  equal: 0x15, // BPF_JMP | BPF_JEQ | BPF_K
  "at-least": 0x35, // BPF_JMP | BPF_JGE | BPF_K
  "any-bit": 0x45, // BPF_JMP | BPF_JSET | BPF_K
  answer: 0x06, // BPF_RET | BPF_K
};

/** The bytes of the struct sock_filter array, little-endian as every machine that fence runs on. */
export function assemble(root: Decision): Uint8Array {
  const program = new BackwardsProgram();
  const pending = [root];
  for (let decision = pending.at(-1); decision !== undefined; decision = pending.at(-1)) {
    const missing = targetsOf(decision).filter((target) => !program.holds(target));
    if (missing.length === 0) {
      program.place(decision);
      pending.pop();
    }
    pending.push(...missing);
  }
  return encode(program.instructions());
}

function targetsOf(decision: Decision): readonly Decision[] {
  switch (decision.kind) {
    case "answer":
      return [];
    case "load":
      return [decision.next];
    case "branch":
      return [decision.yes, decision.no];
    default:
      return unreachable(decision);
  }
}

/** Written from its last instruction to its first, so that the target of every jump is already in place. */
class BackwardsProgram {
  readonly #placed: Instruction[] = [];
  /** How many instructions there are from a decision's first one to the program's end. */
  readonly #heights = new Map<Decision, number>();

  holds(decision: Decision): boolean {
    return this.#heights.has(decision);
  }

  /** Puts the decision before all that is placed, unless it already is there. */
  place(decision: Decision): void {
    if (this.holds(decision)) return;
    this.#write(decision);
    this.#heights.set(decision, this.#placed.length);
  }

  instructions(): readonly Instruction[] {
    return this.#placed.toReversed();
  }

  #write(decision: Decision): void {
    switch (decision.kind) {
      case "answer":
        this.#placed.push(instruction(opcodes.answer, decision.action));
        break;
      case "load": {
        const distance = this.#distance(decision.next);
        if (distance > 0) this.#placed.push(instruction(opcodes.jump, distance));
        this.#placed.push(instruction(opcodes.load, checkedOffset(decision.offset)));
        break;
      }
      case "branch": {
        for (const target of [decision.yes, decision.no]) this.#bringNear(target);
        const [jumpTrue, jumpFalse] = [this.#distance(decision.yes), this.#distance(decision.no)];
        this.#placed.push(instruction(opcodes[decision.test], decision.value, { jumpTrue, jumpFalse }));
        break;
      }
      default:
        unreachable(decision);
    }
  }

  /**
   * Where a branch could not jump to the target, with another such instruction before it, a stand-in is placed here: the
   * same answer again, or a jump without condition, which has no limit.
   */
  #bringNear(target: Decision): void {
    const distance = this.#distance(target);
    if (distance < maximumJump) return;
    const isAnswer = target.kind === "answer";
    this.#placed.push(isAnswer ? instruction(opcodes.answer, target.action) : instruction(opcodes.jump, distance));
    this.#heights.set(target, this.#placed.length);
  }

  /** How many instructions a jump that is written now has to skip. */
  #distance(target: Decision): number {
    const height = this.#heights.get(target);
    if (height === undefined) throw bug("a BPF jump has no target");
    return this.#placed.length - height;
  }
}

function instruction(code: number, constant: number, jumps = { jumpTrue: 0, jumpFalse: 0 }): Instruction {
  if (!Number.isInteger(constant) || constant < 0 || constant > 0xffff_ffff) {
    throw bug(`${constant} is not an unsigned 32-bit number`);
  }
  return { code, constant, ...jumps };
}

function checkedOffset(offset: number): number {
  if (offset % 4 !== 0 || offset >= seccompDataBytes) throw bug(`no word of seccomp_data is at offset ${offset}`);
  return offset;
}

function encode(instructions: readonly Instruction[]): Uint8Array {
  if (instructions.length > maximumInstructions) throw bug(`a BPF program has ${instructions.length} instructions`);
  const bytes = new Uint8Array(instructions.length * instructionBytes);
  const view = new DataView(bytes.buffer);
  for (const [index, { code, jumpTrue, jumpFalse, constant }] of instructions.entries()) {
    const at = index * instructionBytes;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, jumpTrue);
    view.setUint8(at + 3, jumpFalse);
    view.setUint32(at + 4, constant, true);
  }
  return bytes;
}
