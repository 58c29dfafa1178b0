/**
 * The exec plan: what the process that becomes the program does to itself, in the one safe order.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: the builder's types allow no other order, no plan without an answer for Landlock and for seccomp, and
 *           nothing after the program.
 * Source:   docs/exec-plan.md; native/stub/exec-plan.h holds the same numbers, and a test compares them
 */
import type { RulesetMasks } from "../landlock/ruleset.ts";

/** The upper digit is the rank of the step: ranks never go down within a plan. */
export const stepTypes = {
  "clear-env": 0x10,
  "unset-env": 0x20,
  "set-env": 0x30,
  "original-args": 0x40,
  arg: 0x41,
  chdir: 0x50,
  listen: 0x51,
  umask: 0x60,
  search: 0x61,
  ruleset: 0x62,
  "path-rule": 0x63,
  "port-rule": 0x64,
  rlimit: 0x70,
  stream: 0x71,
  signals: 0x72,
  "drop-capabilities": 0x80,
  landlock: 0x90,
  seccomp: 0xa0,
  exec: 0xb0,
  "exec-original": 0xb1,
  "exec-found": 0xb2,
} as const;

/** What belongs to no step, as failures name it. */
export const preparationTypes = { check: 0x01, vectors: 0x02, noNewPrivs: 0x03, read: 0x04, announce: 0x05 } as const;
/** What a failure of `read` has as its index. */
export const readCalls = ["fcntl", "lseek", "mmap"] as const;

export type StepKind = keyof typeof stepTypes;

export type EnvironmentStep =
  | { readonly kind: "clear-env" }
  | { readonly kind: "unset-env"; readonly name: string }
  /** Replaces the variable. */
  | { readonly kind: "set-env"; readonly name: string; readonly value: string };

export type ArgumentStep =
  /** Arguments of the process that carries out the plan, byte for byte. */
  | { readonly kind: "original-args"; readonly first: number; readonly count: number }
  | { readonly kind: "arg"; readonly value: string };

export type ProcessStep =
  | { readonly kind: "chdir"; readonly path: string }
  | { readonly kind: "umask"; readonly mask: number }
  /** `resource` is RLIMIT_*, getrlimit(2); both limits up to 2^64 - 1, which is RLIM_INFINITY. */
  | { readonly kind: "rlimit"; readonly resource: number; readonly soft: bigint; readonly hard: bigint }
  /** Standard stream 0 to 2 becomes this descriptor, which the program then lacks; null: it is closed. */
  | { readonly kind: "stream"; readonly from: number | null; readonly to: number }
  /** The blocked and the ignored signals, a bit each, the lowest for number 1; all others have their default action. */
  | { readonly kind: "signals"; readonly blocked: bigint; readonly ignored: bigint }
  | { readonly kind: "drop-capabilities" };

/** What a plan that was made on the host has to set up inside, where no Node of ours does it before. */
export type SetUpStep =
  /** A listening socket, struct sockaddr_in or sockaddr_in6: it is passed out to whoever has sent the plan. */
  | { readonly kind: "listen"; readonly address: Uint8Array }
  /** The first of these that may be executed is what `exec-found` executes; relative paths as execve(2) takes them. */
  | { readonly kind: "search"; readonly paths: readonly [string, ...string[]] }
  /** landlock_create_ruleset(2): masks of what is handled, and of what a quiet rule keeps out of the audit log. */
  | ({ readonly kind: "ruleset" } & RulesetMasks)
  /** Rules of the ruleset before. The path's own file type says which of the two counts; 0 and not quiet: no rule. */
  | {
      readonly kind: "path-rule";
      readonly path: string;
      readonly directoryAccess: number;
      readonly fileAccess: number;
      readonly quiet: boolean;
    }
  | { readonly kind: "port-rule"; readonly port: number; readonly access: number; readonly quiet: boolean };

/** The system calls of a step that makes several, as failures number them. */
export const stepCalls = {
  listen: ["socket", "setsockopt", "bind", "listen", "sendmsg"],
  "path-rule": ["open", "fstat", "landlock_add_rule"],
  signals: ["rt_sigaction", "rt_sigprocmask"],
} as const;

/** As the step `signals` has them. */
export function signalMask(signals: readonly number[]): bigint {
  return signals.reduce((mask, signal) => mask | (1n << BigInt(signal - 1)), 0n);
}

export interface LandlockStep {
  readonly kind: "landlock";
  /** Whether the program gets a ruleset: that of the step `ruleset`, or one that comes with the plan. */
  readonly restricts: boolean;
  /** Of landlock_restrict_self(2). */
  readonly flags: number;
}

export interface SeccompStep {
  readonly kind: "seccomp";
  /** struct sock_filter[]; empty: no filter. */
  readonly filter: Uint8Array;
}

export type ProgramStep =
  | { readonly kind: "exec"; readonly path: string }
  /** The path is an argument of the process that carries out the plan, byte for byte. */
  | { readonly kind: "exec-original"; readonly index: number }
  /** What the step `search` has found. */
  | { readonly kind: "exec-found" };

export type ExecStep =
  | EnvironmentStep
  | ArgumentStep
  | ProcessStep
  | SetUpStep
  | LandlockStep
  | SeccompStep
  | ProgramStep;

export interface ExecPlan {
  readonly version: 1;
  /** Of the stub that may carry it out: 16 bytes in hexadecimal. */
  readonly buildId: string;
  readonly steps: readonly ExecStep[];
}

interface NeedsEnvironment {
  environment(steps: readonly EnvironmentStep[]): NeedsArguments;
}
interface NeedsArguments {
  arguments(steps: readonly [ArgumentStep, ...ArgumentStep[]]): NeedsProcess;
}
interface NeedsProcess {
  process(steps: readonly (ProcessStep | SetUpStep)[]): NeedsLandlock;
}
interface NeedsLandlock {
  landlock(answer: { readonly restricts: boolean; readonly flags: number }): NeedsSeccomp;
}
interface NeedsSeccomp {
  seccomp(filter: Uint8Array): NeedsProgram;
}
interface NeedsProgram {
  program(step: ProgramStep): ExecPlan;
}

/** Builds a plan part by part; only the last part yields it. */
export function execPlan(buildId: string): NeedsEnvironment {
  return {
    environment: (environment) => ({
      arguments: (args) => ({
        process: (process) => ({
          landlock: (answer) => ({
            seccomp: (filter) => ({
              program: (program) => ({
                version: 1,
                buildId,
                steps: [
                  ...byRank(environment),
                  ...args,
                  ...byRank(process),
                  { kind: "landlock", ...answer },
                  { kind: "seccomp", filter },
                  program,
                ],
              }),
            }),
          }),
        }),
      }),
    }),
  };
}

/** The rank of a step, which never goes down within a plan. */
export function rankOf(kind: StepKind): number {
  return stepTypes[kind] >> 4;
}

function byRank<T extends ExecStep>(steps: readonly T[]): readonly T[] {
  return steps.toSorted((one, other) => rankOf(one.kind) - rankOf(other.kind));
}
