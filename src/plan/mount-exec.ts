/**
 * Denied programs: an empty file that nobody can execute stands in the place of each.
 *
 * Runs:     host. Pure.
 * Promises: no program is lost that was not denied: one name of a multicall binary is an error that lists the others.
 * Source:   docs/mounts.md, "Denied programs"
 */
import type { HostFile, HostView } from "../base/host.ts";
import { quoted } from "../base/quote.ts";
import { deniedPrograms } from "./denied-commands.ts";
import { claim, type Draft, note, planError } from "./mount-draft.ts";
import { childOf, followPath, type ResolvedPath } from "./mount-paths.ts";

/** Beside PATH: where a program looks without one. */
const usualPlaces = [
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
  "/run/current-system/sw/bin",
];
const mostNamed = 8;

/** Throws FENCE_MOUNTS. */
export function claimDeniedPrograms(draft: Draft): void {
  const denied = deniedPrograms(draft.policy.command);
  if (denied.length === 0) return;
  const places = searchPlaces(draft);
  const pathsOf = pathsOnPath(draft.view, places, denied);
  const found = denied.flatMap((program) =>
    filesAt(draft.view, pathsOf(program.name)).map((file) => ({ ...program, file })),
  );
  const skipped = [
    ...claimDefaults(
      draft,
      found.filter(({ isDefault }) => isDefault),
    ),
    ...claimNamed(
      draft,
      places,
      found.filter(({ isDefault }) => !isDefault),
      new Set(denied.map(({ name }) => baseName(name))),
    ),
  ];
  for (const [path, these] of Map.groupBy(skipped, ({ file }) => file.path)) {
    const names = listed(these.map(({ name }) => name));
    note(
      draft,
      "command.deny",
      `checked only before the start: ${names}; other names stand for the same file, ${path}`,
    );
  }
}

interface FoundProgram {
  readonly name: string;
  readonly file: Program;
}

/** Returns what is one of several names. Which others there are is not looked up: that takes a look at all of PATH. */
function claimDefaults(draft: Draft, found: readonly FoundProgram[]): readonly FoundProgram[] {
  return found.filter(({ name, file }) => {
    const isOnlyName = file.entry.links === 1 && baseName(file.path) === name;
    const because = `default of command.deny ${quoted(name)}`;
    if (isOnlyName) claim(draft, file, { effect: "hide", phase: "deny-exec", because, isDefault: true });
    return !isOnlyName;
  });
}

/** Returns what is accepted to be one of several names. `denied`: names that may be lost together. */
function claimNamed(
  draft: Draft,
  places: readonly string[],
  found: readonly FoundProgram[],
  denied: ReadonlySet<string>,
): readonly FoundProgram[] {
  if (found.length === 0) return [];
  const others = otherNames(
    draft.view,
    places,
    found.map(({ file }) => file),
    denied,
  );
  const accepted = new Set(draft.policy.command.acceptSharedBinaryCannotRuntimeDeny);
  return found.filter(({ name, file }) => {
    const because = `command.deny ${quoted(name)}`;
    const names = others.get(identity(file.entry)) ?? [];
    const collateral = names.filter((other) => !isSameProgram(name, other));
    if (collateral.length === 0 && names.length > 0)
      note(draft, because, `denies ${listed(names)} as well: the same program`);
    if (collateral.length > 0 && !accepted.has(name)) throw shared(name, because, file.path, collateral);
    if (collateral.length === 0) claim(draft, file, { effect: "hide", phase: "deny-exec", because, isDefault: false });
    return collateral.length > 0;
  });
}

/** sudo and sudoedit, python3 and python3.11: whoever denies one means the other, which is the same file. */
function isSameProgram(name: string, other: string): boolean {
  const own = baseName(name);
  return own.startsWith(other) || other.startsWith(own);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function shared(name: string, because: string, path: string, collateral: readonly string[]) {
  return planError(
    `${because} cannot be denied without ${listed(collateral)}: they are one file, ${path}`,
    path,
    `deny those as well, or add ${quoted(name)} to command.acceptSharedBinaryCannotRuntimeDeny: then only the program that fence starts is checked`,
  );
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, mostNamed).join(", ");
  return names.length > mostNamed ? `${shown} and ${names.length - mostNamed} more` : shown;
}

interface Program extends ResolvedPath {
  readonly entry: HostFile;
}

function searchPlaces({ view, facts }: Draft): readonly string[] {
  const named = (facts.environment["PATH"] ?? "").split(":").filter((place) => place.startsWith("/"));
  const places = [...named, ...usualPlaces].flatMap((place) => {
    const resolved = followPath(view, place);
    return resolved?.entry?.type === "directory" ? [resolved.path] : [];
  });
  return [...new Set(places)];
}

/** Each file that one of the paths leads to, once. */
function filesAt(view: HostView, paths: readonly string[]): readonly Program[] {
  const files = new Map<string, Program>();
  for (const path of paths) {
    const resolved = followPath(view, path);
    if (resolved?.entry?.type === "file") files.set(resolved.path, { ...resolved, entry: resolved.entry });
  }
  return [...files.values()];
}

/** Where each of `programs` is; most names are in few of the places. */
function pathsOnPath(
  view: HostView,
  places: readonly string[],
  programs: readonly { readonly name: string }[],
): (name: string) => readonly string[] {
  const names = programs.map(({ name }) => name).filter((name) => !name.includes("/"));
  const there = places.flatMap((place) => view.present(place, names).map((name) => ({ name, place })));
  return (name) => {
    if (name.startsWith("/")) return [name];
    return there.filter((each) => each.name === name).map(({ place }) => childOf(place, name));
  };
}

/**
 * Names on PATH that are not denied and stand for one of `files`: symlinks, and hard links where a file has more than one. A
 * regular file with one link is nobody's other name, so that most of a directory is not looked at.
 */
function otherNames(
  view: HostView,
  places: readonly string[],
  files: readonly Program[],
  denied: ReadonlySet<string>,
): ReadonlyMap<string, readonly string[]> {
  const wanted = new Set(files.map(({ entry }) => identity(entry)));
  const haveHardLinks = files.some(({ entry }) => entry.links > 1);
  const names = new Map<string, Set<string>>();
  for (const place of places) {
    for (const { name, type } of view.list(place) ?? []) {
      if (denied.has(name) || !(type === "symlink" || (type === "file" && haveHardLinks))) continue;
      const entry = followPath(view, childOf(place, name))?.entry ?? null;
      if (entry !== null && wanted.has(identity(entry))) addTo(names, identity(entry), name);
    }
    for (const file of files) {
      const name = baseName(file.path);
      if (!denied.has(name)) addTo(names, identity(file.entry), name);
    }
  }
  return new Map([...names].map(([file, set]) => [file, [...set].sort()]));
}

function addTo(names: Map<string, Set<string>>, file: string, name: string): void {
  const set = names.get(file);
  if (set === undefined) names.set(file, new Set([name]));
  else set.add(name);
}

function identity({ device, inode }: HostFile): string {
  return `${device}:${inode}`;
}
