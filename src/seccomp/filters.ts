/**
 * The filters that fence installs. The build makes them: compiling one costs a start a millisecond.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: the same bytes, whether made by the build or here.
 * Source:   esbuild replaces FENCE_FILTERS, build/sea.ts; it is absent when the sources run as they are
 */
import { bug } from "../base/errors.ts";
import { bridgeFilter } from "./bridge-filter.ts";
import { type Architecture, defaultFilter, type FilterAddition } from "./default-filter.ts";

/** In base64, in the order of filterNames, with commas between. */
declare const FENCE_FILTERS: string | undefined;

/** The program's filters, by what they deny in addition. */
const programFilters = {
  program: [],
  "program with TCP ports": ["tcp-detours"],
  "program with a signal scope": ["other-limits"],
  "program with TCP ports and a signal scope": ["tcp-detours", "other-limits"],
} as const satisfies Readonly<Record<string, readonly FilterAddition[]>>;
type ProgramFilterName = keyof typeof programFilters;
const programNames = Object.keys(programFilters) as readonly ProgramFilterName[];

export type FilterName = ProgramFilterName | "bridge";
export const filterNames: readonly FilterName[] = [...programNames, "bridge"];

/** The name of the program's filter. */
export function programFilter(additions: readonly FilterAddition[]): ProgramFilterName {
  const isSame = (listed: readonly FilterAddition[]) =>
    listed.length === additions.length && listed.every((addition) => additions.includes(addition));
  const name = programNames.find((candidate) => isSame(programFilters[candidate]));
  if (name === undefined) throw bug(`there is no filter with ${additions.join(", ")}`);
  return name;
}

/** The bytes that struct sock_fprog points to. */
export function filterBytes(name: FilterName, architecture: Architecture): Uint8Array {
  if (typeof FENCE_FILTERS !== "string") return makeFilter(name, architecture);
  return Buffer.from(FENCE_FILTERS.split(",")[filterNames.indexOf(name)] ?? "", "base64");
}

function makeFilter(name: FilterName, architecture: Architecture): Uint8Array {
  return name === "bridge" ? bridgeFilter(architecture) : defaultFilter(architecture, programFilters[name]);
}
