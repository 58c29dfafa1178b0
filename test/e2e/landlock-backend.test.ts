import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { asUser, both, type Enter, inBwrap, newUserNamespaces, systemContainer } from "../kit/places-restricted.ts";
import { requires } from "../kit/requires.ts";
import { fence, folder, host, json, type Outcome, type RunOptions, run, start } from "../kit/sandbox.ts";
import { key, Terminal } from "../kit/terminal.ts";

const { probe } = host;
const itself: Enter = (command) => command;
const places: readonly (readonly [name: string, enter: Enter])[] = [
  ["root", itself],
  ["an unprivileged user", asUser],
];
const eperm = "EPERM";
const eacces = "EACCES";

/** Nobody's, unless a place has one. */
const runtime = "/mnt";

/** In a directory of `folder()` that every user can write to. */
interface Files {
  readonly work: string;
  readonly secret: string;
  readonly readable: string;
}

function files(): Files {
  const at = folder();
  const work = join(at, "work");
  mkdirSync(work);
  chmodSync(work, 0o777);
  const secret = join(work, "secret");
  const readable = join(at, "readable");
  for (const path of [secret, readable]) {
    writeFileSync(path, "text");
    chmodSync(path, 0o666);
  }
  return { work, secret, readable };
}

function command(enter: Enter, options: readonly string[], program: readonly (string | number)[]): readonly string[] {
  const shown = ["--allow-read", dirname(probe)];
  const run = [fence, "run", "--backend", "landlock", ...shown, ...options, "--", ...program.map(String)];
  return enter(["env", "-C", "/", "HOME=/nonexistent", `XDG_RUNTIME_DIR=${runtime}`, ...run]);
}

function landlocked(
  enter: Enter,
  options: readonly string[],
  program: readonly (string | number)[],
  runOptions: RunOptions = {},
): Promise<Outcome> {
  return run(command(enter, options, program), runOptions);
}

async function probed(enter: Enter, options: readonly string[], action: readonly (string | number)[]) {
  return json(await landlocked(enter, options, [probe, ...action]));
}

/** Everything about them can be tried in one sandbox. */
const script = `
try() { if (eval "$2") 2>/dev/null; then echo "$1 yes"; else echo "$1 no"; fi; }
try "read granted" 'true < "$READABLE"'
try "write readable" 'echo x >> "$READABLE"'
try "truncate readable" ': > "$READABLE"'
try "read denied" 'true < "$SECRET"'
try "read own" 'true < "$WORK/mine"'
try "write own" 'echo x > "$WORK/mine"'
try "make beside what is denied" ': > "$WORK/new"'
try "write temporary" 'echo x > "$TMPDIR/file"'
try "write to the host /tmp" ': > "/tmp/fence-landlock-$$"'
try "look into the process outside" 'true < "/proc/$OUTSIDE/environ"'
`;

async function tried(enter: Enter, { work, secret, readable }: Files) {
  const mine = join(work, "mine");
  writeFileSync(mine, "");
  chmodSync(mine, 0o666);
  const options = ["--allow-read", readable, "--allow-write", work, "--deny-read", secret];
  const names = { READABLE: readable, SECRET: secret, WORK: work, OUTSIDE: String(process.pid) };
  const env = Object.entries(names).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const { stdout, stderr, status } = await landlocked(enter, [...options, ...env], ["/bin/sh", "-c", script]);
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  return Object.fromEntries(
    stdout
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), line.endsWith(" yes")]),
  );
}

const expectedAccess = {
  "read granted": true,
  "write readable": false,
  "truncate readable": false,
  "read denied": false,
  "read own": true,
  "write own": true,
  "make beside what is denied": false,
  "write temporary": true,
  "write to the host /tmp": false,
  "look into the process outside": false,
};

