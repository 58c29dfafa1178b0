import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { homeFolder, type LaunchOptions, launch, launchCommand, launched, users } from "../kit/launched.ts";
import { markerLibrary, probe } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";
import { type Json, json } from "../kit/sandbox.ts";

beforeEach(requires("bwrap"));

const signals = { hup: "1", int: "2", pipe: "13", term: "15", chld: "17", usr1: "10", tstp: "20", rt: "40" };

/** What differs by design: it is another process, in a PID namespace of its own, and may do less. */
const documented = {
  ...{ pid: expect.any(Number), ppid: 1, pgid: 0, sid: 0 },
  ...{ noNewPrivs: 1, seccompMode: 2, parentDeathSignal: 9 },
};

async function facts(options: LaunchOptions): Promise<Json> {
  const outcome = await launched([probe, "facts"], options);
  expect(outcome).toMatchObject({ status: 0, stderr: "" });
  return json({ ...outcome, pid: 0, output4: "" });
}

/** The program's facts are those of a direct exec with fence's variable, but for what is documented. */
async function same({ arranged = [], home = homeFolder(), ...rest }: LaunchOptions): Promise<Json> {
  const options = { ...rest, home };
  const twin = [...arranged, "add-variable", "FENCE_SANDBOX=1"];
  const direct = await facts({ ...options, options: [], arranged: twin, through: "nothing" });
  const found = await facts({ ...options, arranged });
  const expected = { ...direct, ...documented };
  for (const [name, value] of Object.entries(found)) {
    if (name.startsWith("capabilities")) expect(value, name).toMatch(/^0+$/);
    else if (name === "descriptors") expect(value).toEqual(direct.descriptors.filter(({ fd }: Json) => fd <= 2));
    else if (name !== "envHash") expect(value, name).toEqual(expected[name]);
  }
  expect(Object.keys(found)).toEqual(Object.keys(direct));
  return found;
}

describe.for(users)("as %s the program's facts are those of a direct exec, with", (user) => {
  beforeEach(requires("root", "unprivileged bwrap", "setpriv"));

  test.for<{ readonly what: string; readonly arranged: readonly string[] }>([
    { what: "nothing special", arranged: [] },
    { what: "SIGHUP ignored, as nohup leaves it", arranged: ["ignore", signals.hup] },
    { what: "SIGPIPE and SIGCHLD ignored", arranged: ["ignore", signals.pipe, "ignore", signals.chld] },
    {
      what: "INT, TERM, TSTP and a real-time signal ignored",
      arranged: [signals.int, signals.term, signals.tstp, signals.rt].flatMap((signal) => ["ignore", signal]),
    },
    { what: "SIGCHLD blocked and ignored", arranged: ["block", signals.chld, "ignore", signals.chld] },
    { what: "USR1 and INT blocked", arranged: ["block", signals.usr1, "block", signals.int] },
    { what: "every signal blocked", arranged: ["block-mask", "0xffffffffffffffff"] },
    { what: "umask 0077", arranged: ["umask", "0077"] },
    { what: "umask 0", arranged: ["umask", "0"] },
    { what: "100 open files at most", arranged: ["limit", "7", "100", "200"] },
    { what: "a small stack", arranged: ["limit", "3", "1048576", "8388608"] },
    {
      what: "a limit on CPU time and memory",
      arranged: ["limit", "0", "100", "200", "limit", "9", String(2 ** 36), "-1"],
    },
    { what: "open descriptors", arranged: ["open", "3", "/", "open", "7", "/etc/passwd", "open", "99", "/"] },
  ])("$what", async ({ arranged }) => {
    await same({ user, arranged });
  });
});

test("its niceness is the caller's", async () => {
  const nice = ["nice", "-n", "7", ...launchCommand(["nice"])];
  expect(await launched(nice, { through: "nothing" })).toMatchObject({ status: 0, stdout: "7\n" });
});

