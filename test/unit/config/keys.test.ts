import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { schemaText, withTables } from "../../../build/reference.ts";
import { FenceError } from "../../../src/base/errors.ts";
import { parseJsonc } from "../../../src/config/jsonc.ts";
import { commandKeys, generalKeys, networkKeys, settingsJsonSchema, settingsSchema } from "../../../src/config/keys.ts";
import { starterSettings } from "../../../src/config/starter.ts";
import { templateNames, templateSettings } from "../../../src/config/templates.ts";
import type { Json, JsonSchema } from "../../../src/plan/schema.ts";
import { docExamples, docText } from "../../kit/docs.ts";
import { load } from "../../kit/settings.ts";
import { isolations, spoiledSettings, validSettings } from "../../kit/settings-values.ts";

const published = JSON.parse(docText("fence.schema.json")) as JsonSchema;
const isValid = new Ajv2020({ strict: true, allowUnionTypes: false }).compile(published);

test("the published schema and the tables of docs/configuration.md are the present ones; npm run schema writes them", () => {
  expect(docText("fence.schema.json")).toBe(schemaText);
  expect(published).toEqual(settingsJsonSchema());
  expect(docText("configuration.md")).toBe(withTables(docText("configuration.md")));
});

test("every property is described, and every object closed", () => {
  const objects = objectsIn(published);
  expect(objects.length).toBeGreaterThan(8);
  for (const { properties = {}, additionalProperties } of objects) {
    expect(additionalProperties).toBe(false);
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

/** Why the parser refuses what the schema takes: docs/configuration.md, Bounds. */
const beyond: Readonly<Record<string, RegExp>> = {
  "a string has no NUL": /a string without NUL/,
  "half characters": /a string of whole characters/,
  "counted in bytes": /at most \d+ bytes/,
  "at most 255 characters": /must be a host pattern/,
  "`..` behind a wildcard": /without \.\. behind a wildcard/,
  "other user's home directory": /only your own is known/,
  "a device has no `..`": /below \/dev\//,
  "a URL with a port that exists": /must be a URL of the form/,
};

describe("the schema and the parser agree", () => {
  const refusal = (settings: Json): FenceError | null => {
    try {
      parseJsonc(JSON.stringify(settings), "f", settingsSchema);
      return null;
    } catch (error) {
      if (error instanceof FenceError && error.code === "FENCE_CONFIG") return error;
      throw error;
    }
  };

  const agree = (settings: Json): "accepted" | "refused" | "beyond" => {
    const error = refusal(settings);
    const isTaken = isValid(settings);
    if (error === null) {
      expect({ settings, errors: isTaken ? null : isValid.errors }).toEqual({ settings, errors: null });
      return "accepted";
    }
    if (!isTaken) return "refused";
    const reasons = Object.values(beyond).filter((pattern) => pattern.test(error.message));
    expect({ settings, message: error.message, isKnown: reasons.length > 0 }).toMatchObject({ isKnown: true });
    return "beyond";
  };

  test("over generated settings, but for what a schema cannot say", () => {
    const counts = { accepted: 0, refused: 0, beyond: 0 };
    fc.assert(
      fc.property(fc.oneof(validSettings, spoiledSettings), (settings) => {
        counts[agree(JSON.parse(JSON.stringify(settings)) as Json)]++;
      }),
      { numRuns: 3000 },
    );
    expect(counts.accepted).toBeGreaterThan(500);
    expect(counts.refused).toBeGreaterThan(300);
  });

  test("valid settings are accepted", () => {
    fc.assert(
      fc.property(validSettings, (settings) => agree(JSON.parse(JSON.stringify(settings)) as Json) === "accepted"),
    );
  });

  test.for<[reason: string, settings: { readonly [key: string]: Json }]>([
    ["a string has no NUL", { command: { deny: ["a\0"] } }],
    ["half characters", { command: { deny: ["\ud800"] } }],
    ["counted in bytes", { command: { deny: ["é".repeat(4000)] } }],
    ["at most 255 characters", { network: { allowedDomains: [`${"a.".repeat(150)}b`] } }],
    ["`..` behind a wildcard", { filesystem: { mask: ["*/../x"] } }],
    ["other user's home directory", { filesystem: { mask: ["~root"] } }],
    ["a device has no `..`", { devices: { allow: ["/dev/x/../.."] } }],
    ["a URL with a port that exists", { network: { upstreamProxy: "http://h:99999" } }],
  ])("a schema cannot say: %s", ([reason, settings]) => {
    expect(agree(settings)).toBe("beyond");
    expect(refusal(settings)?.message).toMatch(beyond[reason] ?? /^never$/);
    expect(docText("configuration.md").replaceAll(/\s+/g, " ")).toContain(reason);
  });
});

test("the examples of docs/configuration.md are valid", () => {
  for (const example of docExamples("configuration.md")) {
    expect(isValid(example)).toBe(true);
    parseJsonc(JSON.stringify(example), "f", settingsSchema);
  }
});

describe("merging is associative, and saying it again changes nothing:", () => {
  /** As a file says what was settled. */
  const associative = <S>(settle: (said: readonly S[]) => unknown, values: fc.Arbitrary<S>) => {
    fc.assert(
      fc.property(values, values, values, (a, b, c) => {
        const once = settle([a, b, c]);
        expect(settle([settle([a, b]) as S, c])).toEqual(once);
        expect(settle([a, settle([b, c]) as S])).toEqual(once);
        expect(settle([a, a, b, b, c, c])).toEqual(once);
      }),
    );
  };

  test("lists", () => {
    associative(networkKeys.allowedDomains.settle, fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 4 }));
  });
  test("flags", () => associative(networkKeys.allowLocalBinding.settle, fc.boolean()));
  test("words", () => {
    associative(commandKeys.runtimeExecPolicy.settle, fc.constantFrom("path" as const, "argv" as const));
  });

  test("isolation: what is settled, and then said of all layers, stays", () => {
    fc.assert(
      fc.property(isolations, isolations, (a, b) => {
        const { settle } = generalKeys.isolation;
        const said = [a, b] as unknown as Parameters<typeof settle>[0];
        expect(settle([settle(said)])).toEqual(settle(said));
        const [first, second] = said;
        if (first !== undefined && second !== undefined)
          expect(settle([settle([first]), second])).toEqual(settle(said));
      }),
    );
  });
});

describe("templates", () => {
  test.for(templateNames)("%s is read, is valid, and has no notes but of the network", (template) => {
    expect(templateSettings(template)).toBeDefined();
    const notes = load({}, { template }).notes.map(({ where }) => where);
    expect(notes.filter((where) => !where.startsWith("network."))).toEqual([]);
  });

  test("code reads no keys, and code-strict reads less", () => {
    const { filesystem } = load({}, { template: "code-strict" }).policy;
    expect(filesystem.allowWrite).not.toContain("/home/user/.config");
    expect(filesystem.denyRead).toContain("/home/user/.aws");
    expect(filesystem.defaultDenyRead).toBe(true);
    expect(load({}, { template: "code" }).policy.filesystem.defaultDenyRead).toBe(false);
    expect(load({}, { template: "code-relaxed" }).policy.network.allowedDomains).toContain("*");
  });
});

test.for(templateNames)("%s has no pattern that would walk a tree", (template) => {
  const { filesystem } = load({}, { template }).policy;
  const patterns = Object.values(filesystem)
    .filter((value) => Array.isArray(value))
    .flat();
  expect(patterns.filter((path) => typeof path === "string" && path.includes("**"))).toEqual([]);
});

describe("the file of fence config init", () => {
  test.for([null, ...templateNames])("builds on %s and changes nothing", (template) => {
    const with_ = load({ "/s/fence.jsonc": starterSettings(template) }, { directory: "/s" });
    const without = load({}, template === null ? { directory: "/s" } : { directory: "/s", template });
    expect(with_.notes).toEqual(without.notes);
    const { denyWrite, ...more } = with_.policy.filesystem;
    expect(denyWrite).toContain("/s/fence.jsonc");
    expect({
      ...with_.policy,
      filesystem: { ...more, denyWrite: denyWrite.filter((path) => path !== "/s/fence.jsonc") },
    }).toEqual(without.policy);
  });
});
