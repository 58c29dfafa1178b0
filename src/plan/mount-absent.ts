/**
 * What is to be protected and does not exist.
 *
 * Runs:     host. Pure.
 * Promises: nothing is made on the host to protect what is not there; where the program could make it, that is an error, a note
 *           or both, and never nothing.
 * Source:   docs/mounts.md, "What does not exist"
 */
import { type HostPath, hostPath } from "../base/paths.ts";
import { quoted } from "../base/quote.ts";
import { type AbsentPath, type Draft, note, planError } from "./mount-draft.ts";
import type { MountTree } from "./mount-tree.ts";

/** Returns the paths that the program could make. Throws FENCE_MOUNTS. */
export function judgeAbsent(draft: Draft, tree: MountTree): readonly HostPath[] {
  const isStrict = draft.policy.isolation.mount === "required";
  const open = draft.absent.filter((path) => isOpen(tree, path));
  for (const { path, because, isNamed } of draft.absent.filter((absent) => !open.includes(absent)))
    if (isNamed) note(draft, because, `${path} does not exist: there is nothing to protect`);
  const replaceable = draft.protectedLinks.filter((link) => isOpen(tree, link));
  for (const absent of open.filter(({ isNamed }) => isNamed)) {
    if (isStrict) throw makeable(absent);
    note(draft, absent.because, `${absent.path} does not exist, and the program could make it`);
  }
  for (const link of replaceable.filter(({ isNamed }) => isNamed)) {
    if (isStrict) throw replaced(link);
    note(draft, link.because, `${link.path} is a symlink that the program could replace`);
  }
  noteDefaults(draft, open, "do not exist and could be made");
  noteDefaults(draft, replaceable, "are symlinks that could be replaced");
  return [...new Set(open.map(({ path }) => path))].sort().map(hostPath);
}

function isOpen(tree: MountTree, { parent }: AbsentPath): boolean {
  return tree.sightOf(parent) === "read-write";
}

/** One note for all of a directory. */
function noteDefaults(draft: Draft, paths: readonly AbsentPath[], what: string): void {
  const byParent = Map.groupBy(
    paths.filter(({ isNamed }) => !isNamed),
    ({ parent }) => parent,
  );
  for (const [parent, absent] of byParent) {
    const names = [...new Set(absent.map(({ path }) => path.slice(path.lastIndexOf("/") + 1)))];
    note(draft, absent[0]?.because ?? "", `in ${parent} these ${what} by the program: ${names.join(", ")}`);
  }
}

function makeable({ path, because, key }: AbsentPath) {
  return planError(
    `${because}: ${quoted(path)} does not exist, and the program could make it, since its directory is writable`,
    path,
    `make it before, take it out of ${key}, or accept it with isolation.mount "best-effort"`,
  );
}

function replaced({ path, because, key }: AbsentPath) {
  return planError(
    `${because} leads through the symlink ${quoted(path)}, which the program could replace, since its directory is writable`,
    path,
    `name in ${key} where the symlink leads and replace it by that, or accept it with isolation.mount "best-effort"`,
  );
}
