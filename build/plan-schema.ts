/**
 * Writes the JSON Schema of plans, docs/plan.schema.json, from what the parser is made of.
 *
 * Runs:     on the build machine (npm run schema); a test fails when the file is not the present one.
 */
import { writeFileSync } from "node:fs";
import { planJsonSchema } from "../src/inside/plan-schema.ts";
import { root } from "./paths.ts";

writeFileSync(`${root}/docs/plan.schema.json`, `${JSON.stringify(planJsonSchema(), null, 2)}\n`);
