/**
 * The filters that fence installs. The build makes them: compiling one costs a start a millisecond.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: the same bytes, whether made by the build or here.
 * Source:   esbuild replaces FENCE_FILTERS, build/sea.ts; it is absent when the sources run as they are
 */
import { bridgeFilter } from "./bridge-filter.ts";
import { type Architecture, defaultFilter, type FilterAddition } from "./default-filter.ts";

/** In base64, in the order of filterNames, with commas between. */
declare const FENCE_FILTERS: string | undefined;

export const filterNames = ["program", "program with TCP ports", "bridge"] as const;
export type FilterName = (typeof filterNames)[number];

/** The name of the program's filter. */
export function programFilter(additions: readonly FilterAddition[]): FilterName {
  return additions.includes("tcp-detours") ? "program with TCP ports" : "program";
}

/** The bytes that struct sock_fprog points to. */
export function filterBytes(name: FilterName, architecture: Architecture): Uint8Array {
  if (typeof FENCE_FILTERS !== "string") return makeFilter(name, architecture);
  return Buffer.from(FENCE_FILTERS.split(",")[filterNames.indexOf(name)] ?? "", "base64");
}

function makeFilter(name: FilterName, architecture: Architecture): Uint8Array {
  if (name === "bridge") return bridgeFilter(architecture);
  return defaultFilter(architecture, name === "program" ? [] : ["tcp-detours"]);
}
