/**
 * The stub's exec plan decoder, compiled with sanitizers and asked about many plans at once.
 *
 * Runs:     in tests.
 * Promises: compiled once for all runs of a test file; a sanitizer's report, or any other noise, is an error.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../../..");

/** What decoder.c compares with. */
export const decoderBuildId = "ab".repeat(16);

export interface Decoder {
  /** For each plan null, or what is wrong with it. */
  check(plans: readonly Buffer[], argc: number): readonly (string | null)[];
  /** How many of the mutated plans were accepted. */
  fuzz(corpus: readonly Buffer[], argc: number, run: { readonly seed: number; readonly rounds: number }): number;
  remove(): void;
}

const flags = "-std=gnu11 -g -O1 -Wall -Wextra -Werror -fno-omit-frame-pointer".split(" ");
const sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
/** text.c defines what a libc has too: under other names it is tested, and the sanitizers keep their own. */
const renamed = ["memcpy", "memset", "memcmp"].map((name) => `-D${name}=stub_${name}`);

export function compileDecoder(): Decoder {
  const directory = mkdtempSync(join(tmpdir(), "decoder-"));
  const compile = (...args: string[]) => run("cc", [...flags, ...sanitizers, ...args]);
  const object = (name: string) => join(directory, `${name}.o`);
  for (const name of ["exec-plan", "text"]) {
    compile(...renamed, "-fno-builtin", "-c", "-o", object(name), `${root}/native/stub/${name}.c`);
  }
  const executable = join(directory, "decoder");
  // The driver uses the libc's own functions; text.h, which declares them again, has the same types.
  compile("-o", executable, join(import.meta.dirname, "decoder.c"), object("exec-plan"), object("text"));
  return {
    check: (plans, argc) => {
      const lines = run(executable, ["check"], framed(plans, argc)).split("\n").slice(0, -1);
      if (lines.length !== plans.length) throw new Error(`${plans.length} plans got ${lines.length} answers`);
      return lines.map((line) => (line === "accept" ? null : line));
    },
    fuzz: (corpus, argc, { seed, rounds }) =>
      Number(run(executable, ["fuzz", String(seed), String(rounds)], framed(corpus, argc))),
    remove: () => rmSync(directory, { recursive: true }),
  };
}

function framed(plans: readonly Buffer[], argc: number): Buffer {
  return Buffer.concat(plans.flatMap((plan) => [Buffer.from(Uint32Array.of(plan.length, argc).buffer), plan]));
}

function run(command: string, args: readonly string[], input: Uint8Array = Buffer.alloc(0)): string {
  const done = spawnSync(command, args, { input, encoding: "utf8", maxBuffer: 64 << 20 });
  if (done.error !== undefined) throw new Error(`cannot run ${command}: ${done.error.message}`);
  if (done.status === 0 && done.stderr === "") return done.stdout;
  throw new Error(`${command} ended with ${done.status ?? done.signal}:\n${done.stderr}`);
}
