/**
 * Makes the Landlock ruleset that P0 will enforce on itself.
 *
 * Runs:     sandbox, in the set-up Node, which stays unrestricted.
 * Promises: every rule of the choice is in the ruleset, or the set-up fails and names the path.
 * Source:   docs/landlock.md
 */
import type { BridgeAddresses, ListenAddress } from "../bridge/address.ts";
import { maskOf } from "../landlock/abi.ts";
import type { RulesetRequest } from "../landlock/request.ts";
import { chooseRuleset, type RulesetChoice } from "../landlock/ruleset.ts";
import type { FilterAddition } from "../seccomp/program-filter.ts";
import type { Addon } from "../sys/addon.ts";
import { enoent, newRuleset } from "./new-ruleset.ts";
import type { LandlockAnswer } from "./request.ts";

const noDescriptor = -1;

export interface EnforcedRuleset {
  readonly choice: RulesetChoice;
  /** -1 when there is nothing to enforce. */
  readonly fd: number;
  /** For landlock_restrict_self(2). */
  readonly restrictFlags: number;
  /** Rules whose path does not exist, skipped because the user said so. */
  readonly skipped: readonly string[];
}

/**
 * `bridges` are listening already: a rule holds for the socket that is there now. `programPid` is the program's PID to
 * be, in the PID namespace of /proc.
 */
export function makeRuleset(
  addon: Addon,
  answer: LandlockAnswer,
  bridges: readonly BridgeAddresses[],
  programPid: () => number,
): EnforcedRuleset {
  const listeners = bridges.map(({ listen }) => listen);
  const choice = chooseRuleset(withListeners(answer.request, listeners), addon.landlockAbi(), answer.mode);
  if (choice.kind !== "ruleset") {
    return { choice, fd: noDescriptor, restrictFlags: 0, skipped: [] };
  }
  const opened = (path: string) => forProgram(path, programPid);
  const made = newRuleset(addon, choice, {
    opened,
    skips: answer.ignoreMissing ? [enoent] : [],
    areExact: answer.exactPaths,
  });
  const { restrictFlags } = choice;
  return { choice, restrictFlags, ...made };
}

/** What the program's seccomp filter has to deny besides, so that the ruleset cannot be passed by. */
export function filterAdditions(choice: RulesetChoice): readonly FilterAddition[] {
  if (choice.kind !== "ruleset") return [];
  return [
    ...(choice.handled.includes("CONNECT_TCP") ? (["tcp-detours"] as const) : []),
    ...(choice.handled.includes("SIGNAL") ? (["other-limits"] as const) : []),
  ];
}

/** The program may use the bridges it was given: where an area is denied, their listeners are allowed. */
export function withListeners(request: RulesetRequest, listeners: readonly ListenAddress[]): RulesetRequest {
  const { bindTcp, connectTcp, unixSockets } = request;
  const ports = listeners.flatMap((listen) => (listen.kind === "tcp" ? [listen.port] : []));
  const paths = listeners.flatMap((listen) => (listen.kind === "unix" ? [listen.path] : []));
  return {
    ...request,
    connectTcp: bindTcp.length + connectTcp.length > 0 ? [...connectTcp, ...ports] : connectTcp,
    unixSockets: unixSockets.length > 0 ? [...unixSockets, ...paths] : unixSockets,
  };
}

/** /proc/self is another directory for each process that names it: the rule means the program's. */
function forProgram(path: string, programPid: () => number): string {
  const [, rest] = /^\/proc\/self(\/.*)?$/.exec(path) ?? [];
  return path === "/proc/self" || rest !== undefined ? `/proc/${programPid()}${rest ?? ""}` : path;
}

/** Whether a choice lets the program do something, `right`, with a file; `real` resolves symbolic links. */
export function allows(
  choice: RulesetChoice,
  right: "EXECUTE" | "READ_DIR" | "WRITE_FILE",
  path: string,
  real: (path: string) => string | null,
): boolean {
  if (choice.kind !== "ruleset" || !choice.handled.includes(right)) return true;
  const target = real(path);
  if (target === null) return false;
  const bit = maskOf("fs", [right]);
  return choice.paths.some((rule) => {
    const parent = real(rule.path);
    return parent !== null && (rule.directoryAccess & bit) !== 0 && isBeneath(target, parent);
  });
}

function isBeneath(path: string, parent: string): boolean {
  return path === parent || path.startsWith(parent.endsWith("/") ? parent : `${parent}/`);
}