describe.for(places)("as %s", ([, enter]) => {
  beforeEach(requires("root", "setpriv"));

  test("files are granted and denied as the policy says, and what is denied closes the directory that it is in", async () => {
    expect(await tried(enter, files())).toEqual(expectedAccess);
  });

  test("the program's exit status and its death by a signal are those of fence", async () => {
    for (const status of [0, 7, 125, 255])
      expect(await landlocked(enter, [], [probe, "exit", status])).toMatchObject({ status, stderr: "" });
    for (const signal of ["SIGTERM", "SIGKILL", "SIGINT"] as const)
      expect(await landlocked(enter, [], ["/bin/sh", "-c", `kill -${signal.slice(3)} $$`])).toMatchObject({ signal });
    expect(await landlocked(enter, [], ["/no/such"])).toMatchObject({
      status: 127,
      stderr: expect.stringContaining("FENCE_PROGRAM_NOT_FOUND"),
    });
  });

  test("no TCP, no datagrams, no Unix sockets lead out", async () => {
    const port = await tcpPort();
    const socket = await unixSocket();
    expect(await probed(enter, [], ["connect-tcp", "127.0.0.1", port])).toMatchObject({ errno: eacces });
    expect(await probed(enter, ["--allow-domain", "*"], ["connect-tcp", "127.0.0.1", port])).toMatchObject({
      errno: 0,
    });
    expect(await probed(enter, [], ["bind-tcp", 0])).toMatchObject({ errno: eacces });
    expect(await probed(enter, [], ["connect-unix", socket])).toMatchObject({ errno: eperm });
    const settings = join(folder(), "fence.json");
    writeFileSync(settings, '{ "network": { "allowAllUnixSockets": true } }');
    const all = ["--settings", settings];
    expect(await probed(enter, all, ["connect-unix", socket])).toMatchObject({ errno: 0 });
    const datagram = ["syscall", process.arch === "x64" ? 41 : 198, 2, 2, 0];
    expect(await probed(enter, [], datagram)).toMatchObject({ errno: eperm });
    expect(await probed(enter, ["--allow-domain", "*"], datagram)).toMatchObject({ errno: 0 });
  });

  test("a port of the host's loopback is reached when it is named, and a published one can be listened on", async () => {
    const port = await tcpPort();
    expect(await probed(enter, ["--local-port", `${port}`], ["connect-tcp", "127.0.0.1", port])).toMatchObject({
      errno: 0,
    });
    const free = await freePort();
    expect(await probed(enter, ["-p", `${free}`], ["bind-tcp", free])).toMatchObject({ errno: 0 });
    expect(await probed(enter, ["-p", `${free}`], ["bind-tcp", 0])).toMatchObject({ errno: eacces });
    expect(await landlocked(enter, ["-p", `0:${free}`], ["true"])).toMatchObject({
      status: 125,
      stderr: expect.stringContaining("FENCE_USAGE"),
    });
  });

  test.for(["tcp", "unix"] as const)("a proxy at a %s address is reached through the variables", async (kind) => {
    const address = await proxy(kind);
    const get = `exec "${probe}" http-get "\${HTTP_PROXY##*:}" http://example.com/`;
    const outcome = await landlocked(enter, ["--http-proxy", address], ["/bin/sh", "-c", get]);
    expect(json(outcome)).toMatchObject({ status: "HTTP/1.1 203 From the proxy" });
  });

  test("the restrictions hold when they are tried", async () => {
    expect(await landlocked(enter, ["--verify"], ["true"])).toMatchObject({ status: 0, stderr: "" });
  });

  test("the temporary directory is the user's alone and is gone at the end, with all that was made in it", async () => {
    const make = 'mkdir -p "$TMPDIR/a/b" && : > "$TMPDIR/a/b/c" && ln -s /etc "$TMPDIR/link" && chmod 0 "$TMPDIR/a/b"';
    const say = 'stat -c "%a %u" "$TMPDIR" && id -u && echo "$TMPDIR"';
    const { stdout, stderr } = await landlocked(enter, [], ["/bin/sh", "-c", `${make} && ${say}`]);
    const [found = "", uid, temporary = ""] = stdout.split("\n");
    expect([found, stderr]).toEqual([`700 ${uid}`, ""]);
    expect(temporary).toMatch(/\/fence-[0-9a-f]{16}\/tmp$/);
    expect(existsSync(dirname(temporary))).toBe(false);
    expect(existsSync("/etc/passwd")).toBe(true);
  });

  test("a tree that is deeper than descriptors last is removed as well", async () => {
    const deeper = 'cd "$TMPDIR"; i=0; while [ $i -lt 1500 ]; do mkdir d && cd d; i=$((i+1)); done; echo "$TMPDIR"';
    const { stdout } = await landlocked(enter, [], ["/bin/sh", "-c", deeper]);
    expect(existsSync(dirname(stdout.trim()))).toBe(false);
  });

  test("what the program leaves behind ends with it, in a session of its own too", async () => {
    const fifo = await madeFifo();
    // The reader sees the end only when nobody holds the other end any more.
    const leave = `setsid sh -c 'exec 9>"${fifo}"; echo up >&9; while :; do sleep 1000; done' & read -r _ < "${fifo}.up" || true`;
    const options = ["--allow-write", dirname(fifo)];
    const reader = run(["sh", "-c", `{ read -r line; echo "$line"; : > "${fifo}.up"; cat; } < "${fifo}"`]);
    expect(await landlocked(enter, options, ["/bin/sh", "-c", leave])).toMatchObject({ status: 0, stderr: "" });
    expect((await reader).stdout).toBe("up\n");
  });

  test.for(["SIGTERM", "SIGKILL"] as const)("%s to fence ends the program and what it left behind", async (signal) => {
    const fifo = await madeFifo();
    const leave = `setsid sh -c 'exec 9>"${fifo}"; echo up >&9; while :; do sleep 1000; done' & while :; do sleep 1000; done`;
    const running = start(command(enter, ["--allow-write", dirname(fifo)], ["/bin/sh", "-c", leave]));
    const reader = start(["sh", "-c", `exec cat "${fifo}"`]);
    expect(await reader.line()).toBe("up");
    running.signal(signal);
    expect(await running.ended).toMatchObject({ signal });
    expect(await reader.line()).toBe(null);
  });
});

