import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { assemble, type Decision } from "../../../src/seccomp/bpf.ts";
import { runFilter, type SystemCall } from "../../kit/bpf-interpreter.ts";

const yes: Decision = { kind: "answer", action: 1 };
const no: Decision = { kind: "answer", action: 2 };

function branch(value: number, decisions: { readonly yes: Decision; readonly no: Decision }): Decision {
  return { kind: "branch", test: "equal", value, ...decisions };
}

describe("the bytes of the assembled program", () => {
  test("are struct sock_filter, little-endian", () => {
    const program = assemble({ kind: "load", offset: 4, next: branch(0xc000_003e, { yes, no }) });
    expect(Buffer.from(program).toString("hex").match(/.{16}/g)).toEqual([
      "2000000004000000", // ld [4]
      "150000013e0000c0", // jeq #0xc000003e, 0, 1
      "0600000001000000", // ret #1
      "0600000002000000", // ret #2
    ]);
  });

  test("can ask for any of some bits", () => {
    const program = assemble({
      kind: "load",
      offset: 16,
      next: { kind: "branch", test: "any-bit", value: 6, yes, no },
    });
    expect(Buffer.from(program).toString("hex").match(/.{16}/g)?.[1]).toBe("4500000106000000"); // jset #6, 0, 1
    const answers = [0n, 1n, 2n, 4n, 7n, 8n, 6n << 32n].map((bits) => {
      return runFilter(program, { architecture: 0, number: 0, arguments: [bits] }).action;
    });
    expect(answers).toEqual([2, 2, 1, 1, 1, 2, 2]);
  });

  test("hold a shared decision once", () => {
    const program = assemble(branch(1, { yes, no: branch(2, { yes, no }) }));
    expect(program.length / 8).toBe(4);
  });

  test("jump without condition from a load to a decision that was already in place", () => {
    const shared: Decision = branch(7, { yes, no });
    const loads = (offset: number): Decision => ({ kind: "load", offset, next: shared });
    const program = assemble(branch(0, { yes: loads(16), no: loads(24) }));
    const call = { architecture: 0, number: 0, arguments: [7n, 8n] };
    expect(runFilter(program, call)).toEqual({ action: 1, steps: 5 });
    expect(program.length / 8).toBe(7);
  });
});

describe("our own mistakes are bugs:", () => {
  const tests: Readonly<Record<string, Decision>> = {
    "a load that is not on a word": { kind: "load", offset: 2, next: yes },
    "a load outside seccomp_data": { kind: "load", offset: 64, next: yes },
    "a load before seccomp_data": { kind: "load", offset: -4, next: yes },
    "a negative constant": { kind: "answer", action: -1 },
    "a constant of 33 bits": { kind: "answer", action: 2 ** 32 },
    "a fractional constant": branch(0.5, { yes, no }),
  };

  test.for(Object.entries(tests))("%s", ([, decision]) => {
    expect(() => assemble(decision)).toThrow(expect.objectContaining({ code: "FENCE_BUG" }));
    expect(() => assemble(decision)).toThrow(FenceError);
  });

  test("more than 4096 instructions", () => {
    let decision: Decision = yes;
    for (let loads = 0; loads < 4095; loads++) decision = { kind: "load", offset: 0, next: decision };
    expect(assemble(decision).length / 8).toBe(4096);
    expect(() => assemble({ kind: "load", offset: 0, next: decision })).toThrow("4097 instructions");
  });
});

describe("jumps over more than 255 instructions, which no branch can make,", () => {
  /** Compares with each number below `length`, one after the other. */
  const chain = (length: number, found: Decision, otherwise: Decision): Decision => {
    let decision = otherwise;
    for (let value = length - 1; value >= 0; value--) decision = branch(value, { yes: found, no: decision });
    return decision;
  };
  const answer = (program: Uint8Array, number: number) =>
    runFilter(program, { architecture: 0, number, arguments: [9n] }).action;
  const load = (next: Decision): Decision => ({ kind: "load", offset: 0, next });
  const elsewhere: Decision = { kind: "load", offset: 16, next: branch(9, { yes, no }) };

  test.for([1, 253, 254, 255, 256, 257, 300, 600, 1500])("are made by others, or not needed: %i", (length) => {
    for (const found of [yes, elsewhere]) {
      const program = assemble(load(chain(length, found, no)));
      for (let number = 0; number < length; number++) expect(answer(program, number), String(number)).toBe(1);
      for (const number of [length, length + 1, 0xffff_ffff]) expect(answer(program, number)).toBe(2);
      expect(program.length / 8).toBeLessThan(length + 10 + 2 * Math.ceil(length / 250));
    }
  });

  test("cost nothing where it is an answer that is far away", () => {
    const { steps } = runFilter(assemble(load(chain(1000, yes, no))), { architecture: 0, number: 999, arguments: [] });
    expect(steps).toBe(1002);
  });
});

test("the assembled program answers as the tree of decisions says", () => {
  fc.assert(
    fc.property(decisions, calls, (decision, call) => {
      expect(runFilter(assemble(decision), call).action).toBe(evaluate(decision, call, 0));
    }),
  );
});

const words = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 0xffff_ffff }));
const offsets = fc.integer({ min: 0, max: 15 }).map((word) => word * 4);

const decisions = fc.letrec<{ decision: Decision }>((tie) => ({
  decision: fc.oneof(
    { maxDepth: 5 },
    fc.record({ kind: fc.constant("answer" as const), action: words }),
    fc.record({ kind: fc.constant("load" as const), offset: offsets, next: tie("decision") }),
    fc.record({
      kind: fc.constant("branch" as const),
      test: fc.constantFrom("equal" as const, "at-least" as const),
      value: words,
      yes: tie("decision"),
      no: tie("decision"),
    }),
  ),
})).decision;

const calls = fc.record({
  architecture: words,
  number: words,
  arguments: fc.array(fc.oneof(fc.bigInt({ min: 0n, max: 4n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })), {
    maxLength: 6,
  }),
});

/** What the tree says, without any BPF. */
function evaluate(decision: Decision, call: SystemCall, accumulator: number): number {
  switch (decision.kind) {
    case "answer":
      return decision.action;
    case "load":
      return evaluate(decision.next, call, wordOf(call, decision.offset / 4));
    case "branch": {
      const holds = decision.test === "equal" ? accumulator === decision.value : accumulator >= decision.value;
      return evaluate(holds ? decision.yes : decision.no, call, accumulator);
    }
  }
}

function wordOf(call: SystemCall, index: number): number {
  if (index < 4) return [call.number, call.architecture, 0, 0][index] ?? 0;
  const argument = call.arguments[(index - 4) >> 1] ?? 0n;
  return Number(BigInt.asUintN(32, index % 2 === 0 ? argument : argument >> 32n));
}
