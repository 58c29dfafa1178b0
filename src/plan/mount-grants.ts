/**
 * What the policy grants: reading, executing, writing, devices, sockets.
 *
 * Runs:     host. Pure.
 * Promises: a symlink that the program could have made in an earlier run grants nothing that is not granted otherwise.
 * Source:   docs/mounts.md
 */
import { isWithin } from "../base/paths.ts";
import { quoted } from "../base/quote.ts";
import type { Effect } from "./mount-claims.ts";
import { standardDevices, writableInHome } from "./mount-defaults.ts";
import { claim, claimLinks, type Draft, existing, note, planError, type Target, targetsOf } from "./mount-draft.ts";
import { childOf } from "./mount-paths.ts";
import type { MountPhase } from "./mounts.ts";

/** Returns the Unix sockets that the policy names. Throws FENCE_MOUNTS. */
export function claimGrants(draft: Draft): readonly string[] {
  const { filesystem, network } = draft.policy;
  const writable = granted(draft, "filesystem.allowWrite", filesystem.allowWrite);
  const readable = [
    ...granted(draft, "filesystem.allowRead", filesystem.allowRead),
    ...granted(draft, "filesystem.allowExecute", filesystem.allowExecute),
  ];
  const sockets = granted(draft, "network.allowUnixSockets", network.allowUnixSockets);
  const firm = writable.filter(({ links }) => !links.some(({ at }) => isAmong(at, writable)));
  for (const target of writable) refuseLeadingOut(target, writable, firm);
  for (const target of [...readable, ...sockets])
    refuseLeadingOut(target, writable, [...firm, ...plainly(readable, writable)]);
  claimAll(draft, readable, "show", "rebind");
  claimAll(draft, sockets, "show", "rebind");
  claimAll(draft, writable, "show-writable", "writable");
  claimDevices(draft);
  for (const name of writableInHome) {
    const place = existing(draft, childOf(draft.facts.home, name));
    const wish = {
      effect: "show-writable",
      phase: "writable",
      because: `default: ~/${name}`,
      isDefault: true,
    } as const;
    if (place !== null) claim(draft, place, wish);
  }
  return sockets.map(({ path }) => path);
}

function granted(draft: Draft, key: string, patterns: readonly string[]): readonly Target[] {
  return targetsOf(draft, key, patterns).filter(({ path, entry, because }) => {
    if (isOwn(draft, path)) return false;
    if (entry === null) note(draft, because, "does not exist: nothing is granted");
    return entry !== null;
  });
}

/** The sandbox has these of its own. */
function isOwn({ policy }: Draft, path: string): boolean {
  if (isWithin(path, "/proc")) return true;
  const [first] = path.split("/").slice(2);
  return (
    policy.devices.mode !== "host" && isWithin(path, "/dev") && (first === undefined || standardDevices.has(first))
  );
}

function isAmong(path: string, targets: readonly Target[]): boolean {
  return targets.some((target) => isWithin(path, target.path));
}

function plainly(targets: readonly Target[], writable: readonly Target[]): readonly Target[] {
  return targets.filter(({ links }) => !links.some(({ at }) => isAmong(at, writable)));
}

/** What was a directory when the policy was written may be a symlink to ~/.ssh now. */
function refuseLeadingOut(target: Target, writable: readonly Target[], firm: readonly Target[]): void {
  const link = target.links.find(({ at }) => isAmong(at, writable));
  if (link === undefined || isAmong(target.path, firm)) return;
  throw planError(
    `${target.because} leads to ${quoted(target.path)} through the symlink ${quoted(link.at)}, which the program may write`,
    link.at,
    `if that is meant, add ${quoted(target.path)} itself to ${target.key}; if not, remove the symlink`,
  );
}

function claimAll(draft: Draft, targets: readonly Target[], effect: Effect, phase: MountPhase): void {
  for (const target of targets) {
    const isDevice = target.entry?.type === "device" && isWithin(target.path, "/dev");
    const wish = {
      effect: isDevice ? "show-devices" : effect,
      phase,
      because: target.because,
      isDefault: false,
    } as const;
    claim(draft, target, wish);
    claimLinks(draft, target.links, wish);
  }
}

function claimDevices(draft: Draft): void {
  const { mode, allow } = draft.policy.devices;
  for (const target of targetsOf(draft, "devices.allow", allow)) {
    const { path, entry, because } = target;
    if (!isWithin(path, "/dev") || path === "/dev")
      throw planError(`${because} is not below /dev`, path, "grant files with filesystem.allowRead and allowWrite");
    if (entry === null) note(draft, because, "does not exist: nothing is granted");
    if (entry === null || mode === "host" || isOwn(draft, path)) continue;
    if (entry.type !== "device" && entry.type !== "directory")
      throw planError(`${because} is no device`, path, "grant files with filesystem.allowRead and allowWrite");
    const wish = { effect: "show-devices", phase: "devices", because, isDefault: false } as const;
    claim(draft, target, wish);
    claimLinks(draft, target.links, wish);
  }
}