describe("the standard streams", () => {
  /** Opens a file as descriptor 9 and writes the facts to it: there may be no standard output. */
  const telling = (file: string) => ["/bin/sh", "-c", `exec 9> "$0"; exec "$1" to-descriptor 9 facts`, file, probe];

  test.for([["0"], ["1"], ["2"], ["0", "2"], ["1", "2"], ["0", "1", "2"]])(
    "that are closed stay closed: %s",
    async (closed) => {
      const home = homeFolder();
      const options = { home, arranged: closed.flatMap((fd) => ["close", fd]), options: ["--allow-write", home] };
      const file = join(home, "facts");
      const open = async (through: "fence" | "nothing") => {
        const outcome = await launched(telling(file), { ...options, through });
        expect(outcome).toMatchObject({ status: 0, stdout: "", stderr: "" });
        return JSON.parse(readFileSync(file, "utf8")).descriptors.map(({ fd }: Json) => fd);
      };
      const expected = [0, 1, 2, 9].filter((fd) => !closed.includes(String(fd)));
      expect((await open("nothing")).filter((fd: number) => fd <= 2 || fd === 9)).toEqual(expected);
      expect(await open("fence")).toEqual(expected);
    },
  );

  test("take 64 MB of any bytes in and out", async () => {
    const script = 'set -o pipefail; head -c 67108864 /dev/urandom > f; cat f | "$@" | cmp - f && echo same';
    const command = ["bash", "-c", script, "bash", ...launchCommand(["cat"])];
    expect(await launched(command, { through: "nothing" })).toMatchObject({ status: 0, stdout: "same\n", stderr: "" });
  });

  test("are three: nothing of one comes out of the other", async () => {
    const outcome = await launched(["sh", "-c", "cat; echo out; echo err >&2; exit 3"], { input: "in\n" });
    expect(outcome).toMatchObject({ status: 3, stdout: "in\nout\n", stderr: "err\n" });
  });

  test("deliver what is written just before the end", async () => {
    for (let i = 0; i < 5; i++) {
      const { stdout } = await launched(["sh", "-c", "head -c 65536 /dev/zero | tr '\\0' x; kill -KILL $$"]);
      expect(stdout.length).toBe(65536);
    }
  });

  test("reach their end for a reader when the program ends", async () => {
    const script = '"$@" 2>&1 | { cat; echo end; }';
    const program = ["sh", "-c", "echo out; echo err >&2; exit 4"];
    const command = ["bash", "-c", `${script}; exit "\${PIPESTATUS[0]}"`, "bash", ...launchCommand(program)];
    expect(await launched(command, { through: "nothing" })).toMatchObject({ status: 4, stdout: "out\nerr\nend\n" });
  });

  test("of a reader that goes away end the program, as without fence", async () => {
    for (const through of ["nothing", "fence"] as const) {
      const script = `"$@" | head -n 1; exit "\${PIPESTATUS[0]}"`;
      const command = ["bash", "-c", script, "bash", ...launchCommand(["yes"], { through })];
      expect(await launched(command, { through: "nothing" })).toMatchObject({ status: 141, stdout: "y\n" });
    }
  });

  test("that are regular files are written where they stand", async () => {
    const script = 'echo first > f; "$@" >> f 2>&1; echo last >> f; cat f';
    const command = ["bash", "-c", script, "bash", ...launchCommand(["sh", "-c", "echo out; echo err >&2"])];
    expect(await launched(command, { through: "nothing" })).toMatchObject({ stdout: "first\nout\nerr\nlast\n" });
  });
});

