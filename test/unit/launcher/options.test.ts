import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { optionNames } from "../../../src/base/command-line.ts";
import { FenceError } from "../../../src/base/errors.ts";
import { noOverrides } from "../../../src/config/overrides.ts";
import { parseRun } from "../../../src/launcher/options.ts";
import type { LaunchRequest } from "../../../src/launcher/request.ts";
import { runOptions } from "../../../src/launcher/run-options.ts";
import { failure } from "../../kit/errors.ts";

function request(...args: string[]): LaunchRequest {
  const command = parseRun(args);
  if (command.kind !== "launch") throw new Error(`${command.kind} instead of launch`);
  return command.request;
}

function refusal(...args: string[]): FenceError {
  const error = failure(() => parseRun(args));
  expect(error.code).toBe("FENCE_USAGE");
  return error;
}

const defaults: LaunchRequest = {
  action: { kind: "run" },
  policy: { settings: null, template: null, overrides: noOverrides },
  program: { kind: "words", argv: ["program"], at: 0 },
  backend: "bwrap",
  environment: { clear: false, unset: [], set: [] },
  directory: null,
  publish: [],
  httpProxy: null,
  socksProxy: null,
  fastPath: true,
  verify: false,
  monitor: false,
  debug: false,
  logFile: null,
  statusFd: null,
};

test("without options everything has its default", () => {
  expect(request("program")).toEqual(defaults);
});

const over = (overrides: object) => ({ policy: { overrides } });
const tcp = (port: number, host = "127.0.0.1") => ({ kind: "tcp", host, port });

const each: readonly [args: string[], request: object][] = [
  [["--settings", "f.json"], { policy: { settings: "f.json" } }],
  [["-s", "f.json"], { policy: { settings: "f.json" } }],
  [["--template=code"], { policy: { template: "code" } }],
  [["-tcode"], { policy: { template: "code" } }],
  [["--publish", "80"], { publish: [{ host: "127.0.0.1", hostPort: 80, port: 80 }] }],
  [["-p80", "-p=81"], { publish: [{ port: 80 }, { port: 81 }] }],
  [["--local-port", "5432", "--local-port=6379"], over({ localPorts: [5432, 6379] })],
  [["--http-proxy", "unix:/p"], { httpProxy: { kind: "unix", path: "/p" } }],
  [["--socks-proxy", "socks5h://[::1]:1080"], { socksProxy: tcp(1080, "::1") }],
  [["--allow-domain", "a.example"], over({ allowedDomains: ["a.example"] })],
  [["--deny-domain", "a.example"], over({ deniedDomains: ["a.example"] })],
  [["--allow-read", "a", "--allow-read", "b"], over({ allowRead: ["a", "b"] })],
  [["--allow-execute", "a"], over({ allowExecute: ["a"] })],
  [["--allow-write", "."], over({ allowWrite: ["."] })],
  [["--deny-read", "~/.ssh"], over({ denyRead: ["~/.ssh"] })],
  [["--deny-write", "a"], over({ denyWrite: ["a"] })],
  [["--mask", "a"], over({ mask: ["a"] })],
  [
    ["--env", "A=b=c", "--env", "B="],
    {
      environment: {
        set: [
          { name: "A", value: "b=c" },
          { name: "B", value: "" },
        ],
      },
    },
  ],
  [["--unset-env", "A"], { environment: { unset: ["A"] } }],
  [["--clear-env"], { environment: { clear: true } }],
  [["--chdir", "sub"], { directory: "sub" }],
  [["--isolation", "best-effort"], over({ isolation: "best-effort" })],
  [["--backend", "landlock"], { backend: "landlock" }],
  [["--no-fast-path"], { fastPath: false }],
  [["--force-new-session"], over({ forceNewSession: true })],
  [["--verify"], { verify: true }],
  [["--dry-run"], { action: { kind: "dry-run", form: "tree" } }],
  [["--json", "--dry-run"], { action: { kind: "dry-run", form: "json" } }],
  [["--status-fd", "3"], { statusFd: 3 }],
  [["--fence-log-file", "l"], { logFile: "l" }],
  [["--monitor"], { monitor: true }],
  [["-m"], { monitor: true }],
  [["-d"], { debug: true }],
  [["-dm"], { debug: true, monitor: true }],
  [["-mp80"], { monitor: true, publish: [{ port: 80 }] }],
  [["--debug"], { debug: true }],
];

