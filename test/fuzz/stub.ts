/**
 * Tries the stub's decoders for as long as wanted: `node test/fuzz/stub.ts exec-plan|attempts|given|keeper MINUTES [SEED]`.
 *
 * Runs:     by hand; the tests run the same drivers for some seconds.
 * Promises: stops at the first finding, with the seed that leads to it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { FenceError } from "../../src/base/errors.ts";
import { decodeExecPlan, encodeExecPlan } from "../../src/plan/exec-plan-bytes.ts";
import { compileDecoder, decoderBuildId } from "../integration/stub/decoder.ts";
import { compileDriver, type DriverName } from "../integration/stub/driver.ts";
import { damagedPlans, execPlans, originalArgs } from "../kit/exec-plans.ts";

const [what = "", minutes = "10", first = String(Date.now())] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "fuzz-"));

/** One round with a seed; answers how many inputs were tried and how many of them accepted. */
type Round = (seed: number) => readonly [number, number];

const rounds: Readonly<Record<string, () => Round>> = {
  "exec-plan": execPlanRound,
  attempts: () => driverRound("attempts-driver", 1_000_000, 1),
  given: () => driverRound("given-driver", 20_000, 1),
  keeper: () => driverRound("keeper-driver", 2_000, 40),
};

function execPlanRound(): Round {
  const decoder = compileDecoder();
  const buildId = fc.constant(decoderBuildId);
  return (seed) => {
    const corpus = fc.sample(execPlans(buildId), { numRuns: 200, seed }).map(encodeExecPlan);
    const count = 1_000_000;
    const accepted = decoder.fuzz(corpus, originalArgs, { seed, rounds: count });
    const damaged = fc.sample(damagedPlans(buildId), { numRuns: 5_000, seed });
    decoder.check(damaged, originalArgs).forEach((wrong, i) => {
      const bytes = damaged[i] ?? Buffer.alloc(0);
      if (wrong === null && refusal(bytes) !== null) throw new Error(`only C accepts ${bytes.toString("hex")}`);
    });
    return [count + damaged.length, accepted];
  };
}

/** Why TypeScript refuses the plan, but for what the kernel takes. */
function refusal(bytes: Buffer): string | null {
  try {
    decodeExecPlan(bytes);
    return null;
  } catch (error) {
    if (!(error instanceof FenceError) || error.code !== "FENCE_EXEC_PLAN") throw error;
    return error.message.endsWith("is not UTF-8") ? null : error.message;
  }
}

function driverRound(name: DriverName, count: number, inputs: number): Round {
  const driver = compileDriver(name, folder);
  return (seed) => [count * inputs, Number(driver.run([String(seed), String(count)]))];
}

const round = rounds[what]?.();
if (round === undefined) throw new Error(`name one of ${Object.keys(rounds).join(", ")}`);
const end = Date.now() + Number(minutes) * 60_000;
let seed = Number(first) % 2 ** 31;
let tried = 0;
let accepted = 0;
try {
  for (; Date.now() < end; seed++) {
    const [more, good] = round(seed);
    tried += more;
    accepted += good;
  }
  console.log(`${what}: ${tried} inputs, ${accepted} accepted, no finding; last seed ${seed - 1}`);
} catch (error) {
  console.error(`${what}: seed ${seed}`);
  throw error;
} finally {
  rmSync(folder, { recursive: true });
}
