// The faults of other tools, by the numbers of test/e2e/README.md: those that no other test covers for `fence run`.
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { homeFolder, launch, launchCommand, launched, runtimeFolder, users } from "../kit/launched.ts";
import { asMappedRoot } from "../kit/places-restricted.ts";
import { arrange, probe } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";
import { folder } from "../kit/sandbox.ts";

beforeEach(requires("root", "bwrap", "unprivileged bwrap", "setpriv"));

/** A server on the host that answers with what it got, once it has seen its end and this time has passed. */
async function server(afterMs = 0): Promise<string> {
  const listening = createServer({ allowHalfOpen: true }, (socket) => {
    const heard: Buffer[] = [];
    socket.on("error", () => {}).on("data", (bytes) => heard.push(Buffer.from(bytes)));
    socket.on("end", async () => {
      if (afterMs > 0) await delay(afterMs);
      socket.end(Buffer.concat(heard));
    });
  });
  onTestFinished(() => void listening.close());
  await once(listening.listen(0, "127.0.0.1"), "listening");
  return String((listening.address() as AddressInfo).port);
}

/** Says how much comes back of what it sent, once it has shut its side. */
const askSlowly = (port: string) =>
  `import socket; s = socket.create_connection(("127.0.0.1", ${port})); s.sendall(b"x" * 1000000); ` +
  "s.shutdown(socket.SHUT_WR); n = 0\nwhile b := s.recv(65536): n += len(b)\nprint(n)";

test("1, 10: a reply that comes long after the request's end arrives whole", async (context) => {
  requires("python3")(context);
  const port = await server(700);
  const program = ["/usr/bin/python3", "-c", askSlowly(port)];
  const outcome = await launched(program, { options: ["--local-port", port] });
  expect(outcome).toMatchObject({ status: 0, stdout: "1000000\n", stderr: "" });
});

test.for(users)("2, 11: without a shell and other tools bridges work, under Landlock, as %s", async (user) => {
  const port = await server();
  const tools = ["/bin/sh", "/bin/bash", "/bin/dash", "/usr/bin/socat", "/usr/bin/env", "/usr/bin/sleep"];
  const options = ["--local-port", port, ...tools.flatMap((path) => ["--deny-read", path])];
  const outcome = await launched([probe, "echo-tcp", port, "hello"], { user, options });
  expect(outcome).toMatchObject({ status: 0, stderr: "" });
  expect(JSON.parse(outcome.stdout)).toMatchObject({ errno: 0, text: "hello" });
  const ready = outcome.reports.find(({ event }) => event === "ready");
  expect(ready.inside.landlock.enforced).toBe(true);
  expect(outcome.reports.at(-1).bridges).toMatchObject([{ kind: "local-port", accepted: 1, refused: 0 }]);
});

test("3: a published port shows nothing of the host's directory for temporary files", async () => {
  const secret = mkdtempSync(join(tmpdir(), "fs-"));
  onTestFinished(() => rmSync(secret, { recursive: true }));
  writeFileSync(join(secret, "file"), "secret");
  const script = `cat ${secret}/file; echo x > /tmp/${basename(secret)}-planted; ls -A /tmp`;
  const outcome = await launched(["sh", "-c", script], { options: ["-p", "0:8080"] });
  expect(outcome).toMatchObject({ status: 0, stderr: expect.stringContaining("No such file") });
  expect(outcome.stdout).not.toContain("secret");
  expect(readdirSync(tmpdir())).not.toContain(`${basename(secret)}-planted`);
});

test("5: nothing of the plan stands in arguments, environments or temporary files", async () => {
  const secret = "SwordFish-4711";
  const temporary = folder();
  const runtime = runtimeFolder();
  const env = { TOKEN: secret, TMPDIR: temporary, XDG_RUNTIME_DIR: runtime };
  const sandbox = launch(["/bin/cat"], { env, options: ["--env", "OTHER=value-4712", "-p", "0:8080"], input: "held" });
  expect(await sandbox.ask("ready")).toBe("ready");
  const [front, launcher, program] = [
    await sandbox.process("front"),
    await sandbox.process("launcher"),
    await sandbox.process("program"),
  ];
  for (const { pid } of sandbox.processes()) {
    const shown = ["cmdline", "environ"].map((file) => readFileSync(`/proc/${pid}/${file}`, "latin1")).join("\0");
    // The user's own processes, and the program, have it from the user.
    if (![front, launcher, program].includes(pid)) expect(shown).not.toMatch(/4711|4712/);
  }
  expect(readFileSync(`/proc/${await sandbox.process("bwrap")}/environ`, "latin1")).toBe("");
  expect(readdirSync(temporary)).toEqual([]);
  sandbox.end();
  expect(await sandbox.outcome).toMatchObject({ status: 0 });
  expect([...readdirSync(temporary), ...readdirSync(runtime)]).toEqual([]);
});

test("8, 14, 20: the report says what was applied, and which way was taken", async () => {
  const { reports } = await launched(["true"]);
  const { isolation, inside } = reports.find(({ event }) => event === "ready");
  expect(isolation).toMatchObject({ backend: "bwrap", reduced: false });
  expect(isolation.layers.length).toBeGreaterThan(8);
  for (const { layer, state } of isolation.layers) expect(state, layer).toBe("applied");
  expect(inside).toMatchObject({ landlock: { enforced: true }, seccomp: "strict", noNewPrivs: true });
});

