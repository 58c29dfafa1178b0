/**
 * Fuzzes the parser of JSON plans for as long as it is told: the properties of the unit tests, with other seeds each round.
 *
 * Runs:     by hand: node test/fuzz/json-plan.ts [MINUTES [SEED]], 10 minutes without them.
 * Promises: ends with 1 at the first finding, which it prints with the seed that repeats it; never by itself without one
 *           before the time is over.
 */
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { planJsonSchema } from "../../src/inside/plan-schema.ts";
import { isPlan, planBytes, wholePlans } from "../kit/json-plans.ts";

const [minutes = "10", firstSeed = String(Date.now() & 0x7fffffff)] = process.argv.slice(2);
const inputsPerRound = 5000;
const until = Date.now() + Number(minutes) * 60_000;
const isValid = new Ajv2020().compile(planJsonSchema());
const counts = { rounds: 0, inputs: 0, plans: 0 };

/** Bytes are a plan or give FENCE_PLAN; what is one is valid by the schema too. */
const anyBytes = fc.property(planBytes, (bytes) => {
  counts.inputs++;
  if (!isPlan(bytes)) return;
  counts.plans++;
  if (!isValid(JSON.parse(new TextDecoder().decode(bytes)))) throw new Error("the schema refuses a plan");
});

const validPlans = fc.property(wholePlans, (plan) => {
  counts.inputs++;
  if (!isPlan(Buffer.from(JSON.stringify(plan)))) throw new Error("a valid plan is refused");
});

console.log(`fuzzing for ${minutes} minutes from seed ${firstSeed}`);
for (let seed = Number(firstSeed); Date.now() < until; seed++) {
  fc.assert(anyBytes, { seed, numRuns: inputsPerRound });
  fc.assert(validPlans, { seed, numRuns: inputsPerRound / 10 });
  counts.rounds++;
}
console.log(
  `nothing found: ${counts.rounds} rounds, ${counts.inputs} inputs, ${counts.plans} of the mutated ones plans`,
);
