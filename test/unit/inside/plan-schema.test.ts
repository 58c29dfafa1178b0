import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { parseJsonPlan } from "../../../src/inside/json-plan.ts";
import { planJsonSchema } from "../../../src/inside/plan-schema.ts";
import type { Json, JsonSchema } from "../../../src/plan/schema.ts";
import { docExamples, docText } from "../../kit/docs.ts";
import { noProgram, spoiledPlans, wholePlans } from "../../kit/json-plans.ts";

const published = JSON.parse(docText("plan.schema.json")) as JsonSchema;
const isValid = new Ajv2020({ strict: true, allowUnionTypes: false }).compile(published);

test("the published schema is the one that the parser is made of; npm run schema writes it", () => {
  expect(published).toEqual(planJsonSchema());
  expect(docText("plan.schema.json")).toBe(`${JSON.stringify(planJsonSchema(), null, 2)}\n`);
});

test("every property is described, and every object closed", () => {
  const objects = objectsIn(published);
  expect(objects.length).toBeGreaterThan(3);
  for (const { properties = {}, additionalProperties } of objects) {
    expect(additionalProperties).not.toBe(undefined);
    for (const [name, property] of Object.entries(properties as Readonly<Record<string, JsonSchema>>)) {
      expect({ name, description: property["description"] }).toEqual({
        name,
        description: expect.stringMatching(/\.$/),
      });
    }
  }
});

function objectsIn(value: Json): readonly JsonSchema[] {
  if (typeof value !== "object" || value === null) return [];
  const inner = Object.values(value).flatMap(objectsIn);
  return (value as JsonSchema)["type"] === "object" ? [value as JsonSchema, ...inner] : inner;
}

test("the example of docs/plan.md is valid, and so is the least plan", () => {
  for (const plan of [...docExamples("plan.md"), { version: 1 }]) expect(isValid(plan)).toBe(true);
});

/** Why the parser refuses what the schema takes: the list of docs/plan.md. */
const beyond: Readonly<Record<string, RegExp>> = {
  "two bridges on one listener": /must be a listener of its own for each bridge/,
  "a bridge that leads back to itself": /must be one that does not lead back to itself/,
  "more than 200 bridges": /must be one of at most 200 bridges/,
  "a listener beyond loopback": /must be a listener on a loopback address/,
  "an IPv6 address": /must be tcp:HOST:PORT with an IPv4 address, an IPv6 address in brackets/,
  "bytes in UTF-8": /must be (?:unix:PATH with )?a path of at most \d+ bytes/,
  "lone surrogates": /must be a string of whole characters/,
  "a variable that is set and removed": /^plan.env and plan.unsetEnv both name the variable/,
  "a soft limit above the hard one": /soft must not be above its hard limit$/,
  "Landlock rules": /^plan.landlock=off must stand without Landlock rules/,
  "quiet rules": /^plan\.(?:quiet|landlockLog).* must stand beside/,
};

describe("the schema and the parser agree", () => {
  const refusal = (plan: Json): FenceError | null => {
    try {
      parseJsonPlan(JSON.stringify(plan), noProgram);
      return null;
    } catch (error) {
      if (error instanceof FenceError && error.code === "FENCE_PLAN") return error;
      throw error;
    }
  };

  const agree = (plan: Json): "accepted" | "refused" | "beyond" => {
    const error = refusal(plan);
    const isTaken = isValid(plan);
    if (error === null) {
      expect({ plan, errors: isTaken ? null : isValid.errors }).toEqual({ plan, errors: null });
      return "accepted";
    }
    if (!isTaken) return "refused";
    const reasons = Object.values(beyond).filter((pattern) => pattern.test(error.message));
    expect({ message: error.message, reasons: reasons.length }).toEqual({ message: error.message, reasons: 1 });
    return "beyond";
  };

  test("over generated plans, but for what a schema cannot say", () => {
    const counts = { accepted: 0, refused: 0, beyond: 0 };
    const asJson = (plan: Json): Json => JSON.parse(JSON.stringify(plan));
    fc.assert(
      fc.property(fc.oneof(wholePlans, spoiledPlans), (plan) => {
        counts[agree(asJson(plan))]++;
      }),
      { numRuns: 4000 },
    );
    expect(counts.accepted).toBeGreaterThan(500);
    expect(counts.refused).toBeGreaterThan(500);
  });

  const listen = (...listeners: string[]) => ({ bridges: listeners.map((at) => ({ listen: at, connect: "unix:/t" })) });
  const many = Array.from({ length: 200 }, (_, i) => `unix:/${i}`);

  test.for<[reason: string, plan: { readonly [key: string]: Json }]>([
    ["two bridges on one listener", listen("tcp:127.0.0.1:80", "tcp:localhost:80")],
    ["a bridge that leads back to itself", { httpProxy: "tcp:127.0.0.1:3128" }],
    ["more than 200 bridges", { httpProxy: "unix:/p", ...listen(...many) }],
    ["a listener beyond loopback", listen("tcp:0.0.0.0:80")],
    ["an IPv6 address", { httpProxy: "tcp:[::1::]:1" }],
    ["bytes in UTF-8", { httpProxy: `unix:/${"é".repeat(100)}` }],
    ["bytes in UTF-8", { chdir: `/${"é".repeat(4000)}` }],
    ["lone surrogates", { program: ["\ud800"] }],
    ["a variable that is set and removed", { env: { A: "" }, unsetEnv: ["A"] }],
    ["a soft limit above the hard one", { rlimits: { cpu: { soft: 2, hard: 1 } } }],
    ["Landlock rules", { landlock: "off", bindTcp: [1] }],
    ["quiet rules", { quiet: { ports: [1] }, rules: [{ access: "ro", path: "/" }] }],
    ["quiet rules", { landlockLog: ["new-exec-on"] }],
  ])("a schema cannot say: %s", ([reason, plan]) => {
    expect(agree({ version: 1, ...plan })).toBe("beyond");
    expect(refusal({ version: 1, ...plan })?.message).toMatch(beyond[reason] ?? /^never$/);
  });

  test("and that is what docs/plan.md says of it", () => {
    const listed = docText("plan.md").match(/^- .*$/gm) ?? [];
    for (const reason of Object.keys(beyond)) {
      expect(listed.filter((line) => line.includes(reason)).length, reason).toBeGreaterThan(0);
    }
  });
});
