import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { arranged, bootstrap, folder, host, type Outcome, type RunOptions, run } from "../kit/sandbox.ts";

const longPath = `/${"p".repeat(107)}`;

/** What stands in the message: who is the culprit, and of what was given what is wrong with it. */
type Wrong<T> = readonly [given: T, ...says: readonly (string | RegExp)[]];

const wrongOptions: readonly Wrong<readonly string[]>[] = [
  [["--no-such-option"], 'unknown option "--no-such-option"'],
  [["--http-prox", "unix:/x"], 'unknown option "--http-prox"', "hint:  did you mean --http-proxy?"],
  [["--envv", "A=1"], 'unknown option "--envv"', "hint:  did you mean --env?"],
  [["--ROX", "/"], 'unknown option "--ROX"'],
  [["-x"], 'unknown option "-x"'],
  [["-ro", "/"], 'unknown option "-r'],
  [["--no-debug"], 'unknown option "--no-debug"'],
  [["--__proto__"], 'unknown option "--__proto__"'],
  [["--constructor=x"], 'unknown option "--constructor"'],

  [["--env"], "--env must be followed by a value"],
  [["--chdir", "--debug"], "--chdir must be followed by a value"],
  [["--bridge"], "--bridge must be followed by a value"],
  [["--debug=yes"], "--debug must", "without a value"],
  [["--clear-env=no"], "--clear-env must", "without a value"],
  [["--ignore-missing=1"], "--ignore-missing must", "without a value"],

  [["--env", "NOVALUE"], "--env must be NAME=VALUE"],
  [["--env", "=x"], "--env must be"],
  [["--env="], "--env must be NAME=VALUE"],
  [["--unset-env", "A=1"], "--unset-env must be the name of a variable"],
  [["--unset-env", ""], "--unset-env must be the name of a variable"],
  [["--chdir", "relative"], "--chdir must be an absolute path", '"relative"'],
  [["--chdir", "/", "--chdir", "/tmp"], "--chdir must be given once"],

  [["--ro", "relative"], "--ro must be an absolute path", '"relative"'],
  [["--rox", ""], "--rox must be an absolute path", '""'],
  [["--rw", "./x"], "--rw must be an absolute path", '"./x"'],
  [["--rwx", "~"], "--rwx must be an absolute path", '"~"'],
  [["--unix", "relative"], "--unix must be an absolute path", '"relative"'],
  [["--bind-tcp", "65536"], "--bind-tcp must be an integer from 0 to 65535", '"65536"'],
  [["--bind-tcp", "-1"], "--bind-tcp must be an integer from 0 to 65535", '"-1"'],
  [["--connect-tcp", "0"], "--connect-tcp must be an integer from 1 to 65535", '"0"'],
  [["--connect-tcp", "http"], "--connect-tcp must be an integer from 1 to 65535", '"http"'],
  [["--connect-tcp", "80 "], "--connect-tcp must be an integer"],
  [["--connect-tcp", "0x50"], "--connect-tcp must be an integer"],
  [["--connect-tcp", "1e3"], "--connect-tcp must be an integer"],
  [["--scope", "signals"], "--scope must be signal or abstract-unix", '"signals"', "hint:  did you mean signal?"],
  [["--landlock", "yes"], "--landlock must be required or best-effort or off", '"yes"'],
  [["--landlock=require", "--ro", "/"], "--landlock must be", "hint:  did you mean required?"],
  [["--landlock=off", "--landlock=required"], "--landlock must be given once"],
  [["--landlock=off", "--ro", "/"], "--landlock=off must stand without Landlock rules"],
  [["--landlock=off", "--connect-tcp", "1"], "--landlock=off must stand without Landlock rules"],
  [["--landlock=off", "--scope", "signal"], "--landlock=off must stand without Landlock rules"],
  [["--seccomp", "stict"], "--seccomp must be default or strict or off", '"stict"'],
  [["--ro", "/no/such/path"], "cannot open /no/such/path for a rule: open: ENOENT"],
  [["--rw", "/proc/self/no"], "cannot open /proc/self/no for a rule"],

  [["--bridge", "tcp:127.0.0.1:1"], "--bridge must be LISTEN=CONNECT", '"tcp:127.0.0.1:1"'],
  [["--bridge", "tcp:127.0.0.1:1=udp:x:1"], "--bridge must be"],
  [["--bridge", "tpc:127.0.0.1:1=tcp:127.0.0.1:2"], "--bridge must be", "hint:", "tcp"],
  [["--bridge", "tcp:0.0.0.0:1=unix:/x"], "--bridge must be", "loopback"],
  [["--bridge", "tcp:[::]:1=unix:/x"], "--bridge must be", "loopback"],
  [["--bridge", "tcp:127.0.0.1:0=unix:/x"], "--bridge must be", "a port from 1 to 65535"],
  [["--bridge", "tcp:127.0.0.1:65536=unix:/x"], "--bridge must be", "a port from 1 to 65535"],
  [["--bridge", "tcp:example.com:1=unix:/x"], "--bridge must be", '"tcp:example.com:1"'],
  [["--bridge", "unix:relative=tcp:127.0.0.1:1"], "--bridge must be", "absolute path", '"unix:relative"'],
  [["--bridge", "unix:@abstract=tcp:127.0.0.1:1"], "--bridge must be", '"unix:@abstract"'],
  [["--bridge", `unix:${longPath}=tcp:127.0.0.1:1`], "--bridge must be", "at most 107 bytes", "108 bytes"],
  [["--bridge", `tcp:127.0.0.1:1=unix:${longPath}`], "--bridge must be", "at most 107 bytes"],
  [
    ["--bridge", "tcp:127.0.0.1:4001=unix:/x", "--bridge", "tcp:localhost:4001=unix:/y"],
    "--bridge must be",
    '"tcp:127.0.0.1:4001"',
  ],
  [["--bridge", "tcp:127.0.0.1:4001=tcp:localhost:4001"], "--bridge must be", "does not lead back to itself"],
  [["--socks-proxy", "tcp:127.0.0.1:1080"], "--socks-proxy must be", "does not lead back to itself"],
  [
    ["--allow-non-loopback", "--bridge", "tcp:0.0.0.0:4001=unix:/x", "--bridge", "tcp:127.0.0.1:4001=unix:/y"],
    "--bridge must be a listener of its own",
  ],
  [["--allow-non-loopback=yes"], "--allow-non-loopback must be given without a value"],
  [["--env", "A=1", "--unset-env", "A"], "--env and --unset-env both name the variable", "hint:  --env alone"],
  [["--http-proxy", "unix:/x", "--bridge", "tcp:127.0.0.1:3128=unix:/y"], "--bridge", '"tcp:127.0.0.1:3128"'],
  [["--http-proxy", "http://127.0.0.1:1"], "--http-proxy must be tcp:HOST:PORT or unix:PATH"],
  [["--http-proxy", "unix:/x", "--http-proxy", "unix:/y"], "--http-proxy must be given once"],
  [["--socks-proxy", "/x"], "--socks-proxy must be tcp:HOST:PORT or unix:PATH", '"/x"'],

  [["--status-fd", "x"], "--status-fd must be an integer from 3", '"x"'],
  [["--status-fd", "1"], "--status-fd must be an integer from 3", '"1"'],
  [["--status-fd", "77"], "--status-fd must be an open descriptor", "77"],
  [["--plan-fd", "77"], "--plan-fd must be an open descriptor", "77"],
  [["--plan-fd", "2"], "--plan-fd must be", '"2"'],
  [["--plan-fd", "-1"], "--plan-fd must be", '"-1"'],
  [["--plan", "/no/such/plan"], "/no/such/plan: open: ENOENT"],
  [["--plan", "/"], "read: EISDIR"],
  [["--plan", "-", "--plan-fd", "3"], "--plan", "--plan-fd"],
  [["--plan", "-", "--ro", "/"], "--ro", "plan"],
  [["--env", "A=1", "--plan", "-"], "--env", "plan"],
  [["--seccomp=off", "--plan-fd", "3"], "--seccomp", "plan"],
];