describe("where bubblewrap cannot run", () => {
  beforeEach(requires("root", "bwrap", "unprivileged bwrap", "setpriv", "crun", "unshare"));

  test.for<[name: string, enter: Enter]>([
    [
      "in bubblewrap without user namespaces, nor a writable /tmp,",
      both(asUser, inBwrap("--disable-userns", "--perms", "0700", "--tmpfs", runtime)),
    ],
    ["in a container without capabilities", systemContainer({})],
    [
      "in a container, as an unprivileged user",
      systemContainer({ user: { uid: 65534, gid: 65534 }, denied: [newUserNamespaces] }),
    ],
  ])("%s the program is confined", async ([, enter]) => {
    const refused = await run(enter([fence, "run", "--", "true"]));
    expect(refused).toMatchObject({ status: 125, stderr: expect.stringMatching(/code: {2}FENCE_(?:BWRAP|ISOLATION)/) });
    const script = 'echo "in $TMPDIR"; true > "$TMPDIR/x" && echo made; true > /etc/x || echo kept; exit 9';
    const outcome = await landlocked(enter, [], ["/bin/sh", "-c", script]);
    expect(outcome).toMatchObject({ status: 9, stdout: expect.stringMatching(/^in \/\S+\nmade\nkept\n$/) });
    expect(await landlocked(enter, ["--verify"], [probe, "bind-tcp", 0])).toMatchObject({
      stdout: expect.stringContaining(`"errno":"${eacces}"`),
    });
  });
});

describe("under a terminal", () => {
  beforeEach(requires("root"));

  test("Ctrl-C reaches the program once, and fence dies of it as the program does", async () => {
    const count = 'n=0; trap "n=\\$((n+1)); echo got \\$n" INT; echo ready; read -r _; read -r _; echo total $n';
    const terminal = new Terminal(command(itself, [], ["/bin/sh", "-c", count]));
    await terminal.until("ready");
    terminal.type(key.interrupt);
    await terminal.until("got 1");
    terminal.type("\n\n");
    await terminal.until("total 1");
    expect(await terminal.ended).toBe(0);
    const plain = new Terminal(command(itself, [], ["/bin/sh", "-c", "echo ready; read -r _"]));
    await plain.until("ready");
    plain.type(key.interrupt);
    expect(await plain.ended).toBe(130);
  });

  test("Ctrl-Z stops the program and fence, and fg goes on", async () => {
    const terminal = new Terminal(["/bin/sh", "-i"]);
    await terminal.until("$ ");
    const words = command(itself, [], ["/bin/sh", "-c", "echo ready; read -r line; echo got $line"]);
    terminal.type(`${words.map((word) => `'${word}'`).join(" ")}\n`);
    await terminal.until("\nready");
    terminal.type(key.suspend);
    await terminal.until("Stopped");
    await terminal.until("$ ");
    terminal.type("fg\n");
    await terminal.until("fg");
    terminal.type("hello\n");
    await terminal.until("got hello");
    terminal.type("exit\n");
    expect(await terminal.ended).toBe(0);
  });

  test("who asks a second time, when some time has passed, ends a program that does not want to", async () => {
    const running = start(
      command(itself, [], ["/bin/sh", "-c", 'trap "echo no" TERM; echo ready; while :; do sleep 1; done']),
    );
    expect(await running.line()).toBe("ready");
    running.signal("SIGTERM");
    expect(await running.line()).toBe("no");
    const repeated = setInterval(() => running.signal("SIGTERM"), 100);
    onTestFinished(() => clearInterval(repeated));
    expect(await running.ended).toMatchObject({ signal: "SIGKILL" });
  });
});

