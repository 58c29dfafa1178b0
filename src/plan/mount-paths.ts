/**
 * Follows symlinks on the host, so that what is decided and mounted is where a path really leads.
 *
 * Runs:     host. Pure: the disk is asked through a HostView.
 * Promises: no part of a resolved path is a symlink; a loop, or more than 40 of them, is an error.
 * Source:   path_resolution(7); docs/mounts.md
 */
import { FenceError } from "../base/errors.ts";
import type { HostFile, HostView } from "../base/host.ts";
import { quoted } from "../base/quote.ts";

export interface ResolvedPath {
  /** Where it leads. Of what does not exist: where it would be. */
  readonly path: string;
  /** null: there is nothing. */
  readonly entry: HostFile | null;
  /** The symlinks on the way, each where it really is. */
  readonly links: readonly LinkOnTheWay[];
  /** The nearest directory above that exists. */
  readonly parent: string;
}

export interface LinkOnTheWay {
  readonly at: string;
  readonly target: string;
}

/** As the kernel, path_resolution(7). */
const mostLinks = 40;

/** `where` names the key, for errors. Throws FENCE_MOUNTS. */
export function resolvePath(view: HostView, path: string, where: string): ResolvedPath {
  const resolved = followPath(view, path);
  if (resolved !== null) return resolved;
  throw new FenceError("FENCE_MOUNTS", `${where} ${quoted(path)} leads through more than ${mostLinks} symlinks`, {
    step: "plan-mounts",
    path,
    hint: "the symlinks form a loop: correct them, or name the place that is meant",
  });
}

/** null: a loop, or more symlinks than the kernel follows. */
export function followPath(view: HostView, path: string): ResolvedPath | null {
  const left = partsOf(path).reverse();
  const links: LinkOnTheWay[] = [];
  let place = "/";
  let entry = fileAt(view, place);
  for (let part = left.pop(); part !== undefined; part = left.pop()) {
    if (part === "..") {
      place = parentOf(place);
      entry = fileAt(view, place);
      continue;
    }
    const next = childOf(place, part);
    const found = view.entry(next);
    if (found?.type === "symlink") {
      links.push({ at: next, target: found.target });
      if (links.length > mostLinks) return null;
      if (found.target.startsWith("/")) place = "/";
      left.push(...partsOf(found.target).reverse());
      entry = fileAt(view, place);
      continue;
    }
    if (found === null || (left.length > 0 && found.type !== "directory"))
      return { path: missingPath(next, left), entry: null, links, parent: place };
    place = next;
    entry = found;
  }
  return { path: place, entry, links, parent: parentOf(place) };
}

export function childOf(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

export function partsOf(path: string): string[] {
  const parts = (path.startsWith("/") ? path.slice(1) : path).split("/");
  const isPlain = !parts.includes("") && !parts.includes(".");
  return isPlain ? parts : parts.filter((part) => part !== "" && part !== ".");
}

/** What is left of the way, from the first part that does not exist. */
function missingPath(first: string, left: readonly string[]): string {
  if (left.length === 0) return first;
  const parts = partsOf(first);
  for (const part of left.toReversed()) {
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function fileAt(view: HostView, path: string): HostFile | null {
  const entry = view.entry(path);
  return entry?.type === "symlink" ? null : entry;
}
