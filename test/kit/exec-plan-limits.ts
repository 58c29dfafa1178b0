/**
 * Plans just inside and just outside of every rule of the format.
 *
 * Runs:     in tests, of both decoders.
 * Promises: for a process with `originalArgs` arguments; each plan breaks one rule at most.
 */
import { stepTypes } from "../../src/plan/exec-plan.ts";
import { originalArgs, type RawStep, rawPlan } from "./exec-plans.ts";

const text = (value: string) => Buffer.from(`${value}\0`);
const numbers = (...values: readonly number[]) => Buffer.from(Uint32Array.from(values).buffer);
const none = Buffer.alloc(0);

const argument: RawStep = [stepTypes.arg, text("program")];
const landlock: RawStep = [stepTypes.landlock, numbers(0, 0)];
const seccomp: RawStep = [stepTypes.seccomp, none];
const program: RawStep = [stepTypes.exec, text("/program")];
const whole = [argument, landlock, seccomp, program];

/** The whole plan with one more step at its place. */
function plus(...step: RawStep): readonly RawStep[] {
  return [...whole, step].toSorted(([one], [other]) => (one >> 4) - (other >> 4));
}

/** The whole plan with another step of this type. */
function instead(...step: RawStep): readonly RawStep[] {
  return whole.map((old) => (old[0] >> 4 === step[0] >> 4 ? step : old));
}

const filter = (instructions: number) => Buffer.alloc(instructions * 8);

const accepted: Readonly<Record<string, readonly RawStep[]>> = {
  "the least plan": whole,
  "the name of one character": plus(stepTypes["unset-env"], text("A")),
  "an empty value": plus(stepTypes["set-env"], text("A=")),
  "a value with =": plus(stepTypes["set-env"], text("A==")),
  "an empty argument": plus(stepTypes.arg, text("")),
  "all original arguments": plus(stepTypes["original-args"], numbers(0, originalArgs)),
  "the last original argument": plus(stepTypes["original-args"], numbers(originalArgs - 1, 1)),
  "the largest umask": plus(stepTypes.umask, numbers(0o777)),
  "the last resource": plus(stepTypes.rlimit, numbers(15, 0, 0, 0, 0, 0)),
  "a soft limit above the hard one, which the kernel refuses": plus(stepTypes.rlimit, numbers(0, 0, 1, 0, 0, 0)),
  "a ruleset and all flags": instead(stepTypes.landlock, numbers(1, 0xffff_ffff)),
  "the largest filter": instead(stepTypes.seccomp, filter(4096)),
  "the last original argument as the program": instead(stepTypes["exec-original"], numbers(originalArgs - 1)),
  "every kind twice that may be there twice": plus(stepTypes["clear-env"], none).flatMap((step) =>
    [landlock, seccomp, program].includes(step) ? [step] : [step, step],
  ),
};

const refused: Readonly<Record<string, readonly RawStep[]>> = {
  "no steps": [],
  "no argument 0": [landlock, seccomp, program],
  "no answer for Landlock": [argument, seccomp, program],
  "no answer for seccomp": [argument, landlock, program],
  "no program": [argument, landlock, seccomp],
  "two answers for Landlock": plus(...landlock),
  "two answers for seccomp": plus(...seccomp),
  "two programs": plus(...program),
  "two programs of both kinds": plus(stepTypes["exec-original"], numbers(0)),
  "Landlock after seccomp": [argument, seccomp, landlock, program],
  "a program before seccomp": [argument, landlock, program, seccomp],
  "the environment after the arguments": [argument, [stepTypes["clear-env"], none], landlock, seccomp, program],
  "an unknown type of a known rank": plus(0x42, none),
  "an unknown type of an unknown rank": plus(0xf0, none),
  "type 0": [[0, none], ...whole],
  "operands where there are none": plus(stepTypes["clear-env"], numbers(0)),
  "operands of drop-capabilities": plus(stepTypes["drop-capabilities"], numbers(0)),
  "an empty name": plus(stepTypes["unset-env"], text("")),
  "a name without bytes": plus(stepTypes["unset-env"], none),
  "a name with =": plus(stepTypes["unset-env"], text("A=")),
  "a name without end": plus(stepTypes["unset-env"], Buffer.from("AB")),
  "a name with NUL": plus(stepTypes["unset-env"], text("A\0B")),
  "a name that ends twice": plus(stepTypes["unset-env"], text("A\0")),
  "a variable without =": plus(stepTypes["set-env"], text("A")),
  "a variable without a name": plus(stepTypes["set-env"], text("=A")),
  "a variable that is only =": plus(stepTypes["set-env"], text("=")),
  "a value with NUL": plus(stepTypes["set-env"], text("A=\0B")),
  "an argument without bytes": plus(stepTypes.arg, none),
  "an argument without end": plus(stepTypes.arg, Buffer.from("x")),
  "no original arguments": plus(stepTypes["original-args"], numbers(0, 0)),
  "a range without count": plus(stepTypes["original-args"], numbers(0)),
  "a range with more": plus(stepTypes["original-args"], numbers(0, 1, 0)),
  "an empty directory": plus(stepTypes.chdir, text("")),
  "a umask above all bits": plus(stepTypes.umask, numbers(0o1000)),
  "a umask without bytes": plus(stepTypes.umask, none),
  "a umask of 8 bytes": plus(stepTypes.umask, numbers(0, 0)),
  "a resource that does not exist": plus(stepTypes.rlimit, numbers(16, 0, 0, 0, 0, 0)),
  "a limit without the hard one": plus(stepTypes.rlimit, numbers(0, 0, 0, 0)),
  "a limit with more": plus(stepTypes.rlimit, numbers(0, 0, 0, 0, 0, 0, 0)),
  "an answer for Landlock that is neither": instead(stepTypes.landlock, numbers(2, 0)),
  "an answer for Landlock without flags": instead(stepTypes.landlock, numbers(0)),
  "half an instruction": instead(stepTypes.seccomp, Buffer.alloc(4)),
  "one instruction too many": instead(stepTypes.seccomp, filter(4097)),
  "an empty path of the program": instead(stepTypes.exec, text("")),
  "a program by a number of 8 bytes": instead(stepTypes["exec-original"], numbers(0, 0)),
};

/** Only the stub can refuse these: it knows how many arguments there are. */
const refusedByStub: Readonly<Record<string, readonly RawStep[]>> = {
  "a range past the last argument": plus(stepTypes["original-args"], numbers(originalArgs - 1, 2)),
  "a range that starts past it": plus(stepTypes["original-args"], numbers(originalArgs, 1)),
  "a range that ends beyond 32 bits": plus(stepTypes["original-args"], numbers(0xffff_ffff, 2)),
  "a program past the last argument": instead(stepTypes["exec-original"], numbers(originalArgs)),
};

export interface LimitCase {
  readonly what: string;
  readonly bytes: Buffer;
  readonly accepts: { readonly typescript: boolean; readonly stub: boolean };
}

export function limitCases(buildId: string): readonly LimitCase[] {
  const all = (cases: Readonly<Record<string, readonly RawStep[]>>, accepts: LimitCase["accepts"]): LimitCase[] =>
    Object.entries(cases).map(([what, steps]) => ({ what, bytes: rawPlan(buildId, steps), accepts }));
  return [
    ...all(accepted, { typescript: true, stub: true }),
    ...all(refused, { typescript: false, stub: false }),
    ...all(refusedByStub, { typescript: true, stub: false }),
  ];
}
