/**
 * Files through which a program could make others, outside the sandbox, run its code: shell start-up files, editors'
 * settings, git's hooks and configuration. They stay read-only in whatever is writable.
 *
 * Runs:     host. Pure.
 * Promises: looks at a bounded number of places: the roots of what is writable, HOME, the working directory, and
 *           repositories directly below.
 * Source:   docs/mounts.md; gitrepository-layout(5)
 */
import type { HostFile } from "../base/host.ts";
import { isWithin } from "../base/paths.ts";
import { dangerousDirectories, dangerousFiles } from "./mount-defaults.ts";
import { type Draft, note } from "./mount-draft.ts";
import { childOf, followPath, parentOf, type ResolvedPath } from "./mount-paths.ts";

/** Beyond that nested repositories and submodules are not looked for. */
export const nestedBounds = { directories: 256, modules: 64, moduleDepth: 3 } as const;

const because = "default: dangerous files";

/** To be called when all that is writable is claimed. */
export function claimDangerous(draft: Draft): void {
  const writable = draft.claims.filter(({ effect }) => effect === "show-writable");
  const isAffected = (place: string) => writable.some(({ path }) => isWithin(path, place) || isWithin(place, path));
  const roots = writable.filter(({ type, isDefault }) => type === "directory" && !isDefault).map(({ path }) => path);
  const usual = [draft.facts.home, draft.facts.directory].flatMap((path) => {
    const place = followPath(draft.view, path);
    return place?.entry?.type === "directory" && isAffected(place.path) ? [place.path] : [];
  });
  for (const place of new Set([...usual, ...roots])) {
    const there = draft.view.present(place, [...dangerousFiles, ...dangerousDirectories, ".git"]);
    for (const name of [...dangerousFiles, ...dangerousDirectories]) {
      if (there.includes(name)) protect(draft, childOf(place, name), "filesystem");
      // Elsewhere than in HOME and the working directory a file that is made anew is obeyed by nobody.
      else if (usual.includes(place)) noteAbsent(draft, place, name);
    }
    if (there.includes(".git")) protectRepository(draft, place);
    // One that is made anew may name programs in its configuration, which the next git status there runs.
    else if (usual.includes(place)) noteAbsent(draft, place, ".git");
    protectNested(draft, place);
  }
}

function noteAbsent(draft: Draft, place: string, name: string): void {
  draft.absent.push({ path: childOf(place, name), parent: place, because, key: "filesystem", isNamed: false });
}

function protect(draft: Draft, path: string, key: string): void {
  const absent = { path, parent: parentOf(path), because, key, isNamed: false };
  const resolved = followPath(draft.view, path);
  if (resolved === null || resolved.entry === null) {
    draft.absent.push(resolved === null ? absent : { ...absent, path: resolved.path, parent: resolved.parent });
    return;
  }
  for (const { at } of resolved.links) draft.protectedLinks.push({ ...absent, path: at, parent: parentOf(at) });
  const granted = draft.claims.find(({ effect, path: place }) => effect === "show-writable" && place === resolved.path);
  if (granted !== undefined) note(draft, granted.because, "stays read-only: other programs run or obey it");
  const wish = { effect: "protect", phase: "dangerous", because, isDefault: true } as const;
  draft.claims.push({ ...wish, path: resolved.path, type: resolved.entry.type });
}

function protectNested(draft: Draft, place: string): void {
  const directories = (draft.view.list(place) ?? []).filter(
    ({ name, type }) => type === "directory" && name !== ".git",
  );
  const looked = directories.slice(0, nestedBounds.directories).map(({ name }) => `${name}/.git`);
  for (const repository of draft.view.present(place, looked))
    protectRepository(draft, parentOf(childOf(place, repository)));
  if (directories.length > nestedBounds.directories)
    note(
      draft,
      "filesystem.allowWrite",
      `${place} holds more than ${nestedBounds.directories} directories: git repositories were looked for in the first ${nestedBounds.directories}`,
    );
}

/** `.git` is a directory, or in worktrees and submodules a file that names one. */
function protectRepository(draft: Draft, place: string): void {
  const dotGit = followPath(draft.view, childOf(place, ".git"));
  if (dotGit === null || dotGit.entry === null) return;
  if (dotGit.entry.type === "directory") protectGitDirectory(draft, dotGit);
  if (dotGit.entry.type !== "file") return;
  protect(draft, dotGit.path, "filesystem.allowGitConfig");
  const target = namedBy(draft, dotGit, /^gitdir: (.*)$/m);
  if (target?.entry?.type === "directory") protectGitDirectory(draft, target);
}

function protectGitDirectory(draft: Draft, directory: ResolvedPath): void {
  const common = commonDirectory(draft, directory.path);
  for (const place of new Set([directory.path, common])) {
    protectGitFiles(draft, place);
    if (place === common) protectModules(draft, childOf(place, "modules"), { left: nestedBounds.modules }, 0);
  }
}

function commonDirectory(draft: Draft, directory: string): string {
  const file = followPath(draft.view, childOf(directory, "commondir"));
  if (file?.entry?.type !== "file") return directory;
  protect(draft, file.path, "filesystem.allowGitConfig");
  const target = namedBy(draft, file, /^(.*)$/m);
  return target?.entry?.type === "directory" ? target.path : directory;
}

function protectGitFiles(draft: Draft, directory: string): void {
  protect(draft, childOf(directory, "hooks"), "filesystem");
  if (draft.policy.filesystem.allowGitConfig) return;
  for (const name of ["config", "config.worktree"]) {
    const path = childOf(directory, name);
    if (draft.view.entry(path) !== null || name === "config") protect(draft, path, "filesystem.allowGitConfig");
  }
}

/** Of submodules; their names may hold slashes. */
function protectModules(draft: Draft, place: string, budget: { left: number }, depth: number): void {
  if (depth >= nestedBounds.moduleDepth || draft.view.entry(place)?.type !== "directory") return;
  for (const { name, type } of draft.view.list(place) ?? []) {
    if (type !== "directory" || budget.left === 0) continue;
    budget.left -= 1;
    const module = childOf(place, name);
    if (draft.view.entry(childOf(module, "HEAD")) === null) protectModules(draft, module, budget, depth + 1);
    else protectGitFiles(draft, module);
  }
  if (budget.left === 0)
    note(draft, "filesystem.allowWrite", `${place} holds many submodules: the hooks of some are not protected`);
}

/** The path that a small file of git's names, relative to where the file is. */
function namedBy(
  { view }: Draft,
  { path, entry }: ResolvedPath & { entry: HostFile | null },
  line: RegExp,
): ResolvedPath | null {
  const named = entry?.type === "file" ? line.exec(view.text(path) ?? "")?.[1]?.trim() : undefined;
  if (named === undefined || named === "" || named.includes("\0")) return null;
  return followPath(view, named.startsWith("/") ? named : `${parentOf(path)}/${named}`);
}
