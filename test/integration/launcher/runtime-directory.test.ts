import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import addon from "landlock-napi/addon";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  maxSocketNameBytes,
  RuntimeDirectory,
  sweepRuntimeDirectories,
} from "../../../src/launcher/runtime-directory.ts";
import type { Addon } from "../../../src/sys/addon.ts";
import { doors } from "../../kit/bridges.ts";
import { requires } from "../../kit/requires.ts";

const uid = process.geteuid?.() ?? 0;
const stranger = 4711;
const ewouldblock = -11;
const enolck = -37;

describe("the directory of a sandbox's sockets", () => {
  test("is a fresh one in XDG_RUNTIME_DIR that only this user can enter, and goes with its sockets", async () => {
    const runtime = folder();
    const [first, second] = [made({ runtime }), made({ runtime })];
    expect(first.path).toMatch(new RegExp(`^${runtime}/fence-[0-9a-f]{16}$`));
    expect(second.path).not.toBe(first.path);
    expect(statSync(first.path).mode & 0o7777).toBe(0o700);
    await socketAt(first.socket("a"));
    first.close();
    expect(readdirSync(runtime)).toEqual([second.path.slice(runtime.length + 1)]);
    first.close();
  });

  test("has mode 0700 under any umask", () => {
    const runtime = folder();
    const umask = process.umask(0o777);
    onTestFinished(() => void process.umask(umask));
    expect(statSync(made({ runtime }).path).mode & 0o777).toBe(0o700);
  });

  test.for<[what: string, spoil: (runtime: string) => string | undefined]>([
    ["is not set", () => undefined],
    ["is empty", () => ""],
    ["is relative", (runtime) => runtime.slice(1)],
    ["does not exist", (runtime) => join(runtime, "missing")],
    ["is a file", (runtime) => file(join(runtime, "file"))],
    ["can be entered by others", (runtime) => withMode(runtime, 0o711)],
    ["is a symbolic link", (runtime) => link(join(runtime, "link"), folder())],
    ["is too long for sockets' paths", (runtime) => directory(join(runtime, "x".repeat(60)))],
  ])("is elsewhere when XDG_RUNTIME_DIR %s", ([, spoil]) => {
    const [runtime, fallback] = [spoil(folder()), shared()];
    expect(made({ runtime, fallback }).path.startsWith(`${fallback}/fence-`)).toBe(true);
  });

  test("leaves room for the longest name of a socket", () => {
    const base = folder();
    const room = 107 - Buffer.byteLength(`${base}//fence-0123456789abcdef/`) - maxSocketNameBytes;
    const fitting = directory(join(base, "x".repeat(room)));
    expect(made({ runtime: fitting, fallback: shared() }).socket("y".repeat(maxSocketNameBytes))).toHaveLength(107);
    const tooLong = directory(join(base, "x".repeat(room + 1)));
    expect(made({ runtime: tooLong, fallback: shared() }).path).not.toContain(tooLong);
  });

  test.for<[what: string, fallback: () => string]>([
    ["others can replace what is in it", () => withMode(folder(), 0o777)],
    ["it is no directory", () => link(join(folder(), "link"), shared())],
    ["it is no directory", () => "/missing"],
  ])("is not made where %s", ([what, fallback]) => {
    expect(() => made({ fallback: fallback() })).toThrow(
      expect.objectContaining({ code: "FENCE_LISTEN", message: expect.stringContaining(what) }),
    );
  });

  test("is made anew when a sweep was faster than its owner", () => {
    const runtime = folder();
    let sweeps = 0;
    const swept = doors({
      lock: (fd, operation) => {
        if (sweeps++ === 0) rmdirSync(join(runtime, readdirSync(runtime)[0] ?? ""));
        return addon.lock(fd, operation);
      },
    });
    const held = doors({ lock: (fd, operation) => (sweeps++ === 2 ? ewouldblock : addon.lock(fd, operation)) });
    expect(existsSync(made({ runtime }, swept).path)).toBe(true);
    expect(existsSync(made({ runtime }, held).path)).toBe(true);
    expect(sweeps).toBe(4);
  });

  test("is an error where nothing can be locked, and leaves nothing", () => {
    const runtime = folder();
    expect(() => made({ runtime }, doors({ lock: () => enolck }))).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ syscall: "flock", errno: "ENOLCK" }) }),
    );
    expect(readdirSync(runtime)).toEqual([]);
    expect(() => made({ runtime }, doors({ lock: () => ewouldblock }))).toThrow("each one was taken");
  });

  test.for(["exit", "throw", "end"])("goes when its process ends by %s", async (way) => {
    const runtime = folder();
    const child = started(runtime, [way]);
    expect(await said(child)).toBe("made");
    expect(readdirSync(runtime)).toHaveLength(1);
    child.send("go");
    await once(child, "exit");
    expect(readdirSync(runtime)).toEqual([]);
  });
});

