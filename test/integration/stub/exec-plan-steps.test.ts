import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeAddress } from "../../../src/bridge/sockaddr.ts";
import { maskOf } from "../../../src/landlock/abi.ts";
import {
  execPlan,
  type ProcessStep,
  type ProgramStep,
  type SetUpStep,
  stepCalls,
  stepTypes,
} from "../../../src/plan/exec-plan.ts";
import { encodeExecPlan } from "../../../src/plan/exec-plan-bytes.ts";
import { kernelAbi, needsAbi } from "../landlock/outcomes.ts";
import { compileDriver, type Driver } from "./driver.ts";

const folder = mkdtempSync(join(tmpdir(), "steps-"));
let driver: Driver;
beforeAll(() => {
  driver = compileDriver("steps-driver", folder);
  writeFileSync(join(folder, "allowed"), "allowed\n");
  writeFileSync(join(folder, "secret"), "secret\n");
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Case {
  readonly steps: readonly (ProcessStep | SetUpStep)[];
  readonly argv?: readonly [string, ...string[]];
  readonly program?: ProgramStep;
  readonly restricts?: boolean;
  /** Of the driver. */
  readonly words?: readonly string[];
}

/** The lines that the program has printed, then the driver's. */
function carryOut({ steps, argv = ["true"], program = { kind: "exec", path: `/bin/${argv[0]}` }, ...rest }: Case) {
  const { restricts = steps.some(({ kind }) => kind === "ruleset"), words = [] } = rest;
  const plan = execPlan("ab".repeat(16))
    .environment([])
    .arguments(argv.map((value) => ({ kind: "arg", value }) as const) as never)
    .process(steps)
    .landlock({ restricts, flags: 0 })
    .seccomp(new Uint8Array())
    .program(program);
  return driver.outputs(words, encodeExecPlan(plan)).stdout.trimEnd().split("\n");
}

function failed(
  step: keyof typeof stepTypes,
  index: number,
  call: number,
  errno: keyof typeof constants.errno,
  path = "none",
) {
  return [
    `failed: step 0x${stepTypes[step].toString(16)} index ${index} call ${call} error ${constants.errno[errno]} path ${path}`,
  ];
}

const listen = (host: string, port: number): SetUpStep => ({
  kind: "listen",
  address: new Uint8Array(encodeAddress({ kind: "tcp", host, port })),
});
const none = { handledFs: 0, handledNet: 0, scoped: 0, quietFs: 0, quietNet: 0, quietScoped: 0 };
const readFile = maskOf("fs", ["READ_FILE"]);
const readAll = maskOf("fs", ["READ_FILE", "READ_DIR"]);
const reading: SetUpStep = { kind: "ruleset", ...none, handledFs: readAll };
const pathRule = (path: string, access = readAll): SetUpStep => ({
  kind: "path-rule",
  path,
  directoryAccess: access,
  fileAccess: access & readFile,
  quiet: false,
});
/** What a program needs to start. */
const system = ["/usr", "/bin", "/lib", "/lib64", "/etc"].map((path) => pathRule(path));

describe("listen", () => {
  const options = "non-blocking, reuses its address, without delay, reno, accepts";

  test("sends sockets that accept, each with the number of its step", () => {
    const steps: readonly SetUpStep[] = [listen("127.0.0.1", 80), listen("::1", 80), listen("127.0.0.2", 65535)];
    expect(carryOut({ steps, words: ["network"] })).toEqual([
      `listener 1: IPv4 port 80, ${options}`,
      `listener 2: IPv6 port 80, ${options}`,
      `listener 3: IPv4 port 65535, ${options}`,
      "exit 0",
    ]);
  });

  test("is skipped in a rehearsal", () => {
    const steps = [listen("127.0.0.1", 80), { kind: "umask", mask: 0 } as const];
    expect(carryOut({ steps, words: ["network", "rehearse"] })).toEqual(["rehearsed"]);
  });

  test.for<[call: (typeof stepCalls.listen)[number], errno: keyof typeof constants.errno, host: string]>([
    ["bind", "EADDRNOTAVAIL", "10.1.2.3"],
    ["bind", "EADDRINUSE", "127.0.0.1"],
  ])("says that %s failed with %s", ([call, errno, host]) => {
    const steps = [listen("127.0.0.1", 80), listen(host, 80)];
    const lines = carryOut({ steps, words: ["network"] });
    expect(lines.slice(1)).toEqual(failed("listen", 2, stepCalls.listen.indexOf(call), errno));
  });

  test("says that nobody takes the socket", () => {
    const call = stepCalls.listen.indexOf("sendmsg");
    const lines = carryOut({ steps: [listen("127.0.0.1", 80)], words: ["network", "gone"] });
    expect(lines).toEqual(failed("listen", 1, call, "EPIPE"));
  });
});

describe("search", () => {
  const path = (name: string) => join(folder, name);
  const found = (...names: readonly [string, ...string[]]): Case => ({
    steps: [{ kind: "search", paths: names.map(path) as [string, ...string[]] }],
    argv: ["program"],
    program: { kind: "exec-found" },
  });

  beforeAll(() => {
    for (const name of ["one", "other", "plain"]) {
      writeFileSync(path(name), `#!/bin/sh\necho ${name}\n`);
      chmodSync(path(name), name === "plain" ? 0o644 : 0o755);
    }
    mkdirSync(path("directory"));
    symlinkSync("other", path("link"));
    symlinkSync("nowhere", path("dangling"));
    execFileSync("mkfifo", ["-m", "755", path("pipe")]);
  });

  test.for<[what: string, names: [string, ...string[]], program: string]>([
    ["the first", ["one", "other"], "one"],
    ["not what is missing", ["missing", "dangling", "one/x", "other"], "other"],
    ["no directory", ["directory", "one"], "one"],
    ["no special file", ["pipe", "one"], "one"],
    ["not what may not be executed", ["plain", "other"], "other"],
    ["where a link leads", ["link", "one"], "other"],
  ])("finds %s", ([, names, program]) => {
    expect(carryOut(found(...names))).toEqual([program, "exit 0"]);
  });

  test.for<[what: string, names: [string, ...string[]], errno: "ENOENT" | "EACCES"]>([
    ["nothing is there", ["missing", "dangling", "one/x"], "ENOENT"],
    ["there are only directories", ["directory"], "ENOENT"],
    ["one may not be executed", ["plain", "missing"], "EACCES"],
    ["one is a special file", ["missing", "pipe", "directory"], "EACCES"],
  ])("fails when %s", ([, names, errno]) => {
    expect(carryOut(found(...names))).toEqual(failed("search", 1, 0, errno, path(names[0])));
  });

  test("takes relative paths from the directory that was entered", () => {
    const steps: Case["steps"] = [
      { kind: "search", paths: ["./missing", "./one"] },
      { kind: "chdir", path: folder },
    ];
    expect(carryOut({ ...found("one"), steps })).toEqual(["one", "exit 0"]);
  });

  test("says what could not be executed", () => {
    writeFileSync(path("no-interpreter"), "#!/nowhere\n", { mode: 0o755 });
    expect(carryOut(found("no-interpreter"))).toEqual(failed("exec-found", 4, 0, "ENOENT", path("no-interpreter")));
  });

  test("is a part of a rehearsal", () => {
    expect(carryOut({ ...found("one"), words: ["rehearse"] })).toEqual(["rehearsed"]);
    const rehearsed = carryOut({ ...found("missing"), words: ["rehearse"] });
    expect(rehearsed).toEqual(failed("search", 1, 0, "ENOENT", path("missing")));
  });
});

describe("a ruleset of the plan's own", () => {
  const cat = (name: string) => ["cat", join(folder, name)] as const;

  test("allows what its rules name, and nothing else", () => {
    const steps = [reading, ...system, pathRule(join(folder, "allowed"))];
    expect(carryOut({ steps, argv: cat("allowed") })).toEqual(["allowed", "exit 0"]);
    expect(carryOut({ steps, argv: cat("secret") })).toEqual(["exit 1"]);
    expect(carryOut({ steps: [], argv: cat("secret") })).toEqual(["secret", "exit 0"]);
  });

  test("allows a directory with all beneath it", () => {
    expect(carryOut({ steps: [reading, ...system, pathRule(folder)], argv: cat("secret") })).toEqual([
      "secret",
      "exit 0",
    ]);
  });

  test("is enforced in a rehearsal too, and is not that of whoever rehearses", () => {
    expect(carryOut({ steps: [reading, ...system], words: ["rehearse"] })).toEqual(["rehearsed"]);
  });

  test("has no rule that says nothing, nor one for a pipe", () => {
    const steps = [reading, ...system, pathRule(folder, 0), pathRule("/dev/stdin")];
    expect(carryOut({ steps, argv: cat("secret") })).toEqual(["exit 1"]);
  });

  test("allows the ports that its rules name, and no other", (context) => {
    needsAbi(4, context);
    const steps: readonly SetUpStep[] = [
      listen("127.0.0.1", 7001),
      listen("127.0.0.1", 7002),
      { kind: "ruleset", ...none, handledNet: maskOf("net", ["CONNECT_TCP"]) },
      { kind: "port-rule", port: 7001, access: maskOf("net", ["CONNECT_TCP"]), quiet: false },
    ];
    const connect = (port: number) =>
      carryOut({ steps, argv: ["bash", "-c", `echo < /dev/tcp/127.0.0.1/${port}`], words: ["network"] }).at(-1);
    expect(connect(7001)).toBe("exit 0");
    expect(connect(7002)).toBe("exit 1");
  });

  test("handles scopes", (context) => {
    needsAbi(6, context);
    const steps: readonly SetUpStep[] = [{ kind: "ruleset", ...none, scoped: maskOf("scope", ["SIGNAL"]) }];
    const argv = ["sh", "-c", "kill -0 $PPID 2>/dev/null"] as const;
    expect(carryOut({ steps, argv })).toEqual(["exit 1"]);
    expect(carryOut({ steps: [], argv })).toEqual(["exit 0"]);
  });

  test("is quiet where the kernel knows how, and fails where it does not", () => {
    const steps: readonly SetUpStep[] = [{ ...reading, quietFs: readAll } as SetUpStep, ...system];
    expect(carryOut({ steps })).toEqual(kernelAbi >= 10 ? ["exit 0"] : failed("ruleset", 1, 0, "E2BIG"));
  });

  test("is the only one: a plan that brings another fails", () => {
    const lines = carryOut({ steps: [reading], words: ["ruleset"] });
    expect(lines).toEqual(failed("ruleset", 1, 0, "EINVAL"));
  });

  test("is needed when nothing else says what is restricted", () => {
    expect(carryOut({ steps: [], restricts: true })).toEqual(failed("landlock", 1, 0, "EBADF"));
    expect(carryOut({ steps: [], restricts: true, words: ["ruleset"] })).toEqual(["exit 0"]);
    expect(carryOut({ steps: [], restricts: false, words: ["ruleset"] })).toEqual(failed("landlock", 1, 0, "EINVAL"));
  });

  test.for<[what: string, rule: SetUpStep, call: number, errno: keyof typeof constants.errno]>([
    ["a path that is missing", pathRule("/nowhere"), 0, "ENOENT"],
    ["a path beneath a file", pathRule("/etc/passwd/x"), 0, "ENOTDIR"],
    ["what is not handled", pathRule("/usr", maskOf("fs", ["WRITE_FILE"])), 2, "EINVAL"],
  ])("says which rule failed: %s", ([, rule, call, errno]) => {
    const path = rule.kind === "path-rule" ? rule.path : "";
    expect(carryOut({ steps: [reading, pathRule("/usr"), rule] })).toEqual(failed("path-rule", 3, call, errno, path));
  });

  test("says which rule of a port failed", () => {
    const steps: readonly SetUpStep[] = [reading, { kind: "port-rule", port: 80, access: 1, quiet: false }];
    expect(carryOut({ steps })).toEqual(failed("port-rule", 2, 0, "EINVAL"));
  });
});

describe("the program inherits", () => {
  const steps = [listen("127.0.0.1", 80), reading, ...system, pathRule("/proc")];

  test("no descriptor that was made for it", () => {
    const lines = carryOut({ steps, argv: ["ls", "/proc/self/fd"], words: ["network"] });
    expect(lines.slice(0, -2)).toEqual(["0", "1", "2", "3"]);
  });

  test("no descriptor in the place of a standard stream that the caller had closed", () => {
    const argv = ["sh", "-c", "readlink /proc/self/fd/0; readlink /proc/$$/fd/0; true"] as const;
    const lines = carryOut({ steps, argv, words: ["network", "no-stdin"] });
    expect(lines.slice(0, -2)).toEqual([]);
  });
});

describe("every call that fails is told", () => {
  const all: readonly (ProcessStep | SetUpStep)[] = [
    { kind: "chdir", path: "/" },
    listen("127.0.0.1", 80),
    { kind: "search", paths: ["/bin/true"] },
    reading,
    pathRule("/"),
    { kind: "rlimit", resource: 7, soft: 64n, hard: 64n },
    { kind: "signals", blocked: 0n, ignored: 0n },
    { kind: "drop-capabilities" },
  ];

  test.for<[syscall: string, kind: keyof typeof stepTypes, index: number, call: number, path?: string]>([
    ["chdir", "chdir", 1, 0, "/"],
    ["socket", "listen", 2, 0],
    ["setsockopt", "listen", 2, 1],
    ["bind", "listen", 2, 2],
    ["listen", "listen", 2, 3],
    ["sendmsg", "listen", 2, 4],
    ["landlock_create_ruleset", "ruleset", 4, 0],
    ["open", "path-rule", 5, 0, "/"],
    ["landlock_add_rule", "path-rule", 5, 2, "/"],
    ["prlimit", "rlimit", 6, 0],
    ["rt_sigaction", "signals", 7, 0],
    ["capset", "drop-capabilities", 8, 0],
    ["landlock_restrict_self", "landlock", 9, 0],
    ["execve", "exec-found", 11, 0, "/bin/true"],
  ])("%s", ([syscall, kind, index, call, path]) => {
    const words = ["network", `fail=${syscall}`];
    const lines = carryOut({ steps: all, program: { kind: "exec-found" }, words });
    expect(lines.filter((line) => !line.startsWith("listener"))).toEqual(failed(kind, index, call, "EXDEV", path));
  });

  test("fstat", () => {
    const lines = carryOut({ steps: [reading, pathRule("/")], words: ["fail=fstat"] });
    expect(lines).toEqual(failed("path-rule", 2, 1, "EXDEV", "/"));
  });
});
