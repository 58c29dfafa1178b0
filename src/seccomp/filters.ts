/**
 * The filters that fence installs. The build makes them: compiling one costs a start a millisecond.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: the same bytes, whether made by the build or here.
 * Source:   esbuild replaces FENCE_FILTERS, build/sea.ts; it is absent when the sources run as they are
 */
import { bridgeFilter, networkFilter } from "./bridge-filter.ts";
import { type Architecture, type FilterAddition, type FilterProfile, programFilter } from "./program-filter.ts";

/** In base64, in the order of filterNames, with commas between. */
declare const FENCE_FILTERS: string | undefined;

/** What the program's filters deny in addition, by what it has. */
const programKinds = {
  program: [],
  "program with TCP ports": ["tcp-detours"],
  "program with a signal scope": ["other-limits"],
  "program with TCP ports and a signal scope": ["tcp-detours", "other-limits"],
} as const satisfies Readonly<Record<string, readonly FilterAddition[]>>;
type ProgramKind = keyof typeof programKinds;
const kinds = Object.keys(programKinds) as readonly ProgramKind[];
const profiles: readonly FilterProfile[] = ["default", "strict"];

export type FilterName = `${FilterProfile}: ${ProgramKind}` | "bridge" | "network";

const programFilters = new Map(
  profiles.flatMap((profile) =>
    kinds.map((kind) => [`${profile}: ${kind}` as FilterName, { profile, additions: programKinds[kind] }] as const),
  ),
);

export const filterNames: readonly FilterName[] = [...programFilters.keys(), "bridge", "network"];

/** The program's filter. What only `fence run --backend landlock` asks for is not made by the build. */
export function programFilterBytes(
  profile: FilterProfile,
  additions: readonly FilterAddition[],
  architecture: Architecture,
): Uint8Array {
  const name = programFilterName(profile, additions);
  return name === null ? programFilter(profile, architecture, additions) : filterBytes(name, architecture);
}

/** null: the build makes no such filter. */
export function programFilterName(profile: FilterProfile, additions: readonly FilterAddition[]): FilterName | null {
  const isSame = (listed: readonly FilterAddition[]) =>
    listed.length === additions.length && listed.every((addition) => additions.includes(addition));
  const kind = kinds.find((candidate) => isSame(programKinds[candidate]));
  return kind === undefined ? null : `${profile}: ${kind}`;
}

/** The bytes that struct sock_fprog points to. */
export function filterBytes(name: FilterName, architecture: Architecture): Uint8Array {
  if (typeof FENCE_FILTERS !== "string") return makeFilter(name, architecture);
  return Buffer.from(FENCE_FILTERS.split(",")[filterNames.indexOf(name)] ?? "", "base64");
}

function makeFilter(name: FilterName, architecture: Architecture): Uint8Array {
  const program = programFilters.get(name);
  if (program !== undefined) return programFilter(program.profile, architecture, program.additions);
  return name === "network" ? networkFilter(architecture) : bridgeFilter(architecture);
}
