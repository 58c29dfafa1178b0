/**
 * `fence launched` under a launcher that says what a test wants (launcher.c).
 *
 * Runs:     in tests.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "../../../build/run.ts";
import { execPlan, type ProgramStep } from "../../../src/plan/exec-plan.ts";
import { encodeExecPlan } from "../../../src/plan/exec-plan-bytes.ts";
import { testFolder } from "../../kit/test-folder.ts";

export const fence = join(testFolder(), "fence");

export interface Launched {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What the launcher heard, line by line. */
  readonly heard: readonly string[];
}

/** Compiles the launcher into the folder. Answers what runs it: the words are launcher.c's. */
export function compileLauncher(folder: string) {
  const launcher = join(folder, "launcher");
  run("cc", ["-O1", "-Wall", "-Wextra", "-Werror", "-o", launcher, resolve(import.meta.dirname, "launcher.c")]);
  return (words: string, { plan = planFor(), command = [fence, "launched", "FD"] } = {}): Launched => {
    const { status, stdout, stderr, output, error } = spawnSync(launcher, [...words.split(" "), "--", ...command], {
      input: plan,
      stdio: ["pipe", "pipe", "pipe", "pipe"],
      encoding: "utf8",
      timeout: 50_000, // before the runner's, which could not end it
      env: { PATH: process.env["PATH"] },
    });
    if (error !== undefined) throw error;
    return { status, stdout, stderr, heard: (output[3] ?? "").split("\n").slice(0, -1) };
  };
}

/** A plan without restrictions for this dist/fence. */
export function planFor(
  args: readonly string[] = ["true"],
  program: ProgramStep = { kind: "exec", path: `/bin/${args[0]}` },
): Buffer {
  const [first = "", ...others] = args.map((value) => ({ kind: "arg", value }) as const);
  if (first === "") throw new Error("a program has a name");
  return encodeExecPlan(
    execPlan(buildId())
      .environment([{ kind: "clear-env" }])
      .arguments([first, ...others])
      .process([])
      .landlock({ restricts: false, flags: 0 })
      .seccomp(new Uint8Array())
      .program(program),
  );
}

function buildId(): string {
  const stub = readFileSync(fence).subarray(0, 1 << 20);
  const index = stub.indexOf("FENCE-PACK-IDX\x01\0", 0, "latin1");
  return stub.toString("hex", index + 16, index + 32);
}
