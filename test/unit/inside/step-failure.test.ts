import { constants } from "node:os";
import { expect, test } from "vitest";
import type { FenceError } from "../../../src/base/errors.ts";
import { encodeAddress } from "../../../src/bridge/sockaddr.ts";
import { explainFailure } from "../../../src/inside/step-failure.ts";
import { emptyRequest } from "../../../src/landlock/request.ts";
import { chooseRuleset, type RulesetChoice } from "../../../src/landlock/ruleset.ts";
import {
  type ExecPlan,
  type ExecStep,
  execPlan,
  preparationTypes,
  type SetUpStep,
  type StepKind,
  stepCalls,
  stepTypes,
} from "../../../src/plan/exec-plan.ts";
import type { ProgramFile, ProgramFiles } from "../../../src/sys/program-files.ts";
import { failure } from "../../kit/errors.ts";

const unrestricted = chooseRuleset(emptyRequest, 9, "required");
const reading = chooseRuleset({ ...emptyRequest, rules: [{ access: "ro", path: "/data" }] }, 9, "required");
const masks = { handledFs: 1, handledNet: 1, scoped: 0, quietFs: 0, quietNet: 0, quietScoped: 0 };

const steps: readonly SetUpStep[] = [
  { kind: "listen", address: new Uint8Array(encodeAddress({ kind: "tcp", host: "::1", port: 3128 })) },
  { kind: "search", paths: ["/one/tool", "./tool", "/other/tool"] },
  { kind: "ruleset", ...masks },
  { kind: "path-rule", path: "/data", directoryAccess: 1, fileAccess: 1, quiet: false },
  { kind: "path-rule", path: "/other", directoryAccess: 1, fileAccess: 1, quiet: false },
  { kind: "port-rule", port: 443, access: 1, quiet: false },
];

const plan: ExecPlan = execPlan("ab".repeat(16))
  .environment([])
  .arguments([{ kind: "arg", value: "tool" }])
  .process([
    { kind: "chdir", path: "/project" },
    { kind: "rlimit", resource: 7, soft: 1n, hard: 1n },
    { kind: "stream", from: 5, to: 0 },
    { kind: "signals", blocked: 0n, ignored: 0n },
    { kind: "drop-capabilities" },
    { kind: "umask", mask: 0o22 },
    ...steps,
  ])
  .landlock({ restricts: true, flags: 0 })
  .seccomp(new Uint8Array())
  .program({ kind: "exec-found" });

interface Failed {
  readonly call?: number;
  readonly errno: keyof typeof constants.errno;
  readonly choice?: RulesetChoice;
  readonly files?: Readonly<Record<string, ProgramFile | "refused">>;
}

/** The explanation of this step's failure. */
function explained(
  isStep: (step: ExecStep) => boolean,
  { call = 0, errno, choice = reading, files = {} }: Failed,
): FenceError {
  const index = plan.steps.findIndex(isStep);
  const kind = plan.steps[index]?.kind;
  if (kind === undefined) throw new Error("the plan has no such step");
  const failed = { type: stepTypes[kind], index, call, result: -constants.errno[errno] };
  return explainFailure(failed, { plan, directory: "/project", programPath: "tool" }, choice, filesOf(files));
}

const is = (kind: StepKind) => (step: ExecStep) => step.kind === kind;
const executable: ProgramFile = { type: "file", hasExecuteBit: true };

function filesOf(all: NonNullable<Failed["files"]>): ProgramFiles {
  const found = (path: string) => all[path] ?? "missing";
  return {
    find: (path) => {
      const file = found(path);
      return file === "refused" ? { type: "file", hasExecuteBit: false } : file;
    },
    mayExecute: (path) => found(path) === executable,
    linkTarget: () => null,
    head: () => Buffer.from("#!/no/interpreter\n"),
    realPath: (path) => (found(path) === "missing" ? null : path),
  };
}

test.for<[call: (typeof stepCalls.listen)[number], errno: keyof typeof constants.errno, hint?: RegExp]>([
  ["socket", "EAFNOSUPPORT", /IPv6/],
  ["setsockopt", "ENOENT"],
  ["bind", "EADDRINUSE", /another port/],
  ["bind", "EACCES", /CAP_NET_BIND_SERVICE/],
  ["listen", "EADDRINUSE", /another port/],
  ["sendmsg", "EPIPE"],
])("a listener whose %s fails with %s names its address", ([syscall, errno, hint]) => {
  const error = explained(is("listen"), { call: stepCalls.listen.indexOf(syscall), errno });
  expect(error).toMatchObject({ code: "FENCE_LISTEN", details: { syscall, errno } });
  expect(error.message).toMatch(/^cannot listen on tcp:\[::1\]:3128: /);
  if (hint === undefined) expect(error.details.hint).toBeUndefined();
  else expect(error.details.hint).toMatch(hint);
});

test("a ruleset that cannot be made says so", () => {
  expect(explained(is("ruleset"), { errno: "EINVAL" })).toMatchObject({
    code: "FENCE_LANDLOCK",
    message: "cannot create a ruleset: landlock_create_ruleset: EINVAL (invalid argument)",
    details: { step: "enforce-landlock" },
  });
});

