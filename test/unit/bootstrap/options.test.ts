import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { optionNames } from "../../../src/bootstrap/command-line.ts";
import { type BootstrapCommand, parseBootstrap } from "../../../src/bootstrap/options.ts";
import { defaultNoProxy } from "../../../src/inside/request.ts";
import { emptyRequest } from "../../../src/landlock/request.ts";

const parse = (...args: string[]): BootstrapCommand => parseBootstrap(args, 2);

function refusal(...args: string[]): FenceError {
  try {
    parse(...args);
  } catch (error) {
    if (error instanceof FenceError && error.code === "FENCE_USAGE") return error;
    throw error;
  }
  throw new Error(`${args} was accepted`);
}

test("without options everything has its default", () => {
  expect(parse("program")).toEqual({
    help: false,
    debug: false,
    statusFd: null,
    plan: { kind: "none" },
    request: {
      bridges: [],
      hasHttpProxy: false,
      hasSocksProxy: false,
      environment: { clear: false, unset: [], set: [], noProxy: defaultNoProxy, allProxy: true },
      process: [],
      landlock: {
        mode: "required",
        request: emptyRequest,
        ignoreMissing: false,
        exactPaths: false,
      },
      seccomp: "default",
      init: false,
      verify: false,
      launcher: null,
      program: { kind: "original", first: 2, argv: ["program"] },
    },
  });
});

describe("each option", () => {
  const tcp = (port: number, host = "127.0.0.1") => ({ kind: "tcp", host, port });
  const unix = (path: string) => ({ kind: "unix", path });

  test.for<[args: string[], command: object]>([
    [["--bridge", "tcp:127.0.0.1:80=unix:/s"], { request: { bridges: [{ listen: tcp(80), connect: unix("/s") }] } }],
    [
      ["--http-proxy", "unix:/p"],
      { request: { hasHttpProxy: true, bridges: [{ listen: tcp(3128), connect: unix("/p") }] } },
    ],
    [
      ["--socks-proxy", "tcp:10.0.0.1:9"],
      { request: { hasSocksProxy: true, bridges: [{ listen: tcp(1080), connect: tcp(9, "10.0.0.1") }] } },
    ],
    [
      ["--allow-non-loopback", "--bridge", "tcp:[::]:80=unix:/s"],
      { request: { bridges: [{ listen: tcp(80, "::"), connect: unix("/s") }] } },
    ],
    [["--no-proxy", "a,b"], { request: { environment: { noProxy: "a,b" } } }],
    [["--no-proxy="], { request: { environment: { noProxy: "" } } }],
    [["--no-all-proxy"], { request: { environment: { allProxy: false } } }],
    [["--env", "A=1=2"], { request: { environment: { set: [{ name: "A", value: "1=2" }] } } }],
    [["--env=A="], { request: { environment: { set: [{ name: "A", value: "" }] } } }],
    [["--unset-env", "A"], { request: { environment: { unset: ["A"] } } }],
    [["--clear-env"], { request: { environment: { clear: true } } }],
    [["--chdir", "/srv"], { request: { process: [{ kind: "chdir", path: "/srv" }] } }],
    [["--ro", "/a"], { request: { landlock: { request: { rules: [{ access: "ro", path: "/a" }] } } } }],
    [["--rox", "/a"], { request: { landlock: { request: { rules: [{ access: "rox", path: "/a" }] } } } }],
    [["--rw", "/a"], { request: { landlock: { request: { rules: [{ access: "rw", path: "/a" }] } } } }],
    [["--rwx", "/a"], { request: { landlock: { request: { rules: [{ access: "rwx", path: "/a" }] } } } }],
    [["--unix", "/s"], { request: { landlock: { request: { unixSockets: ["/s"] } } } }],
    [["--bind-tcp", "0"], { request: { landlock: { request: { bindTcp: [0] } } } }],
    [["--connect-tcp", "65535"], { request: { landlock: { request: { connectTcp: [65535] } } } }],
    [["--bind-udp", "0"], { request: { landlock: { request: { bindUdp: [0] } } } }],
    [["--connect-udp", "53"], { request: { landlock: { request: { connectUdp: [53] } } } }],
    [
      ["--ro=/a", "--quiet", "/a", "--connect-udp=5", "--quiet=53", "--scope=signal", "--quiet=signal"],
      { request: { landlock: { request: { quiet: { paths: ["/a"], ports: [53], scopes: ["signal"] } } } } },
    ],
    [
      ["--ro=/a", "--landlock-log", "new-exec-on", "--landlock-log=subdomains-off"],
      { request: { landlock: { request: { log: ["new-exec-on", "subdomains-off"] } } } },
    ],
    [["--scope", "signal"], { request: { landlock: { request: { scopes: ["signal"] } } } }],
    [["--scope", "abstract-unix"], { request: { landlock: { request: { scopes: ["abstract-unix"] } } } }],
    [["--landlock", "best-effort"], { request: { landlock: { mode: "best-effort" } } }],
    [["--landlock=off"], { request: { landlock: { mode: "off" } } }],
    [["--ignore-missing"], { request: { landlock: { ignoreMissing: true } } }],
    [["--seccomp", "off"], { request: { seccomp: "off" } }],
    [["--seccomp", "strict"], { request: { seccomp: "strict" } }],
    [["--init"], { request: { init: true, verify: false } }],
    [["--verify"], { request: { init: false, verify: true } }],
    [["--plan", "/plan.json"], { plan: { kind: "file", path: "/plan.json" } }],
    [["--plan", "-"], { plan: { kind: "descriptor", fd: 0 } }],
    [["--plan-fd", "3"], { plan: { kind: "descriptor", fd: 3 } }],
    [["--status-fd", "3"], { statusFd: 3 }],
    [["--debug"], { debug: true }],
    [["--help"], { help: true }],
  ])("%o", ([args, command]) => {
    expect(parse(...args, "program")).toMatchObject(command);
    expect(parse(...args, "program").request.program).toEqual({
      kind: "original",
      first: 2 + args.length,
      argv: ["program"],
    });
  });

  test("is in the table above", ({ task }) => {
    const named = new Set((task.suite?.tasks ?? []).flatMap(({ name }) => name.match(/--[a-z-]+/g) ?? []));
    expect(optionNames.map((name) => `--${name}`).filter((option) => !named.has(option))).toEqual([]);
  });
});

