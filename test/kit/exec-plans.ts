/**
 * Arbitrary exec plans, and ways to spoil their bytes.
 *
 * Runs:     in tests.
 * Promises: every plan is one that the builder can make for a process with `originalArgs` arguments.
 */
import fc from "fast-check";
import {
  type ArgumentStep,
  type EnvironmentStep,
  type ExecPlan,
  execPlan,
  type ProcessStep,
  type ProgramStep,
  type SetUpStep,
} from "../../src/plan/exec-plan.ts";
import { encodeExecPlan } from "../../src/plan/exec-plan-bytes.ts";

export const originalArgs = 8;

const uint16 = fc.nat({ max: 2 ** 16 - 1 });
const uint32 = fc.nat({ max: 2 ** 32 - 1 });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
/** Whole characters without NUL. */
const text = fc.string({ unit: "binary", maxLength: 40 }).map((value) => value.replaceAll("\0", "0"));
const word = text.map((value) => `${value}x`);
const name = word.map((value) => value.replaceAll("=", "_"));

const environmentStep: fc.Arbitrary<EnvironmentStep> = fc.oneof(
  fc.constant({ kind: "clear-env" } as const),
  fc.record({ kind: fc.constant("unset-env" as const), name }),
  fc.record({ kind: fc.constant("set-env" as const), name, value: text }),
);

const range = fc
  .nat({ max: originalArgs - 1 })
  .chain((first) => fc.record({ first: fc.constant(first), count: fc.integer({ min: 1, max: originalArgs - first }) }));

const argumentStep: fc.Arbitrary<ArgumentStep> = fc.oneof(
  range.map(({ first, count }) => ({ kind: "original-args", first, count }) as const),
  fc.record({ kind: fc.constant("arg" as const), value: text }),
);

const processStep: fc.Arbitrary<ProcessStep> = fc.oneof(
  fc.record({ kind: fc.constant("chdir" as const), path: word }),
  fc.record({ kind: fc.constant("umask" as const), mask: fc.nat({ max: 0o777 }) }),
  fc.record({ kind: fc.constant("rlimit" as const), resource: fc.nat({ max: 15 }), soft: uint64, hard: uint64 }),
  fc.record({
    kind: fc.constant("stream" as const),
    from: fc.option(fc.integer({ min: 3, max: 2 ** 31 - 1 })),
    to: fc.nat({ max: 2 }),
  }),
  fc.record({ kind: fc.constant("signals" as const), blocked: uint64, ignored: uint64 }),
  fc.constant({ kind: "drop-capabilities" } as const),
);

const listenStep: fc.Arbitrary<SetUpStep> = fc
  .tuple(
    fc.constantFrom({ family: 2, sizeBytes: 16 }, { family: 10, sizeBytes: 28 }),
    fc.integer({ min: 1, max: 65535 }),
    fc.uint8Array({ minLength: 24, maxLength: 24 }),
  )
  .map(([{ family, sizeBytes }, port, rest]) => ({
    kind: "listen",
    address: new Uint8Array(Buffer.concat([Buffer.of(family, 0, port >> 8, port & 0xff), rest]).subarray(0, sizeBytes)),
  }));

const ruleStep: fc.Arbitrary<SetUpStep> = fc.oneof(
  fc.record({
    kind: fc.constant("path-rule" as const),
    path: word,
    directoryAccess: uint32,
    fileAccess: uint32,
    quiet: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("port-rule" as const), port: uint16, access: uint32, quiet: fc.boolean() }),
);

/** What a plan says of Landlock: whether the program is restricted, and the steps for it. */
const landlock: fc.Arbitrary<{ readonly restricts: boolean; readonly steps: readonly SetUpStep[] }> = fc.oneof(
  fc.boolean().map((restricts) => ({ restricts, steps: [] })),
  fc
    .tuple(
      fc.record({
        kind: fc.constant("ruleset" as const),
        handledFs: uint32,
        handledNet: uint32,
        scoped: uint32,
        quietFs: uint32,
        quietNet: uint32,
        quietScoped: uint32,
      }),
      fc.array(ruleStep, { maxLength: 4 }),
    )
    .map(([ruleset, rules]) => ({ restricts: true, steps: [ruleset, ...rules] })),
);

const filter = fc
  .array(fc.uint8Array({ minLength: 8, maxLength: 8 }), { maxLength: 12 })
  .map((instructions) => new Uint8Array(Buffer.concat(instructions)));

/** The program, and what it takes to find it. */
const program: fc.Arbitrary<{ readonly step: ProgramStep; readonly search: readonly SetUpStep[] }> = fc.oneof(
  word.map((path) => ({ step: { kind: "exec" as const, path }, search: [] })),
  fc.nat({ max: originalArgs - 1 }).map((index) => ({ step: { kind: "exec-original" as const, index }, search: [] })),
  fc.tuple(word, fc.array(word, { maxLength: 3 })).map(([first, rest]) => ({
    step: { kind: "exec-found" as const },
    search: [{ kind: "search" as const, paths: [first, ...rest] as const }],
  })),
);

export const anyBuildId: fc.Arbitrary<string> = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString("hex"));

