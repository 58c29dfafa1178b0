/**
 * Compiles what is to be done in a sandbox to an exec plan that the stub carries out alone, without a Node inside.
 *
 * Runs:     host. Pure: nothing is looked at.
 * Promises: the program finds what it would find if the bootstrap had set the same request up from inside.
 * Source:   docs/launched.md
 */
import { buildId } from "../base/build.ts";
import { bug } from "../base/errors.ts";
import type { Address } from "../bridge/address.ts";
import { encodeAddress } from "../bridge/sockaddr.ts";
import { chooseRuleset, type RulesetChoice } from "../landlock/ruleset.ts";
import { execPlan, type ProgramStep, type SetUpStep } from "../plan/exec-plan.ts";
import type { Architecture } from "../sys/architecture.ts";
import { environmentChange, type PathFacts } from "./environment.ts";
import { refuseEmptyName, searchPaths } from "./program.ts";
import { programFilter } from "./program-filter.ts";
import type { BootstrapRequest, SeccompMode } from "./request.ts";
import { filterAdditions, withListeners } from "./ruleset.ts";
import type { PreparedPlan } from "./step-failure.ts";

export type TcpAddress = Extract<Address, { kind: "tcp" }>;

export interface Machine {
  /** landlockAbi()'s answer. */
  readonly landlockAbi: number;
  readonly architecture: Architecture;
}

export interface CompiledPlan extends PreparedPlan {
  readonly choice: RulesetChoice;
  readonly seccomp: SeccompMode;
  /** The numbers of the steps that listen, in the order of the addresses. */
  readonly listenSteps: readonly number[];
}

/** Nothing is inherited here, so that nothing is repaired. */
const noFacts: PathFacts = { isDirectory: () => true, isWritableDirectory: () => true };

/** `listeners` are the sandbox's; the request names no bridges. Throws FENCE_LANDLOCK_ABI, FENCE_PROGRAM_NOT_FOUND. */
export function compileInside(
  request: BootstrapRequest,
  listeners: readonly TcpAddress[],
  { landlockAbi, architecture }: Machine,
): CompiledPlan {
  const { landlock, environment, launcher } = request;
  const [first, ...rest] = request.program.argv.map((value) => ({ kind: "arg", value }) as const);
  if (first === undefined || !environment.clear || landlock.exactPaths || landlock.ignoreMissing)
    throw bug("a request that only the bootstrap can carry out");
  const choice = chooseRuleset(withListeners(landlock.request, listeners), landlockAbi, landlock.mode);
  const path = environment.set.findLast(({ name }) => name === "PATH")?.value;
  const { search, program } = programSteps(first.value, path);
  const restrictFlags = choice.kind === "ruleset" ? choice.restrictFlags : 0;
  const additions = [...filterAdditions(choice), ...(launcher?.deniedSockets ?? [])];
  const plan = execPlan(buildId)
    .environment(environmentChange(request, {}, noFacts).steps)
    .arguments([first, ...rest])
    .process([...listeners.map(listenStep), ...search, ...rulesetSteps(choice), ...request.process])
    .landlock({ restricts: choice.kind === "ruleset", flags: restrictFlags })
    .seccomp(programFilter(request.seccomp, additions, architecture))
    .program(program);
  return {
    plan,
    choice,
    seccomp: request.seccomp,
    directory: request.process.find((step) => step.kind === "chdir")?.path ?? ".",
    programPath: first.value,
    listenSteps: plan.steps.flatMap(({ kind }, i) => (kind === "listen" ? i : [])),
  };
}

function listenStep(address: TcpAddress): SetUpStep {
  return { kind: "listen", address: new Uint8Array(encodeAddress(address)) };
}

function programSteps(name: string, path: string | undefined): { search: readonly SetUpStep[]; program: ProgramStep } {
  refuseEmptyName(name);
  if (name.includes("/")) return { search: [], program: { kind: "exec", path: name } };
  return { search: [{ kind: "search", paths: searchPaths(name, path) }], program: { kind: "exec-found" } };
}

function rulesetSteps(choice: RulesetChoice): readonly SetUpStep[] {
  if (choice.kind !== "ruleset") return [];
  const { handledFs, handledNet, scoped, quietFs, quietNet, quietScoped, paths, ports } = choice;
  return [
    { kind: "ruleset", handledFs, handledNet, scoped, quietFs, quietNet, quietScoped },
    ...paths.map(({ path, directoryAccess, fileAccess, quiet }): SetUpStep => {
      return { kind: "path-rule", path, directoryAccess, fileAccess, quiet };
    }),
    ...ports.map(({ port, access, quiet }): SetUpStep => ({ kind: "port-rule", port, access, quiet })),
  ];
}