test("repeatable options keep the order of the command line, across the kinds of rules too", () => {
  const { request } = parse("--ro", "/a", "--env=A=1", "--rwx", "/b", "--env=B=2", "--ro", "/c", "--env=A=3", "x");
  expect(request.landlock.request.rules.map(({ access, path }) => `${access} ${path}`)).toEqual([
    "ro /a",
    "rwx /b",
    "ro /c",
  ]);
  expect(request.environment.set.map(({ name, value }) => name + value)).toEqual(["A1", "B2", "A3"]);
});

describe("the program", () => {
  const programOf = (...args: string[]) => parse(...args).request.program;

  test("is the first word that is no option", () => {
    expect(programOf("--debug", "ls", "-l")).toEqual({ kind: "original", first: 3, argv: ["ls", "-l"] });
  });

  test("is what follows --, also when it looks like an option", () => {
    expect(programOf("--debug", "--", "--ro", "/x")).toEqual({ kind: "original", first: 4, argv: ["--ro", "/x"] });
    expect(programOf("--", "--")).toEqual({ kind: "original", first: 3, argv: ["--"] });
  });

  test("keeps a -- among its arguments", () => {
    expect(programOf("git", "log", "--", "x").argv).toEqual(["git", "log", "--", "x"]);
  });

  test("may be called - or nothing at all", () => {
    expect(programOf("-", "x").argv).toEqual(["-", "x"]);
    expect(programOf("", "x").argv).toEqual(["", "x"]);
  });

  test("may be absent: a plan can name it", () => {
    expect(programOf("--plan", "/p")).toEqual({ kind: "original", first: 4, argv: [] });
    expect(programOf("--debug", "--")).toEqual({ kind: "original", first: 4, argv: [] });
    expect(programOf()).toEqual({ kind: "original", first: 2, argv: [] });
  });

  test("may stand beside a plan: whether the plan names one is seen later", () => {
    expect(programOf("--plan", "/p", "ls").argv).toEqual(["ls"]);
  });
});

