/**
 * Explains which of P0's last steps failed, and what the user can do about it.
 *
 * Runs:     sandbox, in the set-up Node, which stays unrestricted and can look; or on the host, which looks from outside.
 * Source:   docs/exec-plan.md
 */
import { bug, type FenceError } from "../base/errors.ts";
import { cannotListen } from "../bridge/listener.ts";
import { decodeTcpAddress } from "../bridge/sockaddr.ts";
import type { RulesetChoice } from "../landlock/ruleset.ts";
import { type ExecPlan, preparationTypes, readCalls, stepCalls, stepTypes } from "../plan/exec-plan.ts";
import { systemError } from "../sys/errno.ts";
import { ownFiles, type ProgramFiles } from "../sys/program-files.ts";
import type { StepFailure } from "../sys/stub.ts";
import { cannotAddPath, cannotAddPort, cannotCreate } from "./new-ruleset.ts";
import { explainExec, explainSearch, firstExecutable } from "./program.ts";
import { resourceLimits } from "./resource-limits.ts";

export interface PreparedPlan {
  readonly plan: ExecPlan;
  /** The program's working directory; relative to the present one when it stays. */
  readonly directory: string;
  /** Where the plan searches for the program: its name. */
  readonly programPath: string;
}

const e2big = -7;
/** EINVAL, ENOSYS */
const lacksSeccomp = [-22, -38];

/** A step of the plan that failed in P0, as the error that the user reads. `files` are the sandbox's. */
export function explainFailure(
  failure: StepFailure,
  { plan, directory, programPath }: PreparedPlan,
  choice: RulesetChoice,
  files: ProgramFiles = ownFiles,
): FenceError {
  const preparation = explainPreparation(failure);
  if (preparation !== null) return preparation;
  const step = plan.steps[failure.index];
  if (step === undefined || stepTypes[step.kind] !== failure.type) {
    throw bug(`step ${failure.index} of type ${failure.type} failed, which the plan does not have`);
  }
  switch (step.kind) {
    case "exec":
    case "exec-original":
      return explainExec(programPath, directory, failure.result, choice, files);
    case "exec-found": {
      const found = firstExecutable(searchedPaths(plan), directory, files);
      return explainExec(found ?? programPath, directory, failure.result, choice, files);
    }
    case "search":
      return explainSearch(programPath, step.paths, directory, files);
    case "listen":
      return cannotListen(decodeTcpAddress(Buffer.from(step.address)), callOf("listen", failure), failure.result);
    case "ruleset":
      return cannotCreate(failure.result);
    case "path-rule":
      return cannotAddPath(ruleOf(step.path, choice), callOf("path-rule", failure), failure.result);
    case "port-rule":
      return cannotAddPort(step.port, failure.result);
    case "chdir":
      return systemError("FENCE_EXEC_PLAN", `cannot enter ${step.path}`, "chdir", failure.result, {
        step: "chdir",
        path: step.path,
        hint: "the working directory must exist inside the sandbox",
      });
    case "rlimit":
      return systemError(
        "FENCE_EXEC_PLAN",
        `cannot set the resource limit ${resourceLimits[step.resource]}`,
        "prlimit",
        failure.result,
        {
          step: "rlimits",
          hint: "a hard limit can only be raised with CAP_SYS_RESOURCE",
        },
      );
    case "stream":
      return systemError("FENCE_EXEC_PLAN", `cannot make ${step.from} descriptor ${step.to}`, "dup3", failure.result, {
        step: "streams",
      });
    case "signals":
      return systemError(
        "FENCE_EXEC_PLAN",
        "cannot set the program's signals",
        callOf("signals", failure),
        failure.result,
        {
          step: "signals",
        },
      );
    case "landlock":
      return systemError("FENCE_LANDLOCK", "cannot enforce the ruleset", "landlock_restrict_self", failure.result, {
        step: "enforce-landlock",
        ...(failure.result === e2big && { hint: "the kernel stacks at most 16 Landlock domains" }),
      });
    case "seccomp":
      return systemError("FENCE_SECCOMP", "cannot install the seccomp filter", "seccomp", failure.result, {
        step: "seccomp",
        ...(lacksSeccomp.includes(failure.result) && {
          hint: "the kernel needs CONFIG_SECCOMP_FILTER; the program's filter can be turned off (seccomp: off)",
        }),
      });
    case "drop-capabilities":
      return systemError("FENCE_EXEC_PLAN", "cannot drop the capabilities", "capset", failure.result, {
        step: "capabilities",
      });
    default:
      return systemError("FENCE_EXEC_PLAN", `the step ${step.kind} failed`, step.kind, failure.result, {
        step: "exec-plan",
      });
  }
}

/** Which of the step's system calls it was. */
function callOf<Kind extends keyof typeof stepCalls>(
  kind: Kind,
  { call }: StepFailure,
): (typeof stepCalls)[Kind][number] {
  const name = stepCalls[kind][call];
  if (name === undefined) throw bug(`call ${call} of the step ${kind} failed, which does not make it`);
  return name;
}

function searchedPaths({ steps }: ExecPlan): readonly string[] {
  return steps.flatMap((step) => (step.kind === "search" ? step.paths : []));
}

/** The rule that was chosen for the path, with who named it. */
function ruleOf(path: string, choice: RulesetChoice) {
  const rules = choice.kind === "ruleset" ? choice.paths : [];
  return rules.find((rule) => rule.path === path) ?? { path, causes: [] };
}

/** What P0 does beside the steps; null when it is one of them. */
function explainPreparation({ type, index, result }: StepFailure): FenceError | null {
  const step = "exec-plan";
  switch (type) {
    case preparationTypes.check:
      return systemError("FENCE_EXEC_PLAN", `the exec plan was refused at its step ${index}`, "check", result, {
        step,
      });
    case preparationTypes.read:
      return systemError("FENCE_EXEC_PLAN", "cannot read the exec plan", readCalls[index] ?? "mmap", result, { step });
    case preparationTypes.vectors:
      return systemError("FENCE_EXEC_PLAN", "no room for the arguments and the environment", "mmap", result, { step });
    case preparationTypes.noNewPrivs:
      return systemError("FENCE_EXEC_PLAN", "cannot set no_new_privs", "prctl", result, { step });
    case preparationTypes.announce:
      return systemError("FENCE_EXEC_PLAN", "cannot tell the launcher that all is ready", "sendmsg", result, { step });
    default:
      return null;
  }
}