test("descriptors of the caller beyond standard error reach neither bwrap nor the program nor the launcher", async () => {
  const home = homeFolder();
  writeFileSync(join(home, "secret"), "");
  const arranged = ["open", "6", join(home, "secret"), "open", "57", join(home, "secret")];
  const sandbox = launch(["/bin/cat"], { home, arranged, input: "held" });
  expect(await sandbox.ask("started")).toBe("started");
  const links = sandbox.descriptors();
  expect(links.size).toBeGreaterThan(3);
  for (const [process, descriptors] of links) {
    expect(
      descriptors.filter((link) => link.startsWith(home)),
      process,
    ).toEqual([]);
  }
  sandbox.end();
  expect(await sandbox.outcome).toMatchObject({ status: 0 });
});

describe("the working directory", () => {
  test("is the caller's, and PWD too", async () => {
    const home = homeFolder();
    mkdirSync(join(home, "real/below"), { recursive: true });
    symlinkSync(join(home, "real"), join(home, "link"));
    const cwd = join(home, "link/below");
    const env = { PWD: cwd };
    const program = ["/bin/sh", "-c", 'pwd -L; pwd -P; echo "$PWD"'];
    const direct = await launched(program, { home, cwd, env, through: "nothing" });
    expect(direct.stdout).toBe(`${cwd}\n${join(home, "real/below")}\n${cwd}\n`);
    expect((await launched(program, { home, cwd, env, options: ["--allow-read", home] })).stdout).toBe(direct.stdout);
  });

  test("that is gone is an error that says so", async () => {
    const home = homeFolder();
    const gone = join(home, "gone");
    mkdirSync(gone);
    const outcome = await launched(["true"], { home, arranged: ["chdir", gone, "remove-directory", gone] });
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toMatch(/^fence: the working directory has no path any more/);
  });
});