describe("a value", () => {
  test("stands behind = or is the next word, also one with a single -", () => {
    expect(parse("--env=A=b", "x").request).toEqual({
      ...parse("--env", "A=b", "y", "x").request,
      program: expect.anything(),
    });
    expect(refusal("--chdir", "-x", "y").message).toBe('--chdir must be an absolute path, got "-x"');
  });

  test("that starts with -- must stand behind =", () => {
    expect(parse("--no-proxy=--x", "y").request.environment.noProxy).toBe("--x");
    expect(refusal("--no-proxy", "--x", "y")).toMatchObject({
      message: "--no-proxy must be followed by a value",
      details: { hint: "a value that starts with -- is written --no-proxy=VALUE" },
    });
  });

  test("may be missing neither at the end nor before --", () => {
    expect(refusal("--chdir").message).toBe("--chdir must be followed by a value");
    expect(refusal("--chdir", "--", "x").message).toBe("--chdir must be followed by a value");
  });

  test("is refused where a flag stands", () => {
    expect(refusal("--debug=yes", "x").message).toBe('--debug must be given without a value, got "yes"');
    expect(refusal("--clear-env=", "x").message).toBe('--clear-env must be given without a value, got ""');
  });

  test("of bytes that are not UTF-8, which Node turns into U+FFFD, is refused", () => {
    expect(refusal("--ro", "/\ufffd", "x").message).toBe("--ro must be valid UTF-8 without U+FFFD, got other bytes");
    expect(parse("x", "\ufffd").request.program.argv).toEqual(["x", "\ufffd"]);
  });
});

describe("refused, with what was expected and what was given:", () => {
  test.for<[args: string[], message: string]>([
    [["--env", "=x"], "--env must be NAME=VALUE, got an empty NAME"],
    [["--env="], "--env must be NAME=VALUE, got a word without ="],
    [["--unset-env="], '--unset-env must be the name of a variable, got ""'],
    [["--chdir", "srv"], '--chdir must be an absolute path, got "srv"'],
    [["--chdir="], '--chdir must be an absolute path, got ""'],
    [["--chdir", `/${"x".repeat(4095)}`], `--chdir must be a path of at most 4095 bytes, got "/${"x".repeat(79)}…"`],
    [["--ro", "a"], '--ro must be an absolute path, got "a"'],
    [["--unix", "s"], '--unix must be an absolute path, got "s"'],
    [["--bind-tcp", "65536"], '--bind-tcp must be an integer from 0 to 65535, got "65536"'],
    [["--bind-tcp", "080"], '--bind-tcp must be an integer from 0 to 65535, got "080"'],
    [["--connect-tcp", "0"], '--connect-tcp must be an integer from 1 to 65535, got "0"'],
    [["--connect-tcp", "-1"], '--connect-tcp must be an integer from 1 to 65535, got "-1"'],
    [["--connect-tcp", "1e3"], '--connect-tcp must be an integer from 1 to 65535, got "1e3"'],
    [["--connect-tcp", " 1"], '--connect-tcp must be an integer from 1 to 65535, got " 1"'],
    [["--bind-udp", "65536"], '--bind-udp must be an integer from 0 to 65535, got "65536"'],
    [["--connect-udp", "0"], '--connect-udp must be an integer from 1 to 65535, got "0"'],
    [["--quiet", "a"], '--quiet must be an absolute path, a port, signal or abstract-unix, got "a"'],
    [["--quiet="], '--quiet must be an absolute path, a port, signal or abstract-unix, got ""'],
    [["--quiet", "70000"], '--quiet must be an integer from 0 to 65535, got "70000"'],
    [["--quiet", "/a"], '--quiet "/a" must stand beside a rule for files or Unix sockets'],
    [["--ro=/a", "--quiet", "1"], "--quiet 1 must stand beside a rule for ports"],
    [["--scope=signal", "--quiet", "abstract-unix"], "--quiet abstract-unix must stand beside --scope abstract-unix"],
    [["--landlock-log", "new-exec-on"], "--landlock-log must stand beside a Landlock rule"],
    [["--landlock-log", "off"], '--landlock-log must be same-exec-off or new-exec-on or subdomains-off, got "off"'],
    [["--scope", "signals"], '--scope must be signal or abstract-unix, got "signals"'],
    [["--landlock", "on"], '--landlock must be required or best-effort or off, got "on"'],
    [["--seccomp", "stict"], '--seccomp must be default or strict or off, got "stict"'],
    [["--status-fd", "2"], '--status-fd must be an integer from 3 to 1048576, got "2"'],
    [["--plan-fd", "1"], '--plan-fd must be 0, or 3 or more, got "1"'],
    [["--plan-fd", "x"], '--plan-fd must be an integer from 0 to 1048576, got "x"'],
    [
      ["--bridge", "tcp:127.0.0.1:1"],
      '--bridge must be LISTEN=CONNECT, each tcp:HOST:PORT or unix:PATH, got "tcp:127.0.0.1:1"',
    ],
    [
      ["--bridge", "tcp:0.0.0.0:80=unix:/s"],
      '--bridge must be a listener on a loopback address (127.0.0.0/8 or [::1]) or a Unix socket, got "tcp:0.0.0.0:80"',
    ],
    [
      ["--socks-proxy", "unix:/s", "--bridge", "tcp:127.0.0.1:1080=unix:/s"],
      '--bridge must be a listener of its own for each bridge, apart from "tcp:127.0.0.1:1080" of --socks-proxy, got "tcp:127.0.0.1:1080"',
    ],
    [
      ["--http-proxy", "tcp:127.0.0.1:3128"],
      '--http-proxy must be one that does not lead back to itself, got "tcp:127.0.0.1:3128=tcp:127.0.0.1:3128"',
    ],
    [["--env", "A=hunter2", "--unset-env=A"], '--env and --unset-env both name the variable "A"'],
    [["--http-proxy", "unix:p"], '--http-proxy must be unix:PATH with an absolute path, got "unix:p"'],
  ])("%o", ([args, message]) => {
    expect(refusal(...args, "program").message).toBe(message);
  });
});

