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
  return replaced(whole, step);
}

function replaced(steps: readonly RawStep[], step: RawStep): readonly RawStep[] {
  return steps.map((old) => (old[0] >> 4 === step[0] >> 4 ? step : old));
}

const longNumbers = (...values: readonly number[]) => Buffer.from(BigUint64Array.from(values, BigInt).buffer);
const restricted: RawStep = [stepTypes.landlock, numbers(1, 0)];
const ruleset: RawStep = [stepTypes.ruleset, longNumbers(1, 0, 0, 0, 0, 0)];
const pathRule = (directory: number, file: number, flags: number, reserved = 0, path = text("/x")): RawStep => [
  stepTypes["path-rule"],
  Buffer.concat([longNumbers(directory, file), numbers(flags, reserved), path]),
];
const portRule = (port: number, access: number, flags: number, reserved = 0): RawStep => [
  stepTypes["port-rule"],
  Buffer.concat([longNumbers(port, access), numbers(flags, reserved)]),
];

/** A plan that enforces what these steps make. */
function withRuleset(...steps: readonly RawStep[]): readonly RawStep[] {
  return [argument, ...steps, restricted, seccomp, program];
}

/** A plan that executes what is found there. */
function searching(paths: Buffer): readonly RawStep[] {
  return [argument, [stepTypes.search, paths], landlock, seccomp, [stepTypes["exec-found"], none]];
}

const mostMasks = 0xffff_ffff;
const ipv4 = (port: number) => Buffer.from([2, 0, port >> 8, port & 0xff, 127, 0, 0, 1, ...Buffer.alloc(8)]);
const ipv6 = (port: number) =>
  Buffer.from([10, 0, port >> 8, port & 0xff, ...Buffer.alloc(4 + 15), 1, ...Buffer.alloc(4)]);

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
  "an IPv4 address to listen on": plus(stepTypes.listen, ipv4(65535)),
  "an IPv6 address to listen on": plus(stepTypes.listen, ipv6(1)),
  "one path of one character": searching(text("x")),
  "the same path twice": searching(text("/x\0/x")),
  "all that can be handled": withRuleset([stepTypes.ruleset, longNumbers(...Array<number>(6).fill(mostMasks))]),
  "a ruleset without rules": withRuleset(ruleset),
  "the most that a rule may allow": withRuleset(
    ruleset,
    pathRule(mostMasks, mostMasks, 1),
    portRule(65535, mostMasks, 1),
  ),
  "the least that a rule may allow": withRuleset(ruleset, portRule(0, 0, 0), pathRule(0, 0, 0)),
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
  "an IPv4 address of another family": plus(stepTypes.listen, Buffer.from([10, ...ipv4(80).subarray(1)])),
  "an IPv6 address of another family": plus(stepTypes.listen, Buffer.from([2, ...ipv6(80).subarray(1)])),
  "a Unix address to listen on": plus(stepTypes.listen, Buffer.from([1, ...ipv4(80).subarray(1)])),
  "a family of two bytes": plus(stepTypes.listen, Buffer.from([2, 1, ...ipv4(80).subarray(2)])),
  "an address without a port": plus(stepTypes.listen, ipv4(0)),
  "an IPv6 address without a port": plus(stepTypes.listen, ipv6(0)),
  "an address that ends early": plus(stepTypes.listen, ipv4(80).subarray(0, 15)),
  "an address with more": plus(stepTypes.listen, Buffer.concat([ipv6(80), Buffer.alloc(4)])),
  "an address of two bytes": plus(stepTypes.listen, ipv4(80).subarray(0, 2)),
  "an address without bytes": plus(stepTypes.listen, none),
  "no path to search": searching(none),
  "an empty path to search": searching(Buffer.from("\0")),
  "an empty path after another": searching(text("/x\0")),
  "an empty path before another": searching(text("\0/x")),
  "a path to search without end": searching(Buffer.from("/x\0/y")),
  "a search for what is not executed": plus(stepTypes.search, text("/x")),
  "the execution of what nobody searches": instead(stepTypes["exec-found"], none),
  "two searches": searching(text("/x")).flatMap((step) => (step[0] === stepTypes.search ? [step, step] : [step])),
  "operands of exec-found": replaced(searching(text("/x")), [stepTypes["exec-found"], numbers(0)]),
  "two programs, one of them found": [...searching(text("/x")), program],
  "a ruleset that is not enforced": plus(...ruleset),
  "two rulesets": withRuleset(ruleset, ruleset),
  "a ruleset without its last mask": withRuleset([stepTypes.ruleset, longNumbers(1, 0, 0, 0, 0)]),
  "a ruleset with more": withRuleset([stepTypes.ruleset, longNumbers(1, 0, 0, 0, 0, 0, 0)]),
  "a mask above 32 bits": withRuleset([stepTypes.ruleset, longNumbers(1, 0, 0, 0, 0, mostMasks + 1)]),
  "a path rule without a ruleset": withRuleset(pathRule(1, 1, 0)),
  "a port rule without a ruleset": withRuleset(portRule(1, 1, 0)),
  "a rule before its ruleset": withRuleset(pathRule(1, 1, 0), ruleset),
  "a rule of another directory mask": withRuleset(ruleset, pathRule(mostMasks + 1, 1, 0)),
  "a rule of another file mask": withRuleset(ruleset, pathRule(1, mostMasks + 1, 0)),
  "a rule with another flag": withRuleset(ruleset, pathRule(1, 1, 2)),
  "a rule with a reserved field that is set": withRuleset(ruleset, pathRule(1, 1, 0, 1)),
  "a rule without a path": withRuleset(ruleset, pathRule(1, 1, 0, 0, none)),
  "a rule with an empty path": withRuleset(ruleset, pathRule(1, 1, 0, 0, text(""))),
  "a rule with two paths": withRuleset(ruleset, pathRule(1, 1, 0, 0, text("/x\0/y"))),
  "a rule whose path has no end": withRuleset(ruleset, pathRule(1, 1, 0, 0, Buffer.from("/x"))),
  "a rule that ends before its flags": withRuleset(ruleset, [stepTypes["path-rule"], longNumbers(1, 1)]),
  "a port above all": withRuleset(ruleset, portRule(65536, 1, 0)),
  "a port far above all": withRuleset(ruleset, portRule(2 ** 32, 1, 0)),
  "a port rule of another mask": withRuleset(ruleset, portRule(1, mostMasks + 1, 0)),
  "a port rule with another flag": withRuleset(ruleset, portRule(1, 1, 2)),
  "a port rule with a reserved field that is set": withRuleset(ruleset, portRule(1, 1, 0, 1)),
  "a port rule with more": withRuleset(ruleset, [stepTypes["port-rule"], longNumbers(1, 1, 0, 0)]),
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
