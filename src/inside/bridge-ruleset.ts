/**
 * Makes the Landlock ruleset of the bridge process, which is enforced before its Node starts.
 *
 * Runs:     sandbox, in the set-up Node, which stays unrestricted.
 * Promises: the bridge process can connect to its targets, also when they are made anew, and open nothing; what the
 *           kernel is too old for is left out without an error.
 * Source:   docs/landlock.md
 */
import type { Address } from "../bridge/address.ts";
import { chooseBridgeRuleset } from "../landlock/bridge-ruleset.ts";
import type { RulesetChoice } from "../landlock/ruleset.ts";
import type { Addon } from "../sys/addon.ts";
import { noDescriptor } from "../sys/protocol.ts";
import { newRuleset } from "./new-ruleset.ts";
import { realPath } from "./program.ts";

/** ENOENT, EACCES, ENOTDIR, ELOOP: what keeps us from opening the directory keeps the bridge from connecting. */
const unreachable = [-2, -13, -20, -40];

export interface BridgeRuleset {
  readonly choice: RulesetChoice;
  /** Close-on-exec; -1 when this kernel has no Landlock. */
  readonly fd: number;
}

/** Throws FENCE_LANDLOCK. */
export function makeBridgeRuleset(addon: Addon, targets: readonly Address[]): BridgeRuleset {
  const paths = targets.flatMap((target) => (target.kind === "unix" ? [target.path] : []));
  // The kernel looks at where the socket is, which a symbolic link may put beneath another directory.
  const resolved = paths.flatMap((path) => realPath(path) ?? []);
  const unixSockets = [...paths, ...resolved];
  const tcpPorts = targets.flatMap((target) => (target.kind === "tcp" ? [target.port] : []));
  const choice = chooseBridgeRuleset({ unixSockets, tcpPorts }, addon.landlockAbi());
  if (choice.kind !== "ruleset") return { choice, fd: noDescriptor };
  return { choice, fd: newRuleset(addon, choice, { opened: (path) => path, skips: unreachable, areExact: false }).fd };
}