describe("an unknown option is named, with the nearest valid one:", () => {
  test.for([
    ["--rod", "--ro"],
    ["--landlok=off", "--landlock"],
    ["--evn=A=b", "--env"],
    ["--unsetenv", "--unset-env"],
    ["-ro", "--ro"],
    ["-debug", "--debug"],
  ])("%s -> %s", ([given = "", nearest = ""]) => {
    const error = refusal(given, "x");
    expect(error.message).toBe(`unknown option "${given.split("=")[0]}"`);
    expect(error.details.hint).toBe(`did you mean ${nearest}?`);
  });

  test("-x is one, and the hint lists all", () => {
    const error = refusal("-x", "y");
    expect(error.message).toBe('unknown option "-x"');
    for (const name of optionNames) expect(error.details.hint).toContain(`--${name}`);
  });
});

describe("given twice", () => {
  test.for([
    ["--chdir", "/a", "/b"],
    ["--landlock", "off", "off"],
    ["--seccomp", "off", "default"],
    ["--no-proxy", "a", "a"],
    ["--http-proxy", "unix:/a", "unix:/b"],
    ["--status-fd", "3", "4"],
    ["--plan", "a", "b"],
  ])("%s is refused", ([option = "", one = "", other = ""]) => {
    expect(refusal(option, one, option, other, "x").message).toBe(`${option} must be given once, got it 2 times`);
  });

  test("a listener is refused, also that of a proxy", () => {
    const [one, other] = ["tcp:127.0.0.1:3128=unix:/a", "tcp:localhost:3128=unix:/b"];
    expect(refusal("--bridge", one, "--bridge", other, "x").message).toContain("a listener of its own for each bridge");
    expect(refusal("--http-proxy", "unix:/p", "--bridge", one, "x").message).toContain("a listener of its own");
  });

  test("a bridge of 201 is refused", () => {
    const bridges = (count: number) => Array.from({ length: count }, (_, i) => `--bridge=unix:/${i}=unix:/t`);
    expect(parse(...bridges(200), "x").request.bridges).toHaveLength(200);
    expect(refusal(...bridges(201), "x").message).toContain("at most 200 bridges, got 201");
    expect(refusal("--http-proxy=unix:/p", ...bridges(200), "x").message).toContain("at most 200 bridges");
  });

  test("a variable that is set and removed is refused, and its value not shown", () => {
    const error = refusal("--unset-env", "A", "--env", "A=hunter2", "x");
    expect(error.details.hint).toBe("--env alone replaces an inherited value");
    expect(error.message).not.toContain("hunter2");
  });
});

test.for([
  "--ro=/a",
  "--unix=/s",
  "--bind-tcp=1",
  "--connect-tcp=1",
  "--bind-udp=1",
  "--connect-udp=1",
  "--scope=signal",
])("--landlock=off beside %s is refused", (rule) => {
  expect(refusal("--landlock=off", rule, "x").message).toBe(
    "--landlock=off must stand without Landlock rules, got some",
  );
});