test("the report says what is weaker, and what a denial costs", async () => {
  const { work, secret } = files();
  const options = ["--status-fd", "4", "--allow-write", work, "--deny-read", secret];
  const { output4 } = await landlocked(itself, options, ["true"], { collects4: true });
  const [, ready] = output4
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(ready).toMatchObject({
    event: "ready",
    isolation: { backend: "landlock", reduced: true },
    inside: { landlock: { enforced: true }, seccomp: "strict", noNewPrivs: true },
  });
  expect(ready.notes).toContainEqual({
    where: `filesystem.denyRead ${JSON.stringify(secret)}`,
    says: expect.stringContaining(work),
  });
});

test("a dry run shows the rules and makes nothing", async () => {
  const { work } = files();
  const { stdout } = await landlocked(itself, ["--dry-run", "--json", "--allow-write", work], ["true"]);
  const shown = JSON.parse(stdout);
  expect(shown.landlock).toMatchObject({ denied: expect.arrayContaining(["tcp"]), deniedSockets: expect.any(Array) });
  expect(shown.landlock.rules).toContainEqual({ access: "rwx", path: work });
  expect((await landlocked(itself, ["--dry-run"], ["true"])).stdout).toContain("no namespaces, no mounts");
});

test("what a killed fence has left is removed by the next one", async () => {
  const running = start(command(itself, [], ["/bin/sh", "-c", ': > "$TMPDIR/x"; echo "$TMPDIR"; exec sleep 1000']));
  const temporary = (await running.line()) ?? "";
  expect(existsSync(join(temporary, "x"))).toBe(true);
  const launcher = launcherOf(temporary);
  process.kill(launcher, "SIGKILL");
  expect(await running.ended).toMatchObject({ status: 125 });
  expect(existsSync(temporary)).toBe(true);
  expect(await landlocked(itself, [], ["true"])).toMatchObject({ status: 0 });
  expect(existsSync(dirname(temporary))).toBe(false);
});

/** The process that has the directory locked, proc_locks(5). */
function launcherOf(temporary: string): number {
  const { ino } = statSync(dirname(temporary));
  const line = readFileSync("/proc/locks", "latin1")
    .split("\n")
    .find((lock) => lock.includes("FLOCK") && lock.includes(`:${ino} `));
  return Number(/FLOCK\s+\S+\s+\S+\s+(\d+)/.exec(line ?? "")?.[1] ?? "none");
}

async function listening(server: Server | ReturnType<typeof createTcpServer>, at: object): Promise<void> {
  onTestFinished(() => void server.close());
  await once(server.listen(at), "listening");
}

async function tcpPort(): Promise<number> {
  const server = createTcpServer((socket) => socket.destroy());
  await listening(server, { host: "127.0.0.1", port: 0 });
  return (server.address() as AddressInfo).port;
}

/** Taken a moment ago, and free again. */
async function freePort(): Promise<number> {
  const server = createTcpServer();
  await once(server.listen({ host: "127.0.0.1", port: 0 }), "listening");
  const { port } = server.address() as AddressInfo;
  await once(server.close(), "close");
  return port;
}

async function unixSocket(): Promise<string> {
  const path = join(folder(), "socket");
  const server = createTcpServer((socket) => socket.destroy());
  await listening(server, { path, readableAll: true, writableAll: true });
  return path;
}

async function proxy(kind: "tcp" | "unix"): Promise<string> {
  const server = createServer((_, response) => response.writeHead(203, "From the proxy").end());
  const path = join(folder(), "proxy");
  await listening(server, kind === "unix" ? { path, writableAll: true } : { host: "127.0.0.1", port: 0 });
  return kind === "unix" ? `unix:${path}` : `tcp:127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Two in a folder that everybody can write to: the second one has `.up` at its end. */
async function madeFifo(): Promise<string> {
  const path = join(folder(), "fifo");
  chmodSync(dirname(path), 0o777);
  expect(await run(["mkfifo", "-m", "666", path, `${path}.up`])).toMatchObject({ status: 0 });
  return path;
}
