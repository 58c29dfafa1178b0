/**
 * Makes a Landlock ruleset in the kernel from what was chosen for it.
 *
 * Runs:     sandbox, in the set-up Node, which stays unrestricted.
 * Promises: every rule of the choice is in the ruleset, or was skipped by what the caller said, or an error names it.
 * Source:   landlock_create_ruleset(2), landlock_add_rule(2)
 */
import { readlinkSync } from "node:fs";
import { type FenceError, unreachable } from "../base/errors.ts";
import { maskOf } from "../landlock/abi.ts";
import type { PathRule, Ruleset } from "../landlock/ruleset.ts";
import type { stepCalls } from "../plan/exec-plan.ts";
import type { Addon } from "../sys/addon.ts";
import { systemError } from "../sys/errno.ts";

const step = "enforce-landlock";
export const enoent = -2;
/** A pipe or a socket, such as /dev/stdout may be: Landlock takes no rule for it, and denies nothing there. */
const ebadfd = -77;
/** EINVAL, EAFNOSUPPORT */
const lacksTcp = [-22, -97];
/** S_IFDIR >> 12 */
const directoryType = 4;

export interface RulePaths {
  /** What to open for a rule on this path; most often the path itself. */
  readonly opened: (path: string) => string;
  /** A rule whose path cannot be opened for one of these reasons, all below 0, is skipped. */
  readonly skips: readonly number[];
  /** Paths are without symlinks: one that leads elsewhere was replaced meanwhile, and its rule is skipped. */
  readonly areExact: boolean;
}

/** The ruleset's descriptor, close-on-exec, and the paths that were skipped. Throws FENCE_LANDLOCK, FENCE_RULE_PATH. */
export function newRuleset(
  addon: Addon,
  choice: Ruleset,
  { opened, skips, areExact }: RulePaths,
): { readonly fd: number; readonly skipped: readonly string[] } {
  const fd = createRuleset(addon, choice);
  if (fd < 0) throw cannotCreate(fd);
  try {
    const rules = choice.paths.map((rule) => ({ ...rule, opened: opened(rule.path) }));
    const skipped = rules.filter((rule) => !addPathRule(addon, fd, rule, { skips, areExact }));
    addPortRules(addon, fd, choice);
    return { fd, skipped: skipped.map(({ path }) => path) };
  } catch (error) {
    addon.closeDescriptor(fd);
    throw error;
  }
}

function createRuleset(addon: Addon, choice: Ruleset): number {
  const { handledFs, handledNet, scoped, quietFs, quietNet, quietScoped } = choice;
  return addon.landlockCreateRuleset(handledFs, handledNet, scoped, quietFs, quietNet, quietScoped);
}

/** Whether the path could be opened, and is what it was meant to be. */
function addPathRule(
  addon: Addon,
  ruleset: number,
  rule: PathRule & { readonly opened: string },
  { skips, areExact }: Omit<RulePaths, "opened">,
): boolean {
  const { opened } = rule;
  const parent = addon.openPath(Buffer.from(opened));
  if (skips.includes(parent)) return false;
  if (parent < 0) throw cannotAddPath(rule, "open", parent);
  if (areExact && placeOf(parent) !== opened) {
    addon.closeDescriptor(parent);
    return false;
  }
  const type = addon.fileType(parent);
  if (type < 0) {
    addon.closeDescriptor(parent);
    throw cannotAddPath(rule, "fstat", type);
  }
  const access = type === directoryType ? rule.directoryAccess : rule.fileAccess;
  const needless = access === 0 && !rule.quiet;
  const result = needless ? 0 : addon.landlockAddPathRule(ruleset, parent, access, ruleFlags(rule));
  addon.closeDescriptor(parent);
  if (result < 0 && result !== ebadfd) throw cannotAddPath(rule, "landlock_add_rule", result);
  return true;
}

/** Where what is open is now, proc_pid_fd(5). */
function placeOf(fd: number): string {
  return readlinkSync(`/proc/self/fd/${fd}`);
}

/** What has failed here, or in the process that makes the ruleset instead. Each `result` is below 0. */
export function cannotCreate(result: number): FenceError {
  return systemError("FENCE_LANDLOCK", "cannot create a ruleset", "landlock_create_ruleset", result, { step });
}

type PathRuleCall = (typeof stepCalls)["path-rule"][number];
type NamedPath = Pick<PathRule, "path" | "causes">;

export function cannotAddPath(rule: NamedPath, syscall: PathRuleCall, result: number): FenceError {
  const { path } = rule;
  switch (syscall) {
    case "open":
      return systemError("FENCE_RULE_PATH", `cannot open ${path} for a rule`, syscall, result, {
        step,
        path,
        ...(result === enoent && { hint: missingHint(rule) }),
      });
    case "fstat":
      return systemError("FENCE_RULE_PATH", `cannot look at ${path} for a rule`, syscall, result, { step, path });
    case "landlock_add_rule":
      return systemError("FENCE_LANDLOCK", `cannot add a rule for ${path}`, syscall, result, { step, path });
    default:
      return unreachable(syscall);
  }
}

export function cannotAddPort(port: number, result: number): FenceError {
  return systemError("FENCE_LANDLOCK", `cannot add a rule for port ${port}`, "landlock_add_rule", result, {
    step,
    ...(lacksTcp.includes(result) && { hint: "the kernel has no TCP (CONFIG_INET), or the port is out of range" }),
  });
}

function missingHint({ causes }: NamedPath): string {
  const named = causes.length === 0 ? "" : ` (${causes.join(", ")})`;
  return `the rule${named} must name what is in the sandbox; ignoreMissing in a plan, --ignore-missing skips it`;
}

function addPortRules(addon: Addon, ruleset: number, { ports }: Ruleset): void {
  for (const { port, access, quiet } of ports) {
    const result = addon.landlockAddPortRule(ruleset, port, access, ruleFlags({ quiet }));
    if (result < 0) throw cannotAddPort(port, result);
  }
}

function ruleFlags({ quiet }: { readonly quiet: boolean }): number {
  return quiet ? maskOf("rule-flag", ["QUIET"]) : 0;
}
