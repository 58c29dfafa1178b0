import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { parseBootstrap } from "../../../src/bootstrap/options.ts";
import { parseJsonPlan } from "../../../src/inside/json-plan.ts";
import type { BootstrapRequest, ProgramRequest } from "../../../src/inside/request.ts";
import { resourceLimits } from "../../../src/inside/resource-limits.ts";
import type { Json } from "../../../src/plan/schema.ts";
import {
  asOptions,
  asPlan,
  bothSay,
  isPlan,
  noProgram as nowhere,
  planBytes,
  spoiledPlans,
  wholePlans,
} from "../../kit/json-plans.ts";

const onCommandLine: ProgramRequest = { kind: "original", first: 4, argv: ["ls", "-l"] };

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

test("a plan may ask for listeners beyond loopback, and is told how when it did not", () => {
  const bridges = [{ listen: "tcp:0.0.0.0:80", connect: "unix:/a" }];
  const listen = { kind: "tcp", host: "0.0.0.0", port: 80 };
  expect(parse({ nonLoopbackListeners: true, bridges }).bridges).toMatchObject([{ listen }]);
  expect(refusal({ bridges }).details.hint).toContain('if you mean it, add "nonLoopbackListeners": true');
});

test("a bridge may be on a listener that somebody handed over, and say that it has reached its target", () => {
  const [listen, connect] = ["fd:7", "tcp:127.0.0.1:8080"];
  const read = {
    listen: { kind: "descriptor", descriptor: 7 },
    connect: { kind: "tcp", host: "127.0.0.1", port: 8080 },
  };
  expect(parse({ bridges: [{ listen, connect }] }).bridges).toEqual([read]);
  expect(parse({ bridges: [{ listen, connect, acknowledge: false }] }).bridges).toEqual([read]);
  expect(parse({ bridges: [{ listen, connect, acknowledge: true }] }).bridges).toEqual([
    { ...read, acknowledge: true },
  ]);
  expect(refusal({ bridges: [{ listen: connect, connect: listen }] }).message).toBe(
    'plan.bridges[0].connect must be tcp:HOST:PORT or unix:PATH, got "fd:7"',
  );
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
      'plan.bridges[0].listen must be a listener of its own for each bridge, apart from "tcp:127.0.0.1:3128" of plan.httpProxy, got "tcp:127.0.0.1:3128"',
    ],
    [
      { socksProxy: "unix:/p", nonLoopbackListeners: true, bridges: [{ listen: "tcp:[::]:1080", connect: "unix:/a" }] },
      'plan.bridges[0].listen must be a listener of its own for each bridge, apart from "tcp:127.0.0.1:1080" of plan.socksProxy, got "tcp:[::]:1080"',
    ],
    [
      { httpProxy: "tcp:localhost:3128" },
      'plan.httpProxy must be one that does not lead back to itself, got "tcp:127.0.0.1:3128=tcp:127.0.0.1:3128"',
    ],
    [
      { bridges: [{ listen: "tcp:127.0.0.1:0", connect: "unix:/a" }] },
      'plan.bridges[0].listen must be tcp:HOST:PORT with a port from 1 to 65535, got "tcp:127.0.0.1:0"',
    ],
    [
      { bridges: [{ listen: "unix:/a\0b", connect: "unix:/a" }] },
      'plan.bridges[0].listen must be a string without NUL, got "unix:/a\\u0000b"',
    ],
    [
      { bridges: Array.from({ length: 201 }, (_, i) => ({ listen: `unix:/${i}`, connect: "unix:/a" })) },
      "plan.bridges must be a list of at most 200, got 201",
    ],
    [
      {
        httpProxy: "unix:/p",
        bridges: Array.from({ length: 200 }, (_, i) => ({ listen: `unix:/${i}`, connect: "unix:/a" })),
      },
      "plan.bridges[199].listen must be one of at most 200 bridges, got 201",
    ],
    [{ env: { A: "1" }, unsetEnv: ["B", "A"] }, 'plan.env and plan.unsetEnv both name the variable "A"'],
    [{ noProxy: ["a,b"] }, 'plan.noProxy[0] must be one host, without a comma, got "a,b"'],
    [{ noProxy: [""] }, 'plan.noProxy[0] must be one host, without a comma, got ""'],
    [{ nonLoopbackListeners: null }, "plan.nonLoopbackListeners must be true or false, got null"],
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
    [{ rlimits: { nofile: { soft: 2, hard: 1 } } }, 'plan.rlimits["nofile"].soft must not be above its hard limit'],
    [
      { rlimits: { nofile: { soft: "unlimited", hard: 1 } } },
      'plan.rlimits["nofile"].soft must not be above its hard limit',
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
    [{ seccomp: "on" }, 'plan.seccomp must be "default" or "strict" or "off", got "on"'],
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

  test.for([
    ["bridge", "bridges"],
    ["http-proxy", "httpProxy"],
    ["httpproxy", "httpProxy"],
    ["unset-env", "unsetEnv"],
    ["connectTCP", "connectTcp"],
    ["rlimit", "rlimits"],
  ])("the unknown key %s, with the nearest one", ([key = "", nearest]) => {
    expect(refusal({ [key]: [] }).details.hint).toBe(`did you mean ${nearest}?`);
  });

  test("an unknown key inside of another, with its place and the nearest one", () => {
    const error = refusal({
      rules: [
        { access: "ro", path: "/" },
        { access: "ro", pth: "/" },
      ],
    });
    expect(error.message).toBe('plan.rules[1] has the unknown key "pth"');
    expect(error.details.hint).toBe("did you mean path?");
  });

  test("a number that JSON rounds up to what is none", () => {
    for (const number of ["1e400", "9007199254740993", "-1e400"]) {
      const json = `{"version":1,"rlimits":{"cpu":{"soft":0,"hard":${number}}}}`;
      expect(() => parseJsonPlan(json, nowhere)).toThrow("must be an integer from 0 to 9007199254740991, got ");
    }
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

  test("whatever else is wrong with the plan", () => {
    const secret = fc.constantFrom<Json>("hunter2", "hunter2\0", ["hunter2"], { hunter2: "hunter2" });
    fc.assert(
      fc.property(spoiledPlans, secret, (plan, value) => {
        const json = JSON.stringify({ ...(plan as object), env: { TOKEN: value } });
        try {
          parseJsonPlan(json, nowhere);
        } catch (error) {
          const { message, details } = error as FenceError;
          expect(`${message} ${JSON.stringify(details)}`).not.toContain("hunter2");
        }
      }),
      { numRuns: 500 },
    );
  });

  test("not even when the plan is no JSON", () => {
    for (const json of ['{"env":{"A":hunter2}}', '{"env":{"A":"hunter2}}', '{"env":{"A":"hunter2"']) {
      expect(() => parseJsonPlan(json, nowhere)).toThrow(/^((?!hunter).)*$/);
    }
  });
});

test("options and a plan that say the same make equal requests", () => {
  fc.assert(
    fc.property(bothSay, (saying) => {
      const byOptions: BootstrapRequest = parseBootstrap([...asOptions(saying), "ls", "-l"], 2).request;
      expect(parseJsonPlan(JSON.stringify(asPlan(saying)), byOptions.program)).toEqual(byOptions);
    }),
    { numRuns: 500 },
  );
});

test("a plan may say everything at once, in any combination", () => {
  fc.assert(
    fc.property(wholePlans, (plan) => {
      expect(isPlan(Buffer.from(JSON.stringify(plan)))).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("any bytes are a plan or give FENCE_PLAN, in a short message", () => {
  let plans = 0;
  fc.assert(
    fc.property(planBytes, (bytes) => {
      if (isPlan(bytes)) plans++;
    }),
    { numRuns: 3000 },
  );
  expect(plans).toBeGreaterThan(100);
});