export function execPlans(buildId: fc.Arbitrary<string>): fc.Arbitrary<ExecPlan> {
  return fc
    .record({
      id: buildId,
      environment: fc.array(environmentStep, { maxLength: 6 }),
      first: argumentStep,
      rest: fc.array(argumentStep, { maxLength: 4 }),
      process: fc.array(fc.oneof({ weight: 5, arbitrary: processStep }, { weight: 1, arbitrary: listenStep }), {
        maxLength: 5,
      }),
      landlock,
      flags: uint32,
      filter,
      program,
    })
    .map((parts) =>
      execPlan(parts.id)
        .environment(parts.environment)
        .arguments([parts.first, ...parts.rest])
        .process([...parts.process, ...parts.program.search, ...parts.landlock.steps])
        .landlock({ restricts: parts.landlock.restricts, flags: parts.flags })
        .seccomp(parts.filter)
        .program(parts.program.step),
    );
}

/** Bytes of plans that were damaged a little: most of what they say still holds. */
export function damagedPlans(buildId: fc.Arbitrary<string>): fc.Arbitrary<Buffer> {
  const damages = fc.array(damage, { minLength: 1, maxLength: 3 });
  return fc
    .tuple(execPlans(buildId), damages)
    .map(([plan, edits]) => edits.reduce<Buffer>((bytes, edit) => edit(bytes), encodeExecPlan(plan)));
}

type Damage = (bytes: Buffer) => Buffer;

/** Around the limits of what operands may be. */
const telling = fc.constantFrom(
  0,
  1,
  2,
  3,
  7,
  8,
  9,
  15,
  16,
  24,
  0o777,
  0o1000,
  32768,
  32776,
  65535,
  65536,
  2 ** 31,
  2 ** 32 - 8,
  2 ** 32 - 1,
);

const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.tuple(fc.nat(), fc.nat({ max: 255 })).map(([at, byte]): Damage => {
    return (bytes) => changed(bytes, at % bytes.length, byte);
  }),
  fc.tuple(fc.nat(), telling).map(
    ([at, number]): Damage =>
      (bytes) =>
        withNumber(bytes, at, number),
  ),
  fc.nat().map(
    (length): Damage =>
      (bytes) =>
        resized(bytes.subarray(0, 32 + (length % bytes.length))),
  ),
  fc.nat().map(
    (length): Damage =>
      (bytes) =>
        Buffer.from(bytes.subarray(0, length % bytes.length)),
  ),
  fc.uint8Array({ minLength: 1, maxLength: 24 }).map(
    (extra): Damage =>
      (bytes) =>
        resized(Buffer.concat([bytes, extra])),
  ),
  fc.tuple(fc.nat(), fc.nat()).map(
    ([one, other]): Damage =>
      (bytes) =>
        withSteps(bytes, (steps) => swapped(steps, one, other)),
  ),
  fc.nat().map(
    (at): Damage =>
      (bytes) =>
        withSteps(bytes, (steps) => steps.filter((_, i) => i !== at % steps.length)),
  ),
  fc.nat().map(
    (at): Damage =>
      (bytes) =>
        withSteps(bytes, (steps) => steps.flatMap((step, i) => (i === at % steps.length ? [step, step] : [step]))),
  ),
);

/** One of the plan's 32-bit numbers, or of the words of its strings, is another. */
function withNumber(bytes: Buffer, at: number, number: number): Buffer {
  const copy = Buffer.from(bytes);
  const words = Math.floor(copy.length / 4);
  if (words > 0) copy.writeUInt32LE(number, (at % words) * 4);
  return copy;
}

function changed(bytes: Buffer, at: number, byte: number): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length > 0) copy[at] = byte;
  return copy;
}

/** With the size in the header that it has. */
function resized(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length >= 28) copy.writeUInt32LE(copy.length, 24);
  return copy;
}

function swapped(steps: readonly Buffer[], one: number, other: number): readonly Buffer[] {
  const [first, second] = [one % steps.length, other % steps.length];
  return steps.map((step, i) => (i === first ? (steps[second] ?? step) : i === second ? (steps[first] ?? step) : step));
}

/** The plan with other steps; as it was when its steps cannot be told apart. */
function withSteps(bytes: Buffer, change: (steps: readonly Buffer[]) => readonly Buffer[]): Buffer {
  const steps: Buffer[] = [];
  for (let at = 32; at < bytes.length; ) {
    if (bytes.length - at < 8) return bytes;
    const end = at + 8 + Math.ceil(bytes.readUInt32LE(at + 4) / 8) * 8;
    if (end > bytes.length) return bytes;
    steps.push(bytes.subarray(at, end));
    at = end;
  }
  return bytes.length < 32 ? bytes : joined(bytes.subarray(0, 32), change(steps));
}

function joined(header: Buffer, steps: readonly Buffer[]): Buffer {
  const copy = Buffer.from(header);
  copy.writeUInt32LE(steps.length, 28);
  return resized(Buffer.concat([copy, ...steps]));
}

/** A step by its type, its payload, and the padding to a multiple of 8 bytes. */
export type RawStep = readonly [type: number, payload: Buffer];

/** A plan whose header is right, whatever its steps are. */
export function rawPlan(buildId: string, steps: readonly RawStep[]): Buffer {
  const header = encodeExecPlan({ version: 1, buildId, steps: [] });
  return joined(
    header,
    steps.map(([type, payload]) => {
      const bytes = Buffer.alloc(8 + Math.ceil(payload.length / 8) * 8);
      bytes.writeUInt16LE(type, 0);
      bytes.writeUInt32LE(payload.length, 4);
      bytes.set(payload, 8);
      return bytes;
    }),
  );
}