describe("a plan", () => {
  test("replaces the options, so none of them may stand beside it", () => {
    const beside = ["plan", "plan-fd", "status-fd", "debug", "help"];
    for (const name of optionNames.filter((option) => !beside.includes(option))) {
      const option = parses(`--${name}`) ? `--${name}` : `--${name}=${valueFor(name)}`;
      expect(refusal("--plan", "/p", option, "x")).toMatchObject({
        message: `--${name} cannot stand beside a plan`,
        details: { hint: "say it in the plan: a plan replaces the options" },
      });
    }
    expect(parse("--plan", "/p", "--status-fd=3", "--debug", "x").plan).toEqual({ kind: "file", path: "/p" });
  });

  test("comes from one place, and not from the descriptor of the reports", () => {
    expect(refusal("--plan", "/p", "--plan-fd", "3").message).toBe("--plan and --plan-fd exclude each other");
    expect(refusal("--plan-fd", "3", "--status-fd", "3").message).toBe(
      '--status-fd must be another descriptor than the plan\'s, got "3"',
    );
  });

  const parses = (option: string) => {
    try {
      parse(option, "x");
      return true;
    } catch {
      return false;
    }
  };
  const valueFor = (name: string) =>
    ({ bridge: "unix:/a=unix:/b", env: "A=b", scope: "signal", landlock: "off", seccomp: "off" })[name] ??
    (name.endsWith("proxy") ? "unix:/p" : name.endsWith("tcp") ? "1" : "/x");
});

describe("the value of a variable is in no message:", () => {
  test.for([
    ["--env", "hunter2"],
    ["--env", "=hunter2"],
    ["--env", "A=hunter2\ufffd"],
    ["--unset-env", "A=hunter2"],
    ["--evn=A=hunter2"],
    ["--evn", "A=hunter2"],
    ["--env=A=hunter2", "--env"],
    ["--env=A=hunter2", "--plan=/p"],
  ])("%o", (args) => {
    const { message, details } = refusal(...args);
    expect(`${message} ${details.hint}`).not.toContain("hunter2");
  });
});

describe("for any words", () => {
  const values = fc.constantFrom(
    "/a",
    "A=b",
    "A",
    "1",
    "0",
    "3",
    "off",
    "signal",
    "required",
    "unix:/s",
    "tcp:127.0.0.1:1=unix:/s",
    "-",
    "--",
    "",
  );
  const name = fc.constantFrom(...optionNames);
  const word = fc.oneof(
    name.map((option) => `--${option}`),
    fc.tuple(name, fc.oneof(values, fc.string())).map(([option, value]) => `--${option}=${value}`),
    values,
    fc.string(),
    fc.string().map((text) => `--${text}`),
    fc.string().map((text) => `-${text}`),
  );
  const words = fc.array(word, { maxLength: 8 });

  const outcome = (args: readonly string[]): BootstrapCommand | null => {
    try {
      return parseBootstrap(args, 2);
    } catch (error) {
      if (error instanceof FenceError && error.code === "FENCE_USAGE" && error.message.length < 1000) return null;
      throw error;
    }
  };

  test("there is a request, or FENCE_USAGE", () => {
    let requests = 0;
    fc.assert(
      fc.property(words, (args) => {
        if (outcome(args) !== null) requests++;
      }),
      { numRuns: 5000 },
    );
    expect(requests).toBeGreaterThan(100);
  });

  test("the program and its arguments are the last words, unchanged", () => {
    fc.assert(
      fc.property(words, (args) => {
        const command = outcome(args);
        if (command === null) return;
        const { program } = command.request;
        if (program.kind !== "original") throw new Error("a program of a plan");
        expect(args.slice(program.first - 2)).toEqual(program.argv);
      }),
      { numRuns: 2000 },
    );
  });

  test("what follows the program changes nothing before it", () => {
    fc.assert(
      fc.property(words, words, (before, after) => {
        const [short, long] = [
          [...before, "--", "program"],
          [...before, "--", "program", ...after],
        ].map(outcome);
        if (short === null || short === undefined || !short.request.program.argv.includes("program")) return;
        const programs = [short.request.program.argv, long?.request.program.argv];
        expect({ ...long, request: { ...long?.request, program: null } }).toEqual({
          ...short,
          request: { ...short.request, program: null },
        });
        expect(programs[1]).toEqual([...(programs[0] ?? []), ...after]);
      }),
      { numRuns: 2000 },
    );
  });
});