describe("the environment", () => {
  const stringsFile = (home: string, strings: readonly string[]): string => {
    const path = join(home, "strings");
    writeFileSync(path, strings.map((string) => `${string}\0`).join(""));
    return path;
  };

  /** What the program finds. */
  async function environment(options: LaunchOptions): Promise<readonly string[]> {
    const outcome = await launched([probe, "environ-raw"], options);
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    const words: readonly string[] = JSON.parse(outcome.stdout).environment;
    return words.map((hex) => Buffer.from(hex, "hex").toString()).toSorted();
  }

  test("is the caller's byte for byte, whatever it steers, and fence's variable", async () => {
    const home = homeFolder();
    const variables = [
      `HOME=${home}`,
      "PATH=/usr/bin:/bin",
      "EMPTY=",
      "SPACE= a  b ",
      "LINES=a\nb\n",
      "EQUALS=a=b==",
      "UTF8=é\u{1f600}\u{feff}",
      "CONTROL=\x01\x1b[31m\x7f",
      "BASH_FUNC_f%%=() {  echo hi\n}",
      "lower=x",
      "A.B-C/D=x",
      "__proto__=x",
      "constructor=x",
      "NODE_OPTIONS=--require=/no/such.js",
      "NODE_PATH=/no/such",
      "LD_LIBRARY_PATH=/no/such",
      "GLIBC_TUNABLES=x",
      "MALLOC_PERTURB_=1",
      "OPENSSL_CONF=/no/such",
      "UV_THREADPOOL_SIZE=9999",
      "SSL_CERT_FILE=/no/such",
      "FENCE_STUB=launcher:1,2,3,4",
      "GCONV_PATH=/no/such",
    ];
    const arranged = ["environment", stringsFile(home, variables)];
    expect(await environment({ home, arranged })).toEqual([...variables, "FENCE_SANDBOX=1"].toSorted());
  });

  test("of 1 MB is passed on", async () => {
    const home = homeFolder();
    const many = Array.from({ length: 2500 }, (_, i) => `MANY_${i}=${"é".repeat(180)}`);
    const large = Array.from({ length: 2 }, (_, i) => `LARGE_${i}=${"x".repeat(130_000)}`);
    const variables = [`HOME=${home}`, "PATH=/usr/bin:/bin", ...many, ...large];
    expect(variables.join("").length * 2).toBeGreaterThan(1_000_000);
    const arranged = ["environment", stringsFile(home, variables)];
    expect(await environment({ home, arranged })).toEqual([...variables, "FENCE_SANDBOX=1"].toSorted());
  });

  test("that is not UTF-8 is an error that names the variable and not its value", async () => {
    const home = homeFolder();
    const bytes = Buffer.concat([Buffer.from(`HOME=${home}\0SECRET=sword`), Buffer.from([0xff, 0])]);
    writeFileSync(join(home, "strings"), bytes);
    const outcome = await launched(["true"], { home, arranged: ["environment", join(home, "strings")] });
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toContain("fence: the variable SECRET must be valid UTF-8");
    expect(outcome.stderr).toContain("env -u");
    expect(outcome.stderr).not.toContain("sword");
  });

  test("with --clear-env, --unset-env and --env is what they say", async () => {
    const print = ["/usr/bin/env"];
    const cleared = await launched(print, { options: ["--clear-env", "--env", "A=1"], env: { B: "2" } });
    expect(cleared.stdout.trim().split("\n").toSorted()).toEqual(["A=1", "FENCE_SANDBOX=1"]);
    const changed = await launched(print, { options: ["--unset-env", "B", "--env", "C=3"], env: { B: "2", C: "x" } });
    expect(changed.stdout).toContain("\nC=3\n");
    expect(changed.stdout).not.toContain("\nB=");
  });

  test("steers neither fence nor bwrap, but the program", async () => {
    const home = homeFolder();
    const marker = (name: string) => join(home, name);
    const script = join(home, "injected.js");
    writeFileSync(script, `require("node:fs").writeFileSync(${JSON.stringify(marker("node"))}, "")`);
    const env = {
      FENCE_TEST_MARKER: marker("library"),
      LD_PRELOAD: markerLibrary,
      NODE_OPTIONS: `--require=${script}`,
    };
    const seen = 'test ! -e "$FENCE_TEST_MARKER" || echo library; echo "$LD_PRELOAD|$NODE_OPTIONS"';
    // The first program is static: the library is loaded by what it becomes.
    const outcome = await launched([probe, "env-raw", "LD_PRELOAD"], { home, env, options: ["--allow-write", home] });
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    const hex = Buffer.from(markerLibrary).toString("hex");
    expect(outcome.stdout).toContain(hex);
    for (const name of ["library", "node"]) expect(() => readFileSync(marker(name)), name).toThrow("ENOENT");
    const reached = await launched(["/bin/sh", "-c", seen], { home, env, options: ["--allow-write", home] });
    expect(reached.stdout).toBe(`library\n${markerLibrary}|--require=${script}\n`);
    expect(() => readFileSync(marker("node"))).toThrow("ENOENT");
  });
});

describe("arguments", () => {
  test("of any number and any UTF-8 reach the program", async () => {
    const home = homeFolder();
    const words = ["", "--", "-c", "--allow-write=/", "a b", "\n", "é\u{1f600}", "\x01\x1b", "$(id)", "*", "-"];
    const many = Array.from({ length: 20_000 }, (_, i) => `argument ${i} é`);
    for (const more of [words, many]) {
      const file = join(home, "words");
      writeFileSync(file, more.map((word) => `${word}\0`).join(""));
      const { argc } = await same({ home, arranged: ["arguments", file] });
      expect(argc).toBe(more.length + 2);
    }
  });

  test("that are not UTF-8 are an error that says so", async () => {
    const home = homeFolder();
    writeFileSync(join(home, "words"), Buffer.from([0x61, 0xff, 0]));
    const outcome = await launched([probe, "facts"], { home, arranged: ["arguments", join(home, "words")] });
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toContain("fence: the arguments must be valid UTF-8");
    // What stands in Node for such a byte is a character of its own, too.
    const given = await launched([probe, "facts", "\uFFFD"], { home });
    expect(given).toMatchObject({ status: 0, stderr: "" });
  });
});
