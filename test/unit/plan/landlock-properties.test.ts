import fc from "fast-check";
import { expect, test } from "vitest";
import type { HostView } from "../../../src/base/host.ts";
import { isWithin } from "../../../src/base/paths.ts";
import { landlockPlaces } from "../../../src/plan/landlock-places.ts";
import type { Claim, Effect } from "../../../src/plan/mount-claims.ts";
import { type MountTree, mountTree, type Sight } from "../../../src/plan/mount-tree.ts";
import { hostOf, type Tree } from "../../kit/hosts.ts";

const name = fc.constantFrom("a", "b", "c");
const place = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join("/")}`);
const tree = fc.array(
  fc.tuple(
    place,
    fc.oneof(
      fc.constantFrom("/", "text"),
      place.map((to) => `-> ${to}`),
    ),
  ),
  {
    maxLength: 20,
  },
);
const effect = fc.constantFrom<Effect[]>("show", "show-writable", "show-devices", "hide", "protect", "private", "proc");
const wishes = fc.array(fc.tuple(place, effect), { maxLength: 8 });
const base = fc.constantFrom<("read-only" | "nothing")[]>("read-only", "nothing");

const words: Readonly<Record<string, string>> = { ro: "r", rox: "rx", rw: "rw", rwx: "rwx" };
/** By an independent reading of what each sight is. */
const lets: Readonly<Partial<Record<Sight, string>>> = {
  "read-only": "rx",
  "read-write": "rwx",
  devices: "rw",
  proc: "r",
};

interface Case {
  readonly host: HostView;
  readonly paths: readonly string[];
  readonly tree: MountTree;
  /** The letters of what Landlock allows at a path without symlinks. */
  readonly allowed: (path: string) => string;
}

function forAll(check: (each: Case) => void): void {
  fc.assert(
    fc.property(tree, wishes, base, (entries, wanted, root) => {
      const { host, paths } = hostWith(entries);
      const claims = wanted.flatMap(([path, what]): Claim[] => {
        const entry = host.entry(path);
        if (entry === null || entry.type === "symlink") return [];
        return [{ path, effect: what, phase: "base", because: what, isDefault: false, type: entry.type }];
      });
      const planned = mountTree(root, claims);
      const { rules } = landlockPlaces(host, planned.places());
      expect(rules.filter(({ path }) => host.entry(path) === null || host.entry(path)?.type === "symlink")).toEqual([]);
      const allowed = (path: string) =>
        rules.filter((rule) => isWithin(path, rule.path)).reduce((all, { access }) => all + words[access], "");
      check({ host, paths, tree: planned, allowed });
    }),
    { numRuns: 3000 },
  );
}

function hostWith(entries: readonly (readonly [string, string])[]) {
  const files: Record<string, string> = {};
  for (const [path, what] of entries) {
    const isFree = !Object.keys(files).some(
      (other) => isWithin(other, path) || (isWithin(path, other) && files[other] !== "/"),
    );
    if (isFree) files[path] = what;
  }
  const above = Object.keys(files).flatMap((path) => {
    const parts = path.split("/");
    return parts.map((_, i) => parts.slice(0, i + 1).join("/") || "/");
  });
  return { host: hostOf(files as Tree), paths: [...new Set(["/", ...above])] };
}

test("no rule at or above a path grants what is not granted there", () => {
  forAll(({ host, paths, tree: planned, allowed }) => {
    for (const path of paths) {
      if (host.entry(path)?.type === "symlink") continue;
      for (const letter of new Set(allowed(path))) expect(lets[planned.sightOf(path)] ?? "", path).toContain(letter);
    }
  });
});

test("every file that is there keeps all that it is granted", () => {
  forAll(({ host, paths, tree: planned, allowed }) => {
    for (const path of paths) {
      if (host.entry(path)?.type !== "file") continue;
      for (const letter of lets[planned.sightOf(path)] ?? "") expect(allowed(path), path).toContain(letter);
    }
  });
});

test("a directory keeps all that is granted everywhere in it", () => {
  forAll(({ host, paths, tree: planned, allowed }) => {
    for (const path of paths) {
      if (host.entry(path)?.type !== "directory") continue;
      const below = paths.filter((other) => isWithin(other, path) && host.entry(other)?.type !== "symlink");
      for (const letter of "rwx")
        if (below.every((other) => lets[planned.sightOf(other)]?.includes(letter)))
          expect(allowed(path), path).toContain(letter);
    }
  });
});