describe("each option", () => {
  test.for(each)("%j", ([args, expected]) => {
    expect(request(...args, "program")).toMatchObject({ ...expected, program: { argv: ["program"], at: args.length } });
  });

  test("is among these", () => {
    const named = each
      .flatMap(([args]) => args)
      .filter((word) => word.startsWith("--"))
      .map((word) => word.replace(/=.*/s, ""));
    const others = ["--command", "--help", "--linux-features"];
    expect(new Set([...named, ...others])).toEqual(new Set(optionNames(runOptions).map((name) => `--${name}`)));
  });
});

describe("the program", () => {
  test("is the rest, unchanged, with or without --", () => {
    expect(request("-d", "npm", "-s", "--", "install").program).toEqual({
      kind: "words",
      argv: ["npm", "-s", "--", "install"],
      at: 1,
    });
    expect(request("-d", "--", "-x").program).toEqual({ kind: "words", argv: ["-x"], at: 2 });
  });

  test.for([["-c", "a && b"], ["--command", "a && b"], ["--command=a && b"], ["-ca && b"]])(
    "%j is for the shell",
    (args) => {
      expect(request(...args).program).toEqual({ kind: "shell", command: "a && b" });
    },
  );
});

test("-h and --help win over what is missing", () => {
  for (const help of ["-h", "--help"]) expect(parseRun([help])).toEqual({ kind: "help" });
  expect(parseRun(["-p", "80", "--help"])).toEqual({ kind: "help" });
});

test("--linux-features is fence check", () => {
  expect(parseRun(["--linux-features"])).toEqual({ kind: "check", json: false });
  expect(parseRun(["--linux-features", "--json"])).toEqual({ kind: "check", json: true });
});

describe("--publish", () => {
  test.for<[given: string, host: string, hostPort: number, port: number]>([
    ["8000:80", "127.0.0.1", 8000, 80],
    ["0:80", "127.0.0.1", 0, 80],
    ["0.0.0.0:80", "0.0.0.0", 80, 80],
    ["10.0.0.1:8000:80", "10.0.0.1", 8000, 80],
    ["[::1]:80", "::1", 80, 80],
    ["[0:0::1]:8000:80", "::1", 8000, 80],
    ["localhost:80", "127.0.0.1", 80, 80],
  ])("%s", ([given, host, hostPort, port]) => {
    expect(request("-p", given, "x").publish).toEqual([{ host, hostPort, port }]);
  });

  test.for([
    "",
    "0",
    "65536",
    "80:",
    ":80",
    "a:80",
    "example.com:80",
    "::1:80",
    "[::1]",
    "[x]:80",
    "1.2.3.4",
    "1.2.3:80",
    "080",
    "1:2:3",
  ])("%j is refused", (given) => {
    expect(refusal("-p", given, "x").message).toMatch(/--publish must be /);
  });

  test("the same port of the host twice is refused, any free port is not", () => {
    expect(refusal("-p80", "-p80:90", "x").message).toBe(
      "--publish must name each port of the host once, got 127.0.0.1:80 twice",
    );
    expect(request("-p0:80", "-p0:80", "x").publish).toHaveLength(2);
  });
});

describe("proxies", () => {
  test.for<[option: string, given: string, address: object]>([
    ["--http-proxy", "tcp:127.0.0.1:3128", tcp(3128)],
    ["--http-proxy", "http://127.0.0.1:3128", tcp(3128)],
    ["--http-proxy", "HTTP://localhost:3128/", tcp(3128)],
    ["--socks-proxy", "socks5://127.0.0.1:1080", tcp(1080)],
    ["--http-proxy", "http://proxy.example:3128", { kind: "name", name: "proxy.example", port: 3128 }],
  ])("%s %s", ([option, given, address]) => {
    expect(request(option, given, "x")).toMatchObject({
      [option === "--http-proxy" ? "httpProxy" : "socksProxy"]: address,
    });
  });

  test.for<[option: string, given: string, says: RegExp]>([
    [
      "--http-proxy",
      "socks5://127.0.0.1:1",
      /^--http-proxy must be tcp:HOST:PORT, unix:PATH or http:\/\/HOST:PORT, got/,
    ],
    [
      "--socks-proxy",
      "http://127.0.0.1:1",
      /^--socks-proxy must be tcp:HOST:PORT, unix:PATH or socks5:\/\/HOST:PORT, got/,
    ],
    ["--http-proxy", "http://proxy.example:http", /port/],
    ["--http-proxy", "http://127.0.0.1", /^--http-proxy must be/],
    ["--http-proxy", "http://127.0.0.1:80/x", /port from 1 to 65535/],
  ])("%s %s is refused", ([option, given, says]) => {
    expect(refusal(option, given, "x").message).toMatch(says);
  });

  test("a password is refused, and not shown", () => {
    const error = refusal("--http-proxy", "http://u:hunter2@127.0.0.1:80", "x");
    expect(`${error.message} ${error.details.hint}`).not.toContain("hunter2");
    expect(error.message).toMatch(/without a user name/);
  });
});

