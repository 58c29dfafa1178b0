/**
 * What the policy takes away: denied, masked and made-up files; and what it shows again.
 *
 * Runs:     host. Pure.
 * Promises: where a denied path leads through symlinks, or is mounted a second time, that place is denied.
 * Source:   docs/mounts.md
 */
import { isWithin } from "../base/paths.ts";
import { quoted } from "../base/quote.ts";
import { aliasesOf, caselessMountOf } from "./mount-aliases.ts";
import type { Effect } from "./mount-claims.ts";
import { claim, claimLinks, type Draft, note, planError, type Target, targetsOf } from "./mount-draft.ts";
import { followPath, parentOf, resolvePath } from "./mount-paths.ts";
import type { MountPhase } from "./mounts.ts";

/** Throws FENCE_MOUNTS. */
export function claimDenials(draft: Draft): void {
  const { denyRead, denyWrite, mask } = draft.policy.filesystem;
  for (const target of targetsOf(draft, "filesystem.denyRead", denyRead)) deny(draft, target, "hide", "deny-read");
  for (const target of targetsOf(draft, "filesystem.denyWrite", denyWrite))
    deny(draft, target, "protect", "deny-write");
  for (const target of targetsOf(draft, "filesystem.mask", mask)) deny(draft, target, "hide", "mask");
  claimDecoys(draft);
  claimRestored(draft);
}

function deny(draft: Draft, target: Target, effect: Effect, phase: MountPhase): void {
  const { path, entry, because } = target;
  if (path === "/" && effect === "hide")
    throw planError(
      `${because} leaves nothing`,
      path,
      'use "defaultDenyRead": true, and name in allowRead what is needed',
    );
  if (isWithin(path, "/proc") && /^\/proc\/(?:\d|self|thread-self)/.test(path))
    note(draft, because, "is a process of the host: the sandbox has a /proc of its own");
  else if (entry === null) draft.absent.push(target);
  else denyExisting(draft, target, effect, phase);
}

function denyExisting(draft: Draft, target: Target, effect: Effect, phase: MountPhase): void {
  const { path, because, key } = target;
  const wish = { effect, phase, because, isDefault: false };
  claim(draft, target, wish);
  const caseless = caselessMountOf(draft.view, path);
  if (caseless !== null)
    note(
      draft,
      because,
      `is on a ${caseless.type} file system, which may take names in any case: deny ${caseless.point} as a whole`,
    );
  for (const alias of aliasesOf(draft.view, path)) {
    const other = followPath(draft.view, alias);
    if (other !== null && other.entry !== null && other.path === alias)
      claim(draft, other, { ...wish, because: `${because}, mounted again` });
  }
  for (const { at } of target.links)
    draft.protectedLinks.push({ path: at, parent: parentOf(at), because, key, isNamed: target.isNamed });
}

function claimDecoys(draft: Draft): void {
  const key = "filesystem.decoys";
  for (const { path: written, kind } of draft.policy.filesystem.decoys) {
    const resolved = resolvePath(draft.view, written, key);
    const because = `${key} ${quoted(written)}`;
    if (resolved.entry !== null && resolved.entry.type !== "file")
      throw planError(`${because} is a ${resolved.entry.type}`, resolved.path, "a decoy stands in the place of a file");
    const wish = { effect: "decoy", phase: "decoy", because, isDefault: false } as const;
    draft.claims.push({ ...wish, path: resolved.path, type: "file", target: kind });
    claimLinks(draft, resolved.links, wish);
  }
}

function claimRestored(draft: Draft): void {
  const key = "filesystem.restore";
  for (const target of targetsOf(draft, key, draft.policy.filesystem.restore)) {
    const { path, entry, because } = target;
    if (entry?.type !== "directory")
      throw planError(
        `${because} is ${entry === null ? "not there" : `a ${entry.type}`}`,
        path,
        "restore names directories that exist on the host",
      );
    if (draft.claims.some((other) => other.phase === "deny-read" && other.path === path))
      throw planError(`${because} is denied by filesystem.denyRead`, path, "take it out of one of the two");
    const wish = { effect: "restore", phase: "restore", because, isDefault: false } as const;
    claim(draft, target, wish);
    claimLinks(draft, target.links, wish);
  }
}
