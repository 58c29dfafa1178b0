/**
 * Tells which settings said what.
 *
 * Runs:     host. Pure.
 * Promises: lists what counts: of a list every item with who said it first, of other keys who decided; never a password.
 */
import type { Json } from "../plan/schema.ts";
import { generalKeys, keyGroups, type MergeRule } from "./keys.ts";
import type { Layer, Source } from "./layers.ts";
import { withoutPassword } from "./values.ts";

export interface Origin {
  /** `network.allowedDomains`. */
  readonly key: string;
  readonly merge: MergeRule;
  readonly said: readonly Saying[];
  /** What the key's absence means. */
  readonly absent: Json;
}

export interface Saying {
  /** As it was written. */
  readonly value: Json;
  readonly source: Source;
}

/** All keys, in the order of the documentation. */
export function originsOf(layers: readonly Layer[]): readonly Origin[] {
  return everyKey().map(({ key, merge, absent, of }) => {
    const said = layers.map((layer) => ({ value: of(layer), source: layer.source }));
    return { key, merge, absent, said: counting(merge, said.filter(isSaid)) };
  });
}

interface Key {
  readonly key: string;
  readonly merge: MergeRule;
  readonly absent: Json;
  readonly of: (layer: Layer) => Json;
}

const everyKey = (): readonly Key[] => [
  ...Object.entries(keyGroups).flatMap(([group, keys]) =>
    Object.entries(keys).map(([name, { field, merge }]) => ({
      key: `${group}.${name}`,
      merge,
      absent: absentOf(field),
      of: (layer: Layer) => shown((layer.settings as unknown as Record<string, Record<string, Json>>)[group]?.[name]),
    })),
  ),
  ...Object.entries(generalKeys).map(([name, { field, merge }]) => ({
    key: name,
    merge,
    absent: absentOf(field),
    of: (layer: Layer) => shown((layer.settings as unknown as Record<string, Json>)[name]),
  })),
];

function absentOf(field: { readonly absent: { readonly kind: string; readonly value?: Json } }): Json {
  return field.absent.value ?? null;
}

function shown(value: Json | undefined): Json {
  return typeof value === "string" && value.includes("://") ? withoutPassword(value) : (value ?? null);
}

function isSaid({ value }: Saying): boolean {
  return value !== null;
}

function counting(merge: MergeRule, said: readonly Saying[]): readonly Saying[] {
  switch (merge) {
    case "appended":
      return firstOfEach(
        said.flatMap(({ value, source }) => (value as readonly Json[]).map((item) => ({ value: item, source }))),
      );
    case "or":
      return [said.find(({ value }) => value === true) ?? said.at(-1)].filter((one) => one !== undefined);
    case "last":
      return said.slice(-1);
    case "by layer":
      return said.slice(
        Math.max(
          0,
          said.findLastIndex(({ value }) => typeof value === "string"),
        ),
      );
  }
}

function firstOfEach(said: readonly Saying[]): readonly Saying[] {
  const known = new Set<string>();
  return said.filter(({ value }) => {
    const text = JSON.stringify(value);
    return known.has(text) ? false : known.add(text);
  });
}
