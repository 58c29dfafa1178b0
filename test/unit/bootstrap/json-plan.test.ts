import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { parseJsonPlan } from "../../../src/bootstrap/json-plan.ts";
import { parseBootstrap } from "../../../src/bootstrap/options.ts";
import type { BootstrapRequest, ProgramRequest } from "../../../src/bootstrap/request.ts";
import { resourceLimits } from "../../../src/bootstrap/resource-limits.ts";

const onCommandLine: ProgramRequest = { kind: "original", first: 4, argv: ["ls", "-l"] };
const nowhere: ProgramRequest = { kind: "original", first: 4, argv: [] };

const parse = (plan: object, program: ProgramRequest = onCommandLine) =>
  parseJsonPlan(JSON.stringify({ version: 1, ...plan }), program);

function refusal(plan: object, program: ProgramRequest = onCommandLine): FenceError {
  try {
    parse(plan, program);
  } catch (error) {
    if (error instanceof FenceError && error.code === "FENCE_PLAN") return error;
    throw error;
  }
  throw new Error("it was accepted");
}

test("a plan that says only its version asks for what no options ask for", () => {
  expect(parse({})).toEqual({ ...parseBootstrap(["ls", "-l"], 2).request, program: onCommandLine });
});

describe("what only a plan can say", () => {
  test.for<[plan: object, request: object]>([
    [{ umask: "022" }, { process: [{ kind: "umask", mask: 0o22 }] }],
    [{ umask: "0777" }, { process: [{ kind: "umask", mask: 0o777 }] }],
    [{ umask: null }, { process: [] }],
    [{ capabilities: "drop" }, { process: [{ kind: "drop-capabilities" }] }],
    [{ capabilities: "keep" }, { process: [] }],
    [
      { rlimits: { nofile: { soft: 10, hard: "unlimited" }, cpu: { soft: 0, hard: 0 } } },
      {
        process: [
          { kind: "rlimit", resource: 7, soft: 10n, hard: 2n ** 64n - 1n },
          { kind: "rlimit", resource: 0, soft: 0n, hard: 0n },
        ],
      },
    ],
  ])("%o", ([plan, request]) => {
    expect(parse(plan)).toMatchObject(request);
  });

  test("is the program too, unless the command line names one", () => {
    expect(parse({ program: ["/bin/ls", ""] }, nowhere).program).toEqual({ kind: "plan", argv: ["/bin/ls", ""] });
    expect(parse({ program: [] }).program).toEqual(onCommandLine);
    expect(refusal({ program: ["/bin/ls"] }).message).toBe("plan.program and the command line both name a program");
  });
});

test("every resource limit has its name", () => {
  for (const [resource, name] of resourceLimits.entries()) {
    expect(parse({ rlimits: { [name]: { soft: 1, hard: 1 } } }).process).toEqual([
      { kind: "rlimit", resource, soft: 1n, hard: 1n },
    ]);
  }
});