describe("these are refused:", () => {
  test.for<[args: string[], says: string]>([
    [[], "a program must follow the options, got none"],
    [["--dry-run"], "a program must follow the options, got none"],
    [["--"], "a program must follow the options, got none"],
    [[""], "a program must follow the options, got none"],
    [["-c", "a", "b"], '-c and the program "b" exclude each other'],
    [["-c", ""], "-c must be followed by a value, got an empty one"],
    [["-c"], "-c must be followed by a value"],
    [["-s", "a", "-t", "b", "x"], "--settings and --template exclude each other"],
    [["-s", "a", "-s", "b", "x"], "--settings must be given once, got it 2 times"],
    [["-s=", "x"], "--settings must be followed by a value, got an empty one"],
    [["--json", "x"], "--json must stand beside --dry-run or --linux-features"],
    [["--isolation", "off", "x"], '--isolation must be strict or best-effort, got "off"'],
    [["--backend", "docker", "x"], '--backend must be bwrap or landlock, got "docker"'],
    [["--status-fd", "2", "x"], '--status-fd must be an integer from 3 to 1048576, got "2"'],
    [["--local-port", "0", "x"], '--local-port must be an integer from 1 to 65535, got "0"'],
    [["--allow-read=", "x"], "--allow-read must be followed by a value, got an empty one"],
    [["--env", "A", "x"], "--env must be NAME=VALUE, got a word without ="],
    [["--env", "A=1", "--unset-env", "A", "x"], '--env and --unset-env both name the variable "A"'],
    [["--linux-features", "x"], '--linux-features must be given without a program, got "x"'],
    [["--linux-features", "-d"], "--linux-features and --debug exclude each other"],
    [["-d=1", "x"], '-d must be given without a value, got "1"'],
    [["-x", "x"], 'unknown option "-x"'],
    [["-dx", "x"], 'unknown option "-x"'],
    [["--chdir", "\ufffd", "x"], "--chdir must be valid UTF-8 without U+FFFD, got other bytes"],
  ])("%j", ([args, says]) => {
    expect(refusal(...args).message).toBe(says);
  });

  test("words of other tools, with what to write", () => {
    expect(refusal("--ro", "/", "x").details.hint).toMatch(/--allow-read PATH/);
    expect(refusal("--port", "80", "x").details.hint).toBe("--publish PORT, -p PORT");
    expect(refusal("--allow-reed", "/", "x").details.hint).toBe("did you mean --allow-read?");
    for (const hint of Object.values(runOptions.elsewhere)) {
      for (const option of hint.match(/^--[a-z-]+/g) ?? []) expect(optionNames(runOptions)).toContain(option.slice(2));
    }
  });
});

test("any words are a request, or FENCE_USAGE, and the program is the last of them", () => {
  const name = fc.constantFrom(...optionNames(runOptions));
  const value = fc.constantFrom("80", "a.example", "A=b", "/x", "strict", "bwrap", "unix:/p", "--", "-", "", "x");
  const word = fc.oneof(
    name.map((option) => `--${option}`),
    fc.tuple(name, fc.oneof(value, fc.string())).map(([option, text]) => `--${option}=${text}`),
    fc.constantFrom(...Object.keys(runOptions.short)).map((letter) => `-${letter}`),
    value,
    fc.string(),
    fc.string().map((text) => `-${text}`),
  );
  let launched = 0;
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (args) => {
      try {
        const command = parseRun(args);
        if (command.kind !== "launch" || command.request.program.kind !== "words") return;
        const { argv, at } = command.request.program;
        expect(args.slice(at)).toEqual(argv);
        expect(argv.length).toBeGreaterThan(0);
        launched++;
      } catch (error) {
        if (!(error instanceof FenceError) || error.code !== "FENCE_USAGE") throw error;
        expect(error.message.length).toBeLessThan(1000);
      }
    }),
    { numRuns: 5000 },
  );
  expect(launched).toBeGreaterThan(100);
});