test("20: a level that the host cannot give is an error before anything runs", async (context) => {
  requires("unshare")(context);
  const enter = asMappedRoot("echo 0 > /proc/sys/user/max_user_namespaces");
  const outcome = await launched(enter(launchCommand(["echo", "started"])), { through: "nothing" });
  expect(outcome).toMatchObject({ status: 125, stdout: "" });
  expect(outcome.stderr).toMatch(/^fence: .*user namespace/);
  expect(outcome.stderr.match(/^fence: /gm)).toHaveLength(1);
});

test("9: the caller's environment steers no part of fence", async () => {
  const marker = join(homeFolder(), "marker");
  const script = `${marker}.js`;
  writeFileSync(script, `require("node:fs").writeFileSync(${JSON.stringify(marker)}, "")`);
  const env = { NODE_OPTIONS: `--require=${script}`, LD_LIBRARY_PATH: "/no/such", OPENSSL_CONF: script };
  expect(await launched([probe, "exit", "0"], { env })).toMatchObject({ status: 0, stderr: "" });
  expect(() => readFileSync(marker)).toThrow("ENOENT");
});

test("12: a program is looked up once, where it is", async () => {
  const home = homeFolder();
  mkdirSync(join(home, "bin"));
  writeFileSync(join(home, "bin/tool"), "#!/bin/sh\necho found\n", { mode: 0o755 });
  const env = { PATH: `${home}/bin:/usr/bin:/bin` };
  expect(await launched(["tool"], { home, env })).toMatchObject({ status: 0, stdout: "found\n", stderr: "" });
});

test("13: paths with symbolic links in them are granted and denied where they lead", async () => {
  const home = homeFolder();
  const real = folder();
  writeFileSync(join(real, "file"), "content");
  writeFileSync(join(real, "secret"), "secret");
  symlinkSync(real, join(home, "link"));
  const options = [
    "--allow-write",
    join(home, "link"),
    "--deny-read",
    join(home, "link/secret"),
    "--allow-read",
    "/bin",
  ];
  const script = `cat link/file ${real}/file; echo new > link/new; cat link/secret ${real}/secret`;
  const outcome = await launched(["/bin/sh", "-c", script], { home, options });
  expect(outcome.stdout).toBe("contentcontent");
  expect(readFileSync(join(real, "new"), "utf8")).toBe("new\n");
});

test("18: a mask that cannot be made starts nothing, and is named", async () => {
  const home = homeFolder();
  writeFileSync(join(home, "fence.json"), JSON.stringify({ filesystem: { mask: [join(home, "no/such/*/x\0")] } }));
  const outcome = await launched(["echo", "started"], { home });
  expect(outcome).toMatchObject({ status: 125, stdout: "" });
  expect(outcome.stderr).toMatch(/^fence: .*mask/m);
});

test("19: what is masked is an empty regular file or directory, on a root that nobody can write", async () => {
  const home = homeFolder();
  writeFileSync(join(home, "file"), "secret");
  mkdirSync(join(home, "directory"));
  writeFileSync(join(home, "directory/inner"), "secret");
  const options = ["file", "directory"].flatMap((name) => ["--mask", join(home, name)]);
  const script = 'stat -c "%F %s" file; cat file; ls -A directory; touch /x 2>/dev/null || echo read-only';
  const outcome = await launched(["sh", "-c", script], { home, options });
  expect(outcome.stdout).toBe("regular empty file 0\nread-only\n");
  expect(readFileSync(join(home, "file"), "utf8")).toBe("secret");
});

test("twenty sandboxes at once, each with a published port of its own", async () => {
  const runtime = runtimeFolder();
  const env = { XDG_RUNTIME_DIR: runtime };
  const sandboxes = Array.from({ length: 20 }, (_, i) =>
    launch([probe, "serve-tcp", "8080"], { env, user: "root", options: ["-p", "0:8080", "--env", `N=${i}`] }),
  );
  const ports = await Promise.all(
    sandboxes.map(async (sandbox) => (await sandbox.report("ready")).published[0].hostPort as number),
  );
  expect(new Set(ports).size).toBe(20);
  await Promise.all(
    sandboxes.map(async (sandbox, i) => {
      expect(await sandbox.line()).toContain("listening");
      const client = connect({ port: ports[i] ?? 0, host: "127.0.0.1", allowHalfOpen: true });
      client.end(`sandbox ${i}`);
      expect(await text(client)).toBe(`sandbox ${i}`);
      expect(await sandbox.outcome).toMatchObject({ status: 0, stderr: "" });
    }),
  );
  expect(readdirSync(runtime)).toEqual([]);
});

test("one that ends does not disturb the others that share the host's /tmp", async () => {
  const options = { options: ["--allow-write", "/tmp"], input: "held" } as const;
  const [one, other] = [launch(["/bin/cat"], options), launch(["/bin/cat"], options)];
  expect([await one.ask("1"), await other.ask("2")]).toEqual(["1", "2"]);
  one.end();
  expect(await one.outcome).toMatchObject({ status: 0 });
  expect(await other.ask("still there")).toBe("still there");
  expect(await launched([arrange, "--", probe, "exit", "3"])).toMatchObject({ status: 3 });
  other.end();
  expect(await other.outcome).toMatchObject({ status: 0, stderr: "" });
});