describe("refused, with what was expected and what was given:", () => {
  test.for<[plan: object, message: string]>([
    [{ version: 2 }, "plan.version must be 1, got 2"],
    [{ bridge: [] }, 'plan has the unknown key "bridge"'],
    [{ bridges: [{ listen: "unix:/a" }] }, "plan.bridges[0].connect is missing"],
    [
      { bridges: [{ listen: "tcp:10.0.0.1:1", connect: "unix:/a" }] },
      'plan.bridges[0].listen must be a listener on a loopback address (127.0.0.0/8 or [::1]) or a Unix socket, got "tcp:10.0.0.1:1"',
    ],
    [
      { httpProxy: "unix:/p", bridges: [{ listen: "tcp:127.0.0.1:3128", connect: "unix:/a" }] },
      'plan.bridges must be a listener of its own for each bridge, got "tcp:127.0.0.1:3128"',
    ],
    [{ socksProxy: "" }, 'plan.socksProxy must be tcp:HOST:PORT or unix:PATH, got ""'],
    [{ noProxy: "a,b" }, 'plan.noProxy must be a list, got "a,b"'],
    [{ allProxy: null }, "plan.allProxy must be true or false, got null"],
    [{ env: [] }, "plan.env must be an object, got a list"],
    [{ env: { "": "x" } }, 'a key of plan.env must be the name of a variable, got ""'],
    [{ env: { A: 1 } }, 'plan.env["A"] must be a string'],
    [{ env: { A: "\0" } }, 'plan.env["A"] must be a string without NUL'],
    [{ env: { "A\0": "" } }, 'a key of plan.env must be a string without NUL, got "A\\u0000"'],
    [{ unsetEnv: [""] }, 'plan.unsetEnv[0] must be the name of a variable, got ""'],
    [{ chdir: "srv" }, 'plan.chdir must be an absolute path, got "srv"'],
    [{ umask: 18 }, "plan.umask must be a string, got 18"],
    [{ umask: "8" }, 'plan.umask must be octal digits such as "022", got "8"'],
    [{ umask: "1000" }, 'plan.umask must be octal digits such as "022", got "1000"'],
    [{ rlimits: { nofile: { soft: 1 } } }, 'plan.rlimits["nofile"].hard is missing'],
    [
      { rlimits: { nofile: { soft: -1, hard: 1 } } },
      'plan.rlimits["nofile"].soft must be an integer from 0 to 9007199254740991, got -1',
    ],
    [
      { rlimits: { nofile: { soft: "infinity", hard: 1 } } },
      'plan.rlimits["nofile"].soft must be a number or "unlimited", got "infinity"',
    ],
    [{ rlimits: { nofile: { soft: 2, hard: 1 } } }, "plan.rlimits.nofile.soft must not be above its hard limit"],
    [
      { rlimits: { nofile: { soft: "unlimited", hard: 1 } } },
      "plan.rlimits.nofile.soft must not be above its hard limit",
    ],
    [{ capabilities: "none" }, 'plan.capabilities must be "keep" or "drop", got "none"'],
    [{ rules: [{ access: "r", path: "/" }] }, 'plan.rules[0].access must be "ro" or "rox" or "rw" or "rwx", got "r"'],
    [{ rules: [{ access: "ro", path: "a" }] }, 'plan.rules[0].path must be an absolute path, got "a"'],
    [{ unixSockets: ["s"] }, 'plan.unixSockets[0] must be an absolute path, got "s"'],
    [{ bindTcp: [65536] }, "plan.bindTcp[0] must be an integer from 0 to 65535, got 65536"],
    [{ connectTcp: [0] }, "plan.connectTcp[0] must be an integer from 1 to 65535, got 0"],
    [{ scopes: ["net"] }, 'plan.scopes[0] must be "signal" or "abstract-unix", got "net"'],
    [{ landlock: true }, 'plan.landlock must be "required" or "best-effort" or "off", got true'],
    [{ landlock: "off", scopes: ["signal"] }, "plan.landlock=off must stand without Landlock rules, got some"],
    [{ ignoreMissing: 1 }, "plan.ignoreMissing must be true or false, got 1"],
    [{ seccomp: "on" }, 'plan.seccomp must be "default" or "off", got "on"'],
    [{ program: "ls" }, 'plan.program must be a list, got "ls"'],
    [{ program: ["ls", 1] }, "plan.program[1] must be a string, got 1"],
  ])("%o", ([plan, message]) => {
    expect(refusal(plan, nowhere).message).toBe(message);
  });

  test("an unknown resource limit, with the nearest one", () => {
    const error = refusal({ rlimits: { nofiles: { soft: 1, hard: 1 } } });
    expect(error.message).toMatch(/^a key of plan.rlimits must be "cpu" or .*, got "nofiles"$/);
    expect(error.details.hint).toBe("did you mean nofile?");
  });

  test("a plan without a version, or that is no object", () => {
    for (const json of ["{}", "[]", "1", "null", '"plan"']) {
      expect(() => parseJsonPlan(json, nowhere)).toThrow(expect.objectContaining({ code: "FENCE_PLAN" }));
    }
  });
});

describe("the value of a variable is in no message:", () => {
  test.for<object>([
    { env: { A: "hunter2\0" } },
    { env: { A: ["hunter2"] } },
    { env: { "A=hunter2": "" } },
    { unsetEnv: ["A=hunter2"] },
  ])("%o", (plan) => {
    const { message, details } = refusal(plan);
    expect(`${message} ${details.hint}`).not.toContain("hunter2");
  });

  test("not even when the plan is no JSON", () => {
    for (const json of ['{"env":{"A":hunter2}}', '{"env":{"A":"hunter2}}', '{"env":{"A":"hunter2"']) {
      expect(() => parseJsonPlan(json, nowhere)).toThrow(/^((?!hunter).)*$/);
    }
  });
});

/** What options and plans can both say. */
const port = fc.integer({ min: 1, max: 65535 });
const path = fc.string({ unit: "binary", maxLength: 20 }).map((text) => `/${text.replace(/[\0\ufffd]/g, "_")}`);
const word = path.map((text) => text.slice(1));
const name = word.map((text) => `N${text.replaceAll("=", "_")}`);
const address = fc.oneof(
  port.map((number) => `tcp:127.0.0.1:${number}`),
  path.map((text) => `unix:${text}`),
);