describe("the sweep", () => {
  test("removes what a killed process has left, with its sockets, and nothing that is in use", async () => {
    const [runtime, fallback] = [folder(), shared()];
    const [inUse, elsewhere] = [made({ runtime, fallback }), made({ fallback })];
    const child = started(runtime, ["exit"]);
    expect(await said(child)).toBe("made");
    expect(sweep({ runtime, fallback })).toBe(0);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(readdirSync(runtime)).toHaveLength(2);
    abandoned(fallback, "fence-00000000000000aa");
    expect(sweep({ runtime, fallback })).toBe(2);
    expect(readdirSync(runtime)).toEqual([inUse.path.slice(runtime.length + 1)]);
    expect(readdirSync(fallback)).toEqual([elsewhere.path.slice(fallback.length + 1)]);
  });

  test.for<[what: string, make: (base: string) => void]>([
    ["has another name", (base) => abandoned(base, "fence-0123456789abcdeX")],
    ["is open to others", (base) => void withMode(abandoned(base, "fence-0123456789abcdef"), 0o755)],
    ["is a file", (base) => void file(join(base, "fence-0123456789abcdef"))],
    ["is a symbolic link", (base) => void link(join(base, "fence-0123456789abcdef"), abandoned(folder(), "elsewhere"))],
    ["has a file in it", (base) => void file(join(abandoned(base, "fence-0123456789abcdef"), "file"))],
    [
      "has a directory in it",
      (base) => void directory(join(abandoned(base, "fence-0123456789abcdef"), "fence-0123456789abcdef")),
    ],
  ])("leaves alone what %s", ([, make]) => {
    const runtime = folder();
    make(runtime);
    const before = readdirSync(runtime, { recursive: true });
    expect(sweep({ runtime })).toBe(0);
    expect(readdirSync(runtime, { recursive: true })).toEqual(before);
  });

  test("leaves alone what belongs to another user", (context) => {
    requires("root")(context);
    const fallback = shared();
    chownSync(abandoned(fallback, "fence-0123456789abcdef"), stranger, stranger);
    expect(sweep({ fallback })).toBe(0);
    expect(readdirSync(fallback)).toHaveLength(1);
  });

  test("leaves alone what another process has made in the place of what was there", () => {
    const runtime = folder();
    const path = abandoned(runtime, "fence-0123456789abcdef");
    const replaced = doors({
      lock: (fd, operation) => {
        const result = addon.lock(fd, operation);
        rmdirSync(path);
        mkdirSync(path, 0o700);
        return result;
      },
    });
    expect(sweep({ runtime }, replaced)).toBe(0);
    expect(existsSync(path)).toBe(true);
  });

  test("does a bounded amount at a time", () => {
    const runtime = folder();
    for (let i = 0; i < 100; i++) abandoned(runtime, `fence-${String(i).padStart(16, "0")}`);
    const first = sweep({ runtime });
    expect(first).toBeLessThan(100);
    expect(first + sweep({ runtime })).toBe(100);
    expect(readdirSync(runtime)).toEqual([]);
  });

  test("never takes what other processes are making, whoever is faster", async () => {
    const runtime = folder();
    const children = Array.from({ length: 4 }, () => started(runtime, ["race", "150"]));
    expect(await Promise.all(children.map(said))).toEqual(children.map(() => "lost 0"));
    expect(readdirSync(runtime)).toEqual([]);
  });
});

interface Places {
  readonly runtime?: string | undefined;
  readonly fallback?: string;
}

function options({ runtime, fallback = shared() }: Places) {
  return { environment: { XDG_RUNTIME_DIR: runtime }, uid, fallback };
}

function made(places: Places, from: Addon = addon): RuntimeDirectory {
  const directory = RuntimeDirectory.make(from, options(places));
  onTestFinished(() => directory.close());
  return directory;
}

function sweep(places: Places, from: Addon = addon): number {
  return sweepRuntimeDirectories(from, options(places));
}

function started(runtime: string, args: readonly string[]): ChildProcess {
  const child = fork(fileURLToPath(new URL("runtime-directory-child.ts", import.meta.url)), [...args], {
    execArgv: ["--disable-warning=ExperimentalWarning"],
    env: { ...process.env, XDG_RUNTIME_DIR: runtime },
    stdio: ["ignore", "inherit", "ignore", "ipc"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

async function said(child: ChildProcess): Promise<unknown> {
  return (await once(child, "message"))[0];
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "fr-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** As /tmp is. */
function shared(): string {
  return withMode(folder(), 0o1777);
}

function withMode(path: string, mode: number): string {
  chmodSync(path, mode);
  return path;
}

function directory(path: string): string {
  mkdirSync(path, 0o700);
  return path;
}

function file(path: string): string {
  writeFileSync(path, "", { mode: 0o600 });
  return path;
}

function link(path: string, target: string): string {
  symlinkSync(target, path);
  return path;
}

/** As a killed process leaves one, without a lock. */
function abandoned(base: string, name: string): string {
  return directory(join(base, name));
}

async function socketAt(path: string): Promise<void> {
  const server = createServer().listen(path);
  onTestFinished(() => void server.close());
  await once(server, "listening");
}