test.for([
  { syscall: "open", errno: "ENOENT", code: "FENCE_RULE_PATH", says: "cannot open /data for a rule" },
  { syscall: "open", errno: "EACCES", code: "FENCE_RULE_PATH", says: "cannot open /data for a rule" },
  { syscall: "fstat", errno: "EIO", code: "FENCE_RULE_PATH", says: "cannot look at /data for a rule" },
  { syscall: "landlock_add_rule", errno: "EINVAL", code: "FENCE_LANDLOCK", says: "cannot add a rule for /data" },
] as const)("a rule whose $syscall fails with $errno names its path", ({ syscall, errno, code, says }) => {
  const error = explained(is("path-rule"), { call: stepCalls["path-rule"].indexOf(syscall), errno });
  expect(error).toMatchObject({ code, details: { step: "enforce-landlock", path: "/data", syscall, errno } });
  expect(error.message).toContain(`${says}: ${syscall}: ${errno}`);
  if (errno === "ENOENT") expect(error.details.hint).toMatch(/^the rule \(--ro\) must name what is in the sandbox/);
  else expect(error.details.hint).toBeUndefined();
});

test("a rule that nobody has named is explained all the same", () => {
  const error = explained((step) => step.kind === "path-rule" && step.path === "/other", { errno: "ENOENT" });
  expect(error.details.hint).toMatch(/^the rule must name/);
});

test("a rule for a port names the port", () => {
  expect(explained(is("port-rule"), { errno: "EINVAL" })).toMatchObject({
    code: "FENCE_LANDLOCK",
    message: "cannot add a rule for port 443: landlock_add_rule: EINVAL (invalid argument)",
    details: { hint: expect.stringContaining("CONFIG_INET") },
  });
});

test("a program that is nowhere is told from one that may not be executed", () => {
  expect(explained(is("search"), { errno: "ENOENT" })).toMatchObject({
    code: "FENCE_PROGRAM_NOT_FOUND",
    message: 'cannot find "tool" in PATH',
    details: { errno: "ENOENT", hint: expect.stringContaining("none of its 3 folders") },
  });
  expect(explained(is("search"), { errno: "EACCES", files: { "/project/./tool": "refused" } })).toMatchObject({
    code: "FENCE_PROGRAM_CANNOT_RUN",
    message: "cannot run ./tool: it may not be executed",
  });
  const device: ProgramFile = { type: "special", hasExecuteBit: false };
  expect(explained(is("search"), { errno: "EACCES", files: { "/other/tool": device } })).toMatchObject({
    code: "FENCE_PROGRAM_CANNOT_RUN",
    message: expect.stringContaining("/other/tool: it is a device or another special file"),
  });
});

test("a program that this process may execute, and the one in the sandbox not, may not be executed", () => {
  expect(explained(is("search"), { errno: "EACCES", files: { "/one/tool": executable } })).toMatchObject({
    code: "FENCE_PROGRAM_CANNOT_RUN",
    message: "cannot run /one/tool: it may not be executed",
  });
});

test("what was found and not executed is explained by its file", () => {
  const files = { "/one/tool": "refused", "/project/./tool": executable } as const;
  expect(explained(is("exec-found"), { errno: "ENOENT", choice: unrestricted, files })).toMatchObject({
    code: "FENCE_PROGRAM_CANNOT_RUN",
    message: expect.stringMatching(
      /^cannot run \.\/tool: .* the interpreter of its #! line, "\/no\/interpreter", is not$/,
    ),
    details: { path: "/project/./tool" },
  });
});

test("what was found and has gone meanwhile is named as the user did", () => {
  expect(explained(is("exec-found"), { errno: "ENOENT" })).toMatchObject({
    code: "FENCE_PROGRAM_NOT_FOUND",
    message: "cannot run tool: execve: ENOENT (no such file or directory)",
  });
});

test.for<[kind: StepKind, says: string, code: string]>([
  ["chdir", "cannot enter /project: chdir", "FENCE_EXEC_PLAN"],
  ["umask", "the step umask failed", "FENCE_EXEC_PLAN"],
  ["rlimit", "cannot set the resource limit", "FENCE_EXEC_PLAN"],
  ["stream", "cannot make 5 descriptor 0: dup3", "FENCE_EXEC_PLAN"],
  ["signals", "cannot set the program's signals", "FENCE_EXEC_PLAN"],
  ["drop-capabilities", "cannot drop the capabilities: capset", "FENCE_EXEC_PLAN"],
  ["landlock", "cannot enforce the ruleset: landlock_restrict_self", "FENCE_LANDLOCK"],
  ["seccomp", "cannot install the seccomp filter: seccomp", "FENCE_SECCOMP"],
])("the failed step %s says: %s", ([kind, says, code]) => {
  const error = explained(is(kind), { errno: "EPERM" });
  expect(error).toMatchObject({ code, details: { errno: "EPERM" } });
  expect(error.message).toContain(says);
});

test.for(Object.entries(preparationTypes))("what belongs to no step is explained: %s", ([, type]) => {
  const prepared = { plan, directory: "/", programPath: "tool" };
  const error = explainFailure({ type, index: 0, call: 0, result: -12 }, prepared, unrestricted);
  expect(error).toMatchObject({ code: "FENCE_EXEC_PLAN", details: { errno: "ENOMEM" } });
});

test("a step that the plan does not have, and a call that it does not make, are our mistakes", () => {
  const prepared = { plan, directory: "/", programPath: "tool" };
  const failed = { type: stepTypes.exec, index: 0, call: 0, result: -2 };
  expect(failure(() => explainFailure(failed, prepared, unrestricted)).code).toBe("FENCE_BUG");
  expect(failure(() => explained(is("listen"), { call: 5, errno: "EPERM" })).code).toBe("FENCE_BUG");
});