const sayings = fc.record({
  bridges: fc.uniqueArray(
    fc.record({ listen: fc.integer({ min: 4000, max: 65535 }).map((n) => `tcp:127.0.0.1:${n}`), connect: address }),
    {
      selector: ({ listen }) => listen,
      maxLength: 3,
    },
  ),
  httpProxy: fc.option(address),
  socksProxy: fc.option(address),
  noProxy: fc.option(
    fc.array(
      word.map((text) => text.replaceAll(",", "_")),
      { maxLength: 3 },
    ),
  ),
  allProxy: fc.boolean(),
  env: fc.uniqueArray(fc.tuple(name, word), { selector: ([key]) => key, maxLength: 3 }),
  unsetEnv: fc.array(name, { maxLength: 3 }),
  clearEnv: fc.boolean(),
  chdir: fc.option(path),
  rules: fc.array(fc.record({ access: fc.constantFrom("ro", "rox", "rw", "rwx"), path }), { maxLength: 4 }),
  unixSockets: fc.array(path, { maxLength: 2 }),
  bindTcp: fc.array(fc.nat({ max: 65535 }), { maxLength: 2 }),
  connectTcp: fc.array(port, { maxLength: 2 }),
  scopes: fc.array(fc.constantFrom("signal", "abstract-unix"), { maxLength: 2 }),
  landlock: fc.constantFrom("required", "best-effort", "off"),
  ignoreMissing: fc.boolean(),
  seccomp: fc.constantFrom("default", "off"),
  init: fc.boolean(),
  verify: fc.boolean(),
});
type Said = typeof sayings extends fc.Arbitrary<infer T> ? T : never;

/** Landlock is on wherever there is a rule. */
const said = sayings.map((plan): Said => {
  const { rules, unixSockets, bindTcp, connectTcp, scopes } = plan;
  const hasRules = [rules, unixSockets, bindTcp, connectTcp, scopes].some(({ length }) => length > 0);
  return hasRules && plan.landlock === "off" ? { ...plan, landlock: "required" } : plan;
});

function asJson({ env, noProxy, ...rest }: Said): object {
  return { version: 1, ...rest, ...(noProxy !== null && { noProxy }), env: Object.fromEntries(env) };
}

function asOptions(plan: Said): string[] {
  const one = (option: string, value: unknown) => (value === null ? [] : [`--${option}=${value}`]);
  const many = (option: string, values: readonly unknown[]) => values.flatMap((value) => one(option, value));
  return [
    ...many(
      "bridge",
      plan.bridges.map(({ listen, connect }) => `${listen}=${connect}`),
    ),
    ...one("http-proxy", plan.httpProxy),
    ...one("socks-proxy", plan.socksProxy),
    ...one("no-proxy", plan.noProxy?.join(",") ?? null),
    ...(plan.allProxy ? [] : ["--no-all-proxy"]),
    ...many(
      "env",
      plan.env.map(([key, value]) => `${key}=${value}`),
    ),
    ...many("unset-env", plan.unsetEnv),
    ...(plan.clearEnv ? ["--clear-env"] : []),
    ...one("chdir", plan.chdir),
    ...plan.rules.map((rule) => `--${rule.access}=${rule.path}`),
    ...many("unix", plan.unixSockets),
    ...many("bind-tcp", plan.bindTcp),
    ...many("connect-tcp", plan.connectTcp),
    ...many("scope", plan.scopes),
    ...one("landlock", plan.landlock),
    ...(plan.ignoreMissing ? ["--ignore-missing"] : []),
    ...one("seccomp", plan.seccomp),
    ...(plan.init ? ["--init"] : []),
    ...(plan.verify ? ["--verify"] : []),
  ];
}

test("options and a plan that say the same make equal requests", () => {
  fc.assert(
    fc.property(said, (plan) => {
      const options = asOptions(plan);
      const byOptions: BootstrapRequest = parseBootstrap([...options, "ls", "-l"], 2).request;
      expect(parseJsonPlan(JSON.stringify(asJson(plan)), byOptions.program)).toEqual(byOptions);
    }),
    { numRuns: 500 },
  );
});

test("any JSON is a request or gives FENCE_PLAN", () => {
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom("unix:/a", "tcp:127.0.0.1:1", "022", "off", ["/x"], [{}], {}),
  );
  const keys = [
    ..."version bridges httpProxy socksProxy noProxy allProxy env unsetEnv clearEnv chdir umask rlimits".split(" "),
    ..."capabilities rules unixSockets bindTcp connectTcp scopes landlock ignoreMissing seccomp init verify program other".split(
      " ",
    ),
  ];
  const spoiled = fc
    .tuple(said, fc.dictionary(fc.constantFrom(...keys), anything, { maxKeys: 2 }))
    .map(([plan, changes]) => ({ ...asJson(plan), ...changes }));
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), spoiled), (plan) => {
      try {
        parseJsonPlan(JSON.stringify(plan), nowhere);
      } catch (error) {
        expect(error).toMatchObject({ name: "FenceError", code: "FENCE_PLAN" });
      }
    }),
    { numRuns: 3000 },
  );
});

test("any text is a request or gives FENCE_PLAN", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.json().map((json) => json.slice(1)),
  );
  fc.assert(
    fc.property(text, (json) => {
      expect(() => parseJsonPlan(json, nowhere)).toThrow(expect.objectContaining({ code: "FENCE_PLAN" }));
    }),
  );
});