const wrongPlans: readonly Wrong<string>[] = [
  ["", "the plan is not JSON"],
  ["{", "the plan is not JSON"],
  ['{"version":1} x', "the plan is not JSON"],
  ["[]", "plan must be an object"],
  ["null", "plan must be an object"],
  ["{}", "plan.version is missing"],
  ['{"version":2}', "plan.version must be", "got 2"],
  ['{"version":"1"}', "plan.version must be", 'got "1"'],
  ['{"version":1,"rule":[]}', 'plan has the unknown key "rule"', "hint:  did you mean rules?"],
  ['{"version":1,"__proto__":{}}', 'plan has the unknown key "__proto__"'],
  ['{"version":1,"toString":1}', 'plan has the unknown key "toString"'],
  ['{"version":1,"clearEnv":"yes"}', "plan.clearEnv must be true or false"],
  ['{"version":1,"clearEnv":null}', "plan.clearEnv must be true or false"],
  ['{"version":1,"env":{"A":1}}', /plan\.env\S*A\S* must be a string/],
  ['{"version":1,"env":["A=1"]}', "plan.env must be an object"],
  ['{"version":1,"env":{"A=B":"1"}}', "plan.env", "the name of a variable"],
  ['{"version":1,"env":{"":"1"}}', "plan.env", "the name of a variable"],
  ['{"version":1,"env":{"A":"\\u0000"}}', /plan\.env\S*A\S* must be a string without NUL/],
  ['{"version":1,"env":{"A":"\\ud800"}}', /plan\.env\S*A\S* must be a string of whole characters/],
  ['{"version":1,"unsetEnv":"A"}', "plan.unsetEnv must be a list"],
  ['{"version":1,"unsetEnv":["A=1"]}', "plan.unsetEnv[0] must be the name of a variable"],
  ['{"version":1,"chdir":"relative"}', "plan.chdir must be an absolute path", '"relative"'],
  ['{"version":1,"chdir":7}', "plan.chdir must be a string"],
  ['{"version":1,"umask":22}', "plan.umask must be"],
  ['{"version":1,"umask":"888"}', "plan.umask must be octal", '"888"'],
  ['{"version":1,"rlimits":{"files":{"soft":1,"hard":1}}}', "plan.rlimits", '"files"', "nofile"],
  ['{"version":1,"rlimits":{"nofile":{"soft":1}}}', /plan\.rlimits\S*nofile\S*\.hard is missing/],
  ['{"version":1,"rlimits":{"nofile":{"soft":2,"hard":1}}}', /plan\.rlimits\S*nofile\S*\.soft must/],
  ['{"version":1,"rlimits":{"nofile":{"soft":-1,"hard":1}}}', /plan\.rlimits\S*nofile\S*\.soft must be/, "-1"],
  ['{"version":1,"rlimits":{"nofile":{"soft":1.5,"hard":2}}}', /plan\.rlimits\S*nofile\S*\.soft must be/, "1.5"],
  ['{"version":1,"capabilities":"none"}', 'plan.capabilities must be "keep" or "drop"', '"none"'],
  ['{"version":1,"rules":[{"access":"r","path":"/"}]}', "plan.rules[0].access must be", '"rox"', 'got "r"'],
  ['{"version":1,"rules":[{"access":"ro","path":"x"}]}', "plan.rules[0].path must be an absolute path", '"x"'],
  ['{"version":1,"rules":[{"access":"ro","path":"/","x":1}]}', 'plan.rules[0] has the unknown key "x"'],
  ['{"version":1,"rules":[{"access":"ro","path":"/no/such"}]}', "cannot open /no/such for a rule"],
  ['{"version":1,"unixSockets":["x"]}', "plan.unixSockets[0] must be an absolute path"],
  ['{"version":1,"bindTcp":[65536]}', "plan.bindTcp[0] must be an integer from 0 to 65535", "65536"],
  ['{"version":1,"connectTcp":["80"]}', "plan.connectTcp[0] must be an integer from 1 to 65535", '"80"'],
  ['{"version":1,"scopes":["all"]}', 'plan.scopes[0] must be "signal" or "abstract-unix"', '"all"'],
  ['{"version":1,"landlock":"on"}', 'plan.landlock must be "required" or "best-effort" or "off"', '"on"'],
  ['{"version":1,"landlock":"off","bindTcp":[1]}', "off", "without Landlock rules"],
  ['{"version":1,"seccomp":false}', 'plan.seccomp must be "default" or "strict" or "off"'],
  ['{"version":1,"bridges":[{"listen":"tcp:127.0.0.1:1"}]}', "plan.bridges[0].connect is missing"],
  [
    '{"version":1,"bridges":[{"listen":"tcp:1.2.3.4:1","connect":"unix:/x"}]}',
    "plan.bridges[0].listen must be",
    "loopback",
  ],
  [
    '{"version":1,"bridges":[{"listen":"tcp:1.2.3.4:1","connect":"unix:/x"}]}',
    "plan.bridges[0].listen must be",
    'hint:  a bridge lets in whoever can connect; if you mean it, add "nonLoopbackListeners": true',
  ],
  ['{"version":1,"env":{"A":"s3cret"},"unsetEnv":["A"]}', 'plan.env and plan.unsetEnv both name the variable "A"'],
  [`{"version":1,"env":${"[".repeat(100_000)}`, "the plan must have lists and objects in each other at most 16 deep"],
  ['{"version":1,"httpProxy":"127.0.0.1:1"}', "plan.httpProxy must be tcp:HOST:PORT or unix:PATH"],
  [
    '{"version":1,"httpProxy":"unix:/x","bridges":[{"listen":"tcp:127.0.0.1:3128","connect":"unix:/y"}]}',
    "plan.bridges[0].listen must be a listener of its own for each bridge, apart from",
    "of plan.httpProxy, got",
    '"tcp:127.0.0.1:3128"',
  ],
  ['{"version":1,"noProxy":"localhost"}', "plan.noProxy must be a list"],
  ['{"version":1,"program":"/bin/true"}', "plan.program must be a list"],
  ['{"version":1,"program":["/bin/true"]}', "plan.program"],
];

