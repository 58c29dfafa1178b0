import { once } from "node:events";
import { openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { homeFolder } from "../kit/launched.ts";
import { createSandbox, FenceError, failureOf, sandboxOf } from "../kit/library.ts";
import { probe } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";
import { fence, folder } from "../kit/sandbox.ts";
import { workplace } from "../kit/workplace.ts";

beforeEach(requires("bwrap"));

const shell = (script: string): [string, string[]] => ["sh", ["-c", script]];

test("a command that is killed while it starts leaves nothing behind that holds its pipes", async () => {
  const sandbox = await sandboxOf();
  const commands = Array.from({ length: 96 }, (_, i) => ({ lives: (i * 7) % 41 }));
  const killed = async () => {
    for (let next = commands.pop(); next !== undefined; next = commands.pop()) {
      const command = sandbox.spawn("sleep", ["1000000"]);
      const closed = once(command.stdout.resume(), "close");
      await delay(next.lives);
      command.kill("SIGKILL");
      await Promise.all([closed, command.exit]);
    }
  };
  await Promise.all(Array.from({ length: 8 }, killed)); // which is enough for some to be slow
});

describe("run()", () => {
  test("gives what the program wrote, and how it ended", async () => {
    const sandbox = await sandboxOf();
    expect(await sandbox.run(...shell("echo out; echo err >&2; exit 3"))).toEqual({
      ...{ status: 3, signal: null },
      ...{ stdout: "out\n", stderr: "err\n" },
    });
    expect(await sandbox.run(...shell("kill -KILL $$"))).toMatchObject({ status: null, signal: "SIGKILL" });
  });

  test("gives bytes when they are asked for", async () => {
    const sandbox = await sandboxOf();
    const { stdout } = await sandbox.run("printf", ["\\377"], { encoding: "buffer" });
    expect(stdout).toEqual(Buffer.from([255]));
  });

  test("writes its input, also to a program that does not read it", async () => {
    const sandbox = await sandboxOf();
    expect(await sandbox.run("cat", [], { input: "given" })).toMatchObject({ stdout: "given" });
    expect(await sandbox.run("true", [], { input: Buffer.alloc(1 << 20) })).toMatchObject({ status: 0 });
    expect(await sandbox.run("cat")).toMatchObject({ stdout: "" });
  });

  test("has the sandbox's directory and variables, or those of the command", async () => {
    const home = homeFolder();
    const sandbox = await sandboxOf({ cwd: home, env: { OF: "sandbox", PATH: process.env["PATH"] } });
    expect(await sandbox.run(...shell("pwd; echo $OF"))).toMatchObject({ stdout: `${home}\nsandbox\n` });
    const own = { cwd: "/usr", env: { OF: "command", UNSET: undefined } };
    expect(await sandbox.run(...shell("pwd; echo $OF"), own)).toMatchObject({ stdout: "/usr\ncommand\n" });
  });

  test("gives all of a large output", async () => {
    const sandbox = await sandboxOf();
    const { stdout } = await sandbox.run("head", ["-c", `${64 << 20}`, "/dev/zero"], {
      ...{ encoding: "buffer", maxOutputBytes: 64 << 20 },
    });
    expect(stdout.length).toBe(64 << 20);
    expect(stdout.every((byte) => byte === 0)).toBe(true);
  });

  test("ends a program that writes more than it may", async () => {
    const sandbox = await sandboxOf();
    const error = await failureOf(sandbox.run("cat", ["/dev/zero"], { maxOutputBytes: 1000 }));
    expect(error).toMatchObject({ code: "FENCE_OUTPUT", message: "the command wrote more than 1000 bytes" });
  });

  test("ends a program whose time is over", async () => {
    const sandbox = await sandboxOf();
    const run = sandbox.run(...shell("trap '' TERM; sleep 1000"), { timeoutMs: 100 });
    await expect(run).rejects.toMatchObject({ name: "TimeoutError" });
  });
});

describe("spawn()", () => {
  test("gives the program's streams", async () => {
    const sandbox = await sandboxOf();
    const command = sandbox.spawn("cat");
    const read = text(command.stdout);
    command.stdin.write("one ");
    command.stdin.end("two");
    expect(await read).toBe("one two");
    expect(await command.exit).toEqual({ status: 0, signal: null });
  });

  test("takes descriptors and streams as standard streams", async () => {
    const sandbox = await sandboxOf();
    const path = join(folder(), "output");
    const command = sandbox.spawn(...shell("echo out; echo err >&2"), {
      stdio: ["ignore", openSync(path, "w"), "pipe"],
    });
    expect(command.stdin).toBeNull();
    expect(command.stdout).toBeNull();
    expect(command.stderr && (await text(command.stderr))).toBe("err\n");
    expect(await command.exit).toEqual({ status: 0, signal: null });
    expect(readFileSync(path, "utf8")).toBe("out\n");
  });

  test("says when the program starts, and sends it signals", async () => {
    const sandbox = await sandboxOf();
    const command = sandbox.spawn(...shell("trap 'echo caught; exit 7' TERM; echo ready; read line"));
    expect(await command.started).toEqual({ published: [] });
    const [ready] = await once(command.stdout.setEncoding("utf8"), "data");
    expect(ready).toBe("ready\n");
    const rest = text(command.stdout);
    expect(command.kill()).toBe(true);
    expect(await command.exit).toEqual({ status: 7, signal: null });
    expect(await rest).toBe("caught\n");
    expect(command.kill()).toBe(false);
  });

  test("ends its program when it goes out of scope", async () => {
    const sandbox = await sandboxOf();
    const command = sandbox.spawn("sleep", ["1000"]);
    {
      await using scoped = command;
      await scoped.started;
    }
    expect(await command.exit).toEqual({ status: null, signal: "SIGKILL" });
  });
});

describe("a signal", () => {
  test("that has been aborted starts nothing", async () => {
    const sandbox = await sandboxOf();
    const signal = AbortSignal.abort(new Error("too late"));
    await expect(sandbox.run("true", [], { signal })).rejects.toThrow("too late");
    expect(() => sandbox.spawn("true", [], { signal })).toThrow("too late");
    await expect(sandboxOf({ signal })).rejects.toThrow("too late");
  });

  test("ends a program that ignores everything else", async () => {
    const sandbox = await sandboxOf();
    const ending = new AbortController();
    const { signal } = ending;
    const command = sandbox.spawn(...shell("trap '' TERM INT HUP; echo ready; sleep 1000"), { signal });
    await once(command.stdout, "data");
    ending.abort(new Error("enough"));
    await expect(command.exit).rejects.toThrow("enough");
  });

  test("ends a command that is being started", async () => {
    const sandbox = await sandboxOf();
    const ending = new AbortController();
    const run = sandbox.run("sleep", ["1000"], { signal: ending.signal });
    ending.abort(new Error("at once"));
    await expect(run).rejects.toThrow("at once");
    expect(await sandbox.run("echo", ["next"])).toMatchObject({ stdout: "next\n" });
  });

  test("may be another than SIGKILL", async () => {
    const sandbox = await sandboxOf();
    const ending = new AbortController();
    const options = { signal: ending.signal, killSignal: "SIGTERM" } as const;
    const command = sandbox.spawn(...shell("trap 'echo last; exit' TERM; echo ready; read line"), options);
    await once(command.stdout, "data");
    const rest = text(command.stdout);
    ending.abort();
    await expect(command.exit).rejects.toMatchObject({ name: "AbortError" });
    expect(await rest).toBe("last\n");
  });

  test("of the sandbox ends it with all its commands", async () => {
    const ending = new AbortController();
    const sandbox = await sandboxOf({ signal: ending.signal });
    const command = sandbox.spawn("sleep", ["1000"]);
    await command.started;
    ending.abort();
    expect(await command.exit).toEqual({ status: null, signal: "SIGKILL" });
    expect(await failureOf(sandbox.run("true"))).toMatchObject({ code: "FENCE_SERVICE" });
  });

  test("ends the creation of a sandbox", async () => {
    const ending = new AbortController();
    const creation = sandboxOf({ signal: ending.signal });
    ending.abort(new Error("not any more"));
    await expect(creation).rejects.toThrow("not any more");
  });
});

describe("a program that is not started is an error:", () => {
  test("it is not there", async () => {
    const sandbox = await sandboxOf();
    const error = await failureOf(sandbox.run("no-such-program"));
    expect(error).toMatchObject({ code: "FENCE_PROGRAM_NOT_FOUND", errno: "ENOENT", path: "no-such-program" });
    expect(error).toMatchObject({ name: "FenceError", exitStatus: 127 });
    expect(error.hint).toContain("PATH");
    expect(await sandbox.run("true")).toMatchObject({ status: 0 });
  });

  test("it is no program, which its standard error is not told", async () => {
    const sandbox = await sandboxOf();
    const command = sandbox.spawn("/etc/passwd");
    const said = text(command.stderr);
    expect(await failureOf(command.exit)).toMatchObject({ code: "FENCE_PROGRAM_CANNOT_RUN", errno: "EACCES" });
    expect(await said).toBe("");
  });

  test("it is denied", async () => {
    const sandbox = await sandboxOf({ settings: { command: { deny: ["git push"] } } });
    expect(await failureOf(sandbox.run("git", ["push"]))).toMatchObject({ code: "FENCE_COMMAND" });
  });

  test("its directory is not there", async () => {
    const sandbox = await sandboxOf();
    expect(await failureOf(sandbox.run("true", [], { cwd: "/no/such" }))).toMatchObject({ code: "FENCE_EXEC_PLAN" });
  });
});

describe("createSandbox()", () => {
  test("says what holds", async () => {
    const sandbox = await sandboxOf();
    const { effectiveIsolation: effective } = sandbox;
    expect(effective).toMatchObject({ backend: "bwrap" });
    expect(effective.layers).toContainEqual({
      layer: "mount",
      requirement: "required",
      state: "applied",
      says: null,
      why: null,
    });
  });

  test("says what settings do not do", async () => {
    const sandbox = await sandboxOf({ settings: { allowPty: true, network: { allowedDomains: ["example.com"] } } });
    expect(sandbox.notes).toContainEqual({ where: "allowPty", says: expect.stringContaining("createSandbox()") });
    expect(sandbox.notices).toEqual([expect.stringMatching(/^no host can be reached: /)]);
  });

  test("takes a settings file, relative to its directory, or a template", async () => {
    const home = homeFolder();
    writeFileSync(join(home, "mine.json"), '{ "command": { "deny": ["true"] } }');
    const sandbox = await sandboxOf({ cwd: home, settings: "mine.json" });
    expect(await failureOf(sandbox.run("true"))).toMatchObject({ code: "FENCE_COMMAND" });
    const { project } = workplace("root");
    const other = await sandboxOf({ cwd: project, template: "code" });
    expect(await other.run("true")).toMatchObject({ status: 0 });
  });

  test("finds settings as fence run does", async () => {
    const home = homeFolder();
    writeFileSync(join(home, "fence.json"), '{ "command": { "deny": ["true"] } }');
    const sandbox = await createSandbox({
      cwd: home,
      env: { HOME: home, PATH: process.env["PATH"] },
      executable: fence,
    });
    onTestFinished(() => sandbox.close());
    expect(await failureOf(sandbox.run("true"))).toMatchObject({ code: "FENCE_COMMAND" });
  });

  test.for<[what: string, options: object, code: string, message: RegExp]>([
    ["an unknown option", { setings: {} }, "FENCE_USAGE", /no option "setings"/],
    ["an unknown key", { settings: { network: { alowed: [] } } }, "FENCE_CONFIG", /settings\.network .*"alowed"/],
    ["a value that is none", { settings: { isolation: "some" } }, "FENCE_CONFIG", /settings\.isolation/],
    ["a file that is not there", { settings: "/no/such.json" }, "FENCE_CONFIG", /\/no\/such\.json does not exist/],
    ["no such template", { template: "cod" }, "FENCE_CONFIG", /template/],
    ["both", { template: "code", settings: {} }, "FENCE_USAGE", /exclude each other/],
    ["no such directory", { cwd: "/no/such" }, "FENCE_LAUNCH", /\/no\/such .*ENOENT/],
    ["a port that is none", { publish: ["x"] }, "FENCE_USAGE", /--publish/],
    ["a proxy that is none", { httpProxy: "x" }, "FENCE_USAGE", /--http-proxy/],
    ["a mount that cannot be", { settings: { filesystem: { restore: ["/no/such"] } } }, "FENCE_MOUNTS", /\/no\/such/],
    [
      "proxies beside the host's network",
      { httpProxy: "tcp:127.0.0.1:1", settings: { network: { allowedDomains: ["*"] } } },
      "FENCE_ISOLATION",
      /network/,
    ],
    ["a name of a variable that is none", { env: { "A=B": "" } }, "FENCE_USAGE", /env/],
    ["NUL in a variable", { env: { SECRET: "a\0b" } }, "FENCE_USAGE", /^env\.SECRET must be a string without NUL$/],
    ["an executable that is not there", { executable: "/no/such" }, "FENCE_SERVICE", /\/no\/such: ENOENT/],
    ["an executable that is none", { executable: "/etc/passwd" }, "FENCE_SERVICE", /\/etc\/passwd: EACCES/],
    ["another program", { executable: "/bin/true" }, "FENCE_SERVICE", /did not answer as fence .*: exit status 0/],
    ["a program that says otherwise", { executable: "/bin/cat" }, "FENCE_SERVICE", /did not answer .* it said: /],
  ])("refuses %s", async ([, options, code, message]) => {
    const error = await failureOf(sandboxOf(options));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test("refuses what cannot be passed on to a program", async () => {
    const sandbox = await sandboxOf();
    expect(await failureOf(sandbox.run("echo", ["a\0b"]))).toMatchObject({
      message: "args[0] must be a string without NUL",
    });
    expect(await failureOf(sandbox.run("echo", ["\ud800"]))).toMatchObject({ code: "FENCE_USAGE" });
    expect(await failureOf(sandbox.run(""))).toMatchObject({ code: "FENCE_USAGE" });
    expect(await failureOf(sandbox.run("true", [], { timeout: 1 } as object))).toMatchObject({ code: "FENCE_USAGE" });
    expect(() => sandbox.spawn("true", [], { stdio: ["ignore"] } as never)).toThrow(FenceError);
    const large = ["x".repeat(17 << 20)];
    expect(await failureOf(sandbox.run("echo", large))).toMatchObject({ code: "FENCE_USAGE" });
    expect(await sandbox.run("echo", ["still"])).toMatchObject({ stdout: "still\n" });
  });
});

describe("the network", () => {
  test("leads through the proxies, which stay the same for all commands", async () => {
    const asked: string[] = [];
    const proxy = createServer(({ url = "" }, response) => {
      asked.push(url);
      response.end("from the proxy");
    }).listen(0, "127.0.0.1");
    await once(proxy, "listening");
    onTestFinished(() => void proxy.close());
    const sandbox = await sandboxOf({ httpProxy: `tcp:127.0.0.1:${(proxy.address() as AddressInfo).port}` });
    for (const path of ["one", "two"]) {
      const { stdout } = await sandbox.run("curl", ["-sS", `http://example.com/${path}`]);
      expect(stdout).toBe("from the proxy");
    }
    expect(asked).toEqual(["http://example.com/one", "http://example.com/two"]);
  });

  test("that is denied is an event", async () => {
    const sandbox = await sandboxOf({ httpProxy: `unix:${join(folder(), "nobody")}` });
    const denied = once(sandbox, "denied");
    const command = sandbox.spawn("curl", ["-sS", "http://example.com/"]);
    const [event] = await denied;
    expect(event.text).toContain("ENOENT");
    expect(event.command).toBeNull(); // what relays is shared by all commands
    await command.exit;
  });

  test("reaches published ports, whose numbers are known at the start", async () => {
    const sandbox = await sandboxOf({ publish: ["0:8080"] });
    await using command = sandbox.spawn(probe, ["serve-tcp", "8080"]); // it echoes to one client
    const { published } = await command.started;
    expect(published).toEqual([{ host: "127.0.0.1", hostPort: expect.any(Number), port: 8080 }]);
    await once(command.stdout, "data");
    expect(await text(connect(published[0]?.hostPort ?? 0, "127.0.0.1").end("served"))).toBe("served");
  });
});

test("each command sees the files that are there when it starts, and their protection", async () => {
  const home = homeFolder();
  const settings = { filesystem: { allowWrite: [home], denyWrite: [join(home, "*.kept")] } };
  const sandbox = await sandboxOf({ cwd: home, settings });
  expect(await sandbox.run(...shell("echo 1 > other"))).toMatchObject({ status: 0 });
  writeFileSync(join(home, "a.kept"), "mine");
  const { status, stderr } = await sandbox.run(...shell("echo 2 > other; echo yours > a.kept"));
  expect(status).not.toBe(0);
  expect(stderr).toContain("a.kept");
  expect(readFileSync(join(home, "a.kept"), "utf8")).toBe("mine");
  expect(readFileSync(join(home, "other"), "utf8")).toBe("2\n");
});

test("two sandboxes have nothing to do with each other", async () => {
  const [one, two] = await Promise.all([sandboxOf({ env: { WHO: "one" } }), sandboxOf({ env: { WHO: "two" } })]);
  const print = () => Promise.all([one.run("/bin/sh", ["-c", "echo $WHO"]), two.run("/bin/sh", ["-c", "echo $WHO"])]);
  expect((await print()).map(({ stdout }) => stdout)).toEqual(["one\n", "two\n"]);
  await one.close();
  expect(await failureOf(one.run("true"))).toMatchObject({ code: "FENCE_SERVICE", message: "the sandbox is closed" });
  expect(await two.run("/bin/echo", ["still"])).toMatchObject({ stdout: "still\n" });
});

test("500 commands, 8 at a time, end as they should and leave nothing open", { timeout: 300_000 }, async () => {
  const sandbox = await sandboxOf();
  const open = (pid: number | "self" | undefined) => readdirSync(`/proc/${pid}/fd`).length;
  await Promise.all(Array.from({ length: 8 }, () => sandbox.run("true"))); // whatever is opened once is open now
  const before = [open(sandbox.pid), open("self")];
  let next = 0;
  const work = async () => {
    for (let i = next++; i < 500; i = next++) {
      const { status, stdout, stderr } = await sandbox.run(...shell(`cat; echo ${i} >&2; exit ${i % 251}`), {
        input: `input ${i}`,
      });
      expect({ status, stdout, stderr }).toEqual({ status: i % 251, stdout: `input ${i}`, stderr: `${i}\n` });
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  expect([open(sandbox.pid), open("self")]).toEqual(before);
});
