/**
 * Fuzzes the reading of settings for as long as it is told: texts that are nearly settings, and spoiled settings.
 *
 * Runs:     by hand: node test/fuzz/settings.ts [MINUTES [SEED]], 10 minutes without them.
 * Promises: ends with 1 at the first finding, which it prints with the seed that repeats it; never by itself without one
 *           before the time is over.
 */
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { FenceError } from "../../src/base/errors.ts";
import { parseJsonc } from "../../src/config/jsonc.ts";
import { settingsJsonSchema, settingsSchema } from "../../src/config/keys.ts";
import type { Json } from "../../src/plan/schema.ts";
import { load } from "../kit/settings.ts";
import { spoiledSettings, strayPaths, validSettings } from "../kit/settings-values.ts";

const [minutes = "10", firstSeed = String(Date.now() & 0x7fffffff)] = process.argv.slice(2);
const inputsPerRound = 2000;
const until = Date.now() + Number(minutes) * 60_000;
const isValid = new Ajv2020().compile(settingsJsonSchema());
const counts = { rounds: 0, inputs: 0, read: 0 };

/** Whether the text is read; everything else than FENCE_CONFIG is a finding. */
function isRead(text: string): boolean {
  counts.inputs++;
  try {
    parseJsonc(text, "f", settingsSchema);
    counts.read++;
    return true;
  } catch (error) {
    if (error instanceof FenceError && error.code === "FENCE_CONFIG" && error.message.length < 1000) return false;
    throw error;
  }
}

/** The text of valid settings with a few characters changed. */
const nearlySettings = fc
  .tuple(validSettings, fc.array(fc.tuple(fc.nat(), fc.string({ maxLength: 3 }), fc.nat({ max: 3 })), { maxLength: 4 }))
  .map(([settings, changes]) =>
    changes.reduce(
      (text, [where, put, remove]) => {
        const at = where % (text.length + 1);
        return `${text.slice(0, at)}${put}${text.slice(at + remove)}`;
      },
      JSON.stringify(settings, null, 1),
    ),
  );

const texts = fc.property(nearlySettings, (text) => void isRead(text));
const values = fc.property(spoiledSettings, (settings: Json) => {
  const text = JSON.stringify(settings);
  if (isRead(text) && !isValid(JSON.parse(text))) throw new Error("the schema refuses what is read");
});
const policies = fc.property(validSettings, (settings) => {
  counts.inputs++;
  try {
    const stray = strayPaths(load({ "/s": { ...settings, extends: "code" } }, { settings: "/s" }).policy);
    if (stray.length > 0) throw new Error(`not absolute: ${stray}`);
  } catch (error) {
    if (!(error instanceof FenceError) || error.code !== "FENCE_CONFIG") throw error;
  }
});

console.log(`fuzzing for ${minutes} minutes from seed ${firstSeed}`);
for (let seed = Number(firstSeed); Date.now() < until; seed++) {
  for (const property of [texts, values, policies]) fc.assert(property, { seed, numRuns: inputsPerRound });
  counts.rounds++;
}
console.log(`nothing found: ${counts.rounds} rounds, ${counts.inputs} inputs, ${counts.read} of the changed ones read`);