/** The program would leave a mark, and print. */
async function refused(options: readonly string[], runOptions: RunOptions = {}): Promise<Outcome> {
  const mark = join(folder(), "started");
  const outcome = await bootstrap(host, options, [host.probe, "create", mark], runOptions);
  expect(outcome).toMatchObject({ status: 125, signal: null, stdout: "" });
  expect(existsSync(mark), "the program started").toBe(false);
  expect(outcome.stderr).toMatch(/^fence: [a-z-]/);
  expect(outcome.stderr).toMatch(/\n {2}code: {2}FENCE_[A-Z_]+\n$/);
  expect(outcome.stderr).not.toContain("FENCE_BUG");
  expect(outcome.stderr).not.toContain("    at ");
  return outcome;
}

test("the command line of these tests starts the program when nothing is wrong with it", async () => {
  const mark = join(folder(), "started");
  expect(await bootstrap(host, [], [host.probe, "create", mark])).toMatchObject({ status: 0, stderr: "" });
  expect(existsSync(mark)).toBe(true);
});

describe("an error of the command line names the culprit, and the program does not start:", () => {
  test.for(wrongOptions)("%j", async ([options, ...says]) => {
    const { stderr } = await refused(options);
    for (const words of says) expect(stderr).toMatch(words);
  });

  test("a word after -- is never an option", async () => {
    const outcome = await bootstrap(host, [], ["--help"]);
    expect(outcome).toMatchObject({ status: 127, stdout: "" });
  });

  test.for([
    [[], "no PROGRAM was named"],
    [["--"], "no PROGRAM was named"],
    [["--ro", "/"], "no PROGRAM was named"],
    [["--plan", "-"], "no PROGRAM was named"],
  ] as const)("without a program: %j", async ([args, says]) => {
    const outcome = await run([host.fence, "bootstrap", ...args], { input: '{"version":1}' });
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toContain(says);
  });

  test.for([
    [[], "no command and no program was given"],
    [["--bootstrap"], 'unknown option "--bootstrap"'],
    [["--version", "--jsno"], "--jsno"],
    [["--help", "bootstrap-me"], "bootstrap-me"],
  ] as const)("fence %j", async ([args, says]) => {
    const outcome = await run([host.fence, ...args]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toMatch(says);
  });

  test("fence bootsrap, which is no program either", async () => {
    const { status, stderr } = await run([host.fence, "bootsrap"]);
    expect(status).toBe(127);
    expect(stderr).toMatch(/cannot find "bootsrap" in PATH[\s\S]*did you mean the command fence bootstrap\?/);
  });
});

describe("an error of the plan names the culprit, and the program does not start:", () => {
  test.for(wrongPlans)("%s", async ([plan, ...says]) => {
    const { stderr } = await refused(["--plan-fd", "3"], { input3: plan });
    for (const words of says) expect(stderr).toMatch(words);
  });

  test("a plan that is not UTF-8", async () => {
    const { stderr } = await refused(["--plan-fd", "3"], {
      input3: Buffer.from('{"version":1,"chdir":"/\xff"}', "latin1"),
    });
    expect(stderr).toContain("is not valid UTF-8");
  });

  test("a plan that is too large", async () => {
    const { stderr } = await refused(["--plan-fd", "3"], { input3: `{"version":1}${" ".repeat((16 << 20) + 1)}` });
    expect(stderr).toContain("16777216 bytes");
  });

  test("a plan on a closed standard input", async () => {
    const mark = join(folder(), "started");
    const start = arranged(host, "close", "0");
    const outcome = await bootstrap(start, ["--plan", "-"], [host.probe, "create", mark]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(existsSync(mark)).toBe(false);
  });
});

test("the value of a variable is not in the message about it", async () => {
  const plan = '{"version":1,"env":{"TOKEN":"s3cret","A=B":"s3cret"}}';
  for (const { stderr } of [
    await refused(["--env", "=s3cret"]),
    await refused(["--plan-fd", "3"], { input3: plan }),
    await refused(["--env", "TOKEN=s3cret", "--no-such-option"]),
  ])
    expect(stderr).not.toContain("s3cret");
});

test("status and plan descriptors in messages are the caller's numbers", async () => {
  const status = await run([host.arrange, "open", "5", "/dev/null", "--", ...startWith("--status-fd", "5")]);
  expect(status).toMatchObject({ status: 125, stdout: "" });
  expect(status.stderr).toContain("cannot write to status descriptor 5: write: EBADF");

  const plan = await run([host.arrange, "open", "5", "/", "--", ...startWith("--plan-fd", "5")]);
  expect(plan).toMatchObject({ status: 125, stdout: "" });
  expect(plan.stderr).toContain("cannot read the plan descriptor 5: read: EISDIR");
});

test("a status descriptor that is full ends fence before the program starts", async () => {
  const full = await run([host.arrange, "open-write", "5", "/dev/full", "--", ...startWith("--status-fd", "5")]);
  expect(full).toMatchObject({ status: 125, stdout: "" });
  expect(full.stderr).toContain("ENOSPC");
});

test("one descriptor cannot be status and plan", async () => {
  const plan = join(folder(), "plan");
  writeFileSync(plan, '{"version":1}');
  const both = startWith("--status-fd", "5", "--plan-fd", "5");
  const outcome = await run([host.arrange, "open", "5", plan, "--", ...both]);
  expect(outcome).toMatchObject({ status: 125, stdout: "" });
  expect(outcome.stderr).toMatch(/--(status|plan)-fd must be/);
});

function startWith(...options: readonly string[]): string[] {
  return [host.fence, "bootstrap", ...options, "--", host.probe, "facts"];
}

describe("help is no error:", () => {
  test.for([[["--help"]], [["bootstrap", "--help"]], [["bridge", "--help"]]] as const)("fence %j", async ([args]) => {
    const outcome = await run([host.fence, ...args]);
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    expect(outcome.stdout).toContain("Usage:");
  });

  test("after other options too", async () => {
    const outcome = await bootstrap(host, ["--debug", "--help"], [host.probe, "facts"]);
    expect(outcome).toMatchObject({ status: 0 });
    expect(outcome.stdout).toContain("Usage:");
  });
});
