/**
 * Makes the Landlock ruleset that P0 will enforce on itself.
 *
 * Runs:     sandbox, in the set-up Node, which stays unrestricted.
 * Promises: every rule of the choice is in the ruleset, or the set-up fails and names the path.
 * Source:   landlock_create_ruleset(2), landlock_add_rule(2)
 */

import { FenceError } from "../base/errors.ts";
import type { BridgeAddresses } from "../bridge/address.ts";
import { maskOf } from "../landlock/abi.ts";
import type { RulesetRequest } from "../landlock/request.ts";
import { chooseRuleset, type PathRule, type Ruleset, type RulesetChoice } from "../landlock/ruleset.ts";
import type { Addon } from "../sys/addon.ts";
import { describeFailure, systemError } from "../sys/errno.ts";
import type { LandlockAnswer } from "./request.ts";

const step = "enforce-landlock";
const noDescriptor = -1;
const enoent = -2;
/** A pipe or a socket, such as /dev/stdout may be: Landlock takes no rule for it, and denies nothing there. */
const ebadfd = -77;
/** S_IFDIR >> 12 */
const directoryType = 4;

export interface EnforcedRuleset {
  readonly choice: RulesetChoice;
  /** -1 when there is nothing to enforce. */
  readonly fd: number;
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
  const choice = chooseRuleset(withBridges(answer.request, bridges), addon.landlockAbi(), answer.mode);
  if (choice.kind !== "ruleset") return { choice, fd: noDescriptor, skipped: [] };
  const fd = addon.landlockCreateRuleset(choice.handledFs, choice.handledNet, choice.scoped);
  if (fd < 0) throw systemError("FENCE_LANDLOCK", "cannot create a ruleset", "landlock_create_ruleset", fd, { step });
  const rules = choice.paths.map((rule) => ({ ...rule, opened: forProgram(rule.path, programPid) }));
  const skipped = rules.filter((rule) => !addPathRule(addon, fd, rule, answer.ignoreMissing));
  addPortRules(addon, fd, choice);
  return { choice, fd, skipped: skipped.map(({ path }) => path) };
}

/** The program may use the bridges it was given: where an area is denied, their listeners are allowed. */
function withBridges(request: RulesetRequest, bridges: readonly BridgeAddresses[]): RulesetRequest {
  const { bindTcp, connectTcp, unixSockets } = request;
  const listeners = bridges.map(({ listen }) => listen);
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

/** Whether the path was there. */
function addPathRule(
  addon: Addon,
  ruleset: number,
  rule: PathRule & { readonly opened: string },
  ignoreMissing: boolean,
): boolean {
  const { path, opened } = rule;
  const parent = addon.openPath(Buffer.from(opened));
  if (parent === enoent && ignoreMissing) return false;
  if (parent < 0) {
    throw systemError("FENCE_RULE_PATH", `cannot open ${path} for a rule`, "open", parent, {
      step,
      path,
      hint:
        parent === enoent ? `${rule.causes.join(", ")} must name what is in the sandbox, or add --ignore-missing` : "",
    });
  }
  const access = addon.fileType(parent) === directoryType ? rule.directoryAccess : rule.fileAccess;
  const result = access === 0 ? 0 : addon.landlockAddPathRule(ruleset, parent, access);
  addon.closeDescriptor(parent);
  if (result < 0 && result !== ebadfd) {
    throw systemError("FENCE_LANDLOCK", `cannot add a rule for ${path}`, "landlock_add_rule", result, { step, path });
  }
  return true;
}

function addPortRules(addon: Addon, ruleset: number, { ports }: Ruleset): void {
  for (const { port, access } of ports) {
    const result = addon.landlockAddPortRule(ruleset, port, access);
    if (result < 0) {
      throw new FenceError(
        "FENCE_LANDLOCK",
        `cannot add a rule for port ${port}: ${describeFailure("landlock_add_rule", result)}`,
        {
          step,
          hint: "the kernel has no TCP (CONFIG_INET), or the port is out of range",
        },
      );
    }
  }
}

/** Whether a choice lets the program do something, `right`, with a file; `real` resolves symbolic links. */
export function allows(
  choice: RulesetChoice,
  right: "EXECUTE" | "WRITE_FILE",
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
