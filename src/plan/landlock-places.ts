/**
 * Turns what a program sees at each place into Landlock rules, where nothing is mounted.
 *
 * Runs:     host. Pure: the disk is asked through a HostView.
 * Promises: no rule at or above a place grants what is not granted there and at all below it; a symlink gets no rule, since
 *           the rule would be its target's.
 * Source:   docs/backend-landlock.md; landlock(7): a rule holds for all beneath its path, and nothing takes it back
 */
import type { HostView } from "../base/host.ts";
import { type HostPath, hostPath } from "../base/paths.ts";
import { planError } from "./mount-draft.ts";
import { childOf, parentOf, partsOf } from "./mount-paths.ts";
import type { SeenPlace, Sight } from "./mount-tree.ts";
import type { GrantedPath } from "./mounts.ts";

export interface LandlockRule {
  readonly access: GrantedPath["access"];
  readonly path: HostPath;
}

/** What directories lost, because something in them is denied: rules stand for what is in them now, one by one. */
export interface SplitPlace {
  readonly path: string;
  /** write: nothing can be made in it, removed from it or renamed; read: it cannot be listed either. */
  readonly lost: "read" | "execute" | "write";
  readonly because: string;
}

export interface LandlockPlaces {
  readonly rules: readonly LandlockRule[];
  readonly split: readonly SplitPlace[];
}

/** Rules cost a start some ten microseconds each; a directory of so many files is a mistake. */
export const mostRules = 16_384;

const rights = { read: 1, execute: 2, write: 4 } as const;
const { read, execute, write } = rights;
const all = read | execute | write;

const rightsOf: Readonly<Record<Sight, number>> = {
  nothing: 0,
  "read-only": read | execute,
  "read-write": all,
  devices: read | write,
  // The place of a mask, and the host's own /tmp, which is not the program's.
  empty: 0,
  private: 0,
  // Of /dev single devices are granted.
  dev: 0,
  // Landlock itself keeps the program from looking into processes around it; see docs/backend-landlock.md.
  proc: read,
  decoy: 0,
  link: 0,
  bootstrap: 0,
  "bridge-socket": 0,
};

/** Throws FENCE_MOUNTS when there are too many. */
export function landlockPlaces(view: Pick<HostView, "entry" | "list">, places: readonly SeenPlace[]): LandlockPlaces {
  const walk = new Walk(view);
  walk.visit(grow(places), 0);
  return walk;
}

interface Place extends SeenPlace {
  /** By their names. */
  readonly children: Map<string, Place>;
}

/** What lies between two places is as the upper one. */
function grow(places: readonly SeenPlace[]): Place {
  const [first, ...others] = places;
  const root = newPlace(first ?? { path: "/", sight: "nothing", because: "" });
  for (const place of others) {
    const names = partsOf(place.path);
    const last = names.pop() ?? "";
    let above = root;
    for (const name of names) {
      const next = above.children.get(name) ?? newPlace({ ...above, path: childOf(above.path, name) });
      above.children.set(name, next);
      above = next;
    }
    above.children.set(last, newPlace(place));
  }
  return root;
}

function newPlace({ path, sight, because }: SeenPlace): Place {
  return { path, sight, because, children: new Map() };
}

class Walk implements LandlockPlaces {
  readonly rules: LandlockRule[] = [];
  readonly split: SplitPlace[] = [];
  readonly #view: Pick<HostView, "entry" | "list">;
  readonly #everywhere = new Map<Place, number>();

  constructor(view: Pick<HostView, "entry" | "list">) {
    this.#view = view;
  }

  /** `have`: what a rule above grants already. */
  visit(place: Place, have: number): void {
    const type = this.#view.entry(place.path)?.type;
    if (!canHaveRule(type)) return;
    const granted = have | this.#rightsEverywhere(place);
    if (granted !== have) this.#add(place.path, granted, place.because);
    const lost = rightsOf[place.sight] & ~granted;
    if (lost !== 0 && type === "directory") this.#splitUp(place, granted, lost);
    for (const child of place.children.values()) this.visit(child, granted);
  }

  /** What is granted at the place and at all below it. */
  #rightsEverywhere(place: Place): number {
    const before = this.#everywhere.get(place);
    if (before !== undefined) return before;
    const there = [...place.children.values()].filter(({ path }) => canHaveRule(this.#view.entry(path)?.type));
    const common = there.reduce((some, child) => some & this.#rightsEverywhere(child), rightsOf[place.sight]);
    this.#everywhere.set(place, common);
    return common;
  }

  /** Everything that is there now gets what the directory itself cannot have. */
  #splitUp(place: Place, granted: number, lost: number): void {
    for (const [right, bit] of Object.entries(rights) as [keyof typeof rights, number][])
      if ((lost & bit) !== 0)
        this.split.push({
          path: place.path,
          lost: right,
          because: this.#culprit(place, bit)?.because ?? place.because,
        });
    for (const { name, type } of this.#view.list(place.path) ?? []) {
      if (place.children.has(name) || !canHaveRule(type) || name.includes("\uFFFD")) continue;
      this.#add(childOf(place.path, name), granted | lost, this.#culprit(place, lost)?.because ?? place.because);
    }
  }

  /** The first place below that lacks one of these rights. */
  #culprit(place: Place, wanted: number): Place | null {
    for (const child of place.children.values()) {
      if (!canHaveRule(this.#view.entry(child.path)?.type)) continue;
      if ((rightsOf[child.sight] & wanted) !== wanted) return child;
      const below = this.#culprit(child, wanted);
      if (below !== null) return below;
    }
    return null;
  }

  #add(path: string, granted: number, because: string): void {
    this.rules.push({ access: wordOf(granted), path: hostPath(path) });
    if (this.rules.length <= mostRules) return;
    const above = parentOf(path);
    throw planError(
      `${because} leaves more than ${mostRules} files to be granted one by one, many of them in ${above}`,
      above,
      "Landlock cannot deny what is below a grant: deny the whole directory, or put what is denied elsewhere",
    );
  }
}

/** A rule for a symlink would be for what it leads to; Landlock has none for connecting to a socket before ABI 9. */
function canHaveRule(type: string | undefined): boolean {
  return type !== undefined && type !== "symlink" && type !== "socket";
}

/** Every sight that grants anything grants reading. */
function wordOf(granted: number): LandlockRule["access"] {
  if ((granted & write) !== 0) return (granted & execute) !== 0 ? "rwx" : "rw";
  return (granted & execute) !== 0 ? "rox" : "ro";
}
