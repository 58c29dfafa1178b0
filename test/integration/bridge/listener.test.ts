import { existsSync, lstatSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import realAddon from "landlock-napi/addon";
import { describe, expect } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { type Address, formatAddress } from "../../../src/bridge/address.ts";
import { closeListener, type Listener, openListeners } from "../../../src/bridge/listener.ts";
import type { Addon } from "../../../src/sys/addon.ts";
import { doors, type Stage, test } from "../../kit/bridges.ts";
import { received } from "../../kit/bytes.ts";

const EACCES = 13;
const EADDRNOTAVAIL = 99;

describe("a Unix listener", () => {
  test("has mode 0600, whatever the umask", ({ stage }) => {
    for (const umask of [0o000, 0o022, 0o077]) {
      const before = process.umask(umask);
      const { path, listener } = listenOnPath(stage);
      process.umask(before);
      expect(lstatSync(path).mode & 0o7777).toBe(0o600);
      closeListener(realAddon, listener);
    }
  });

  test("has that mode before anybody could connect", ({ stage }) => {
    const modes: number[] = [];
    const before = process.umask(0);
    const { path, listener } = listenOnPath(stage, (path) => ({
      bind: (fd, address) => {
        const result = realAddon.bind(fd, address);
        modes.push(lstatSync(path).mode & 0o7777);
        return result;
      },
    }));
    process.umask(before);
    expect(modes).toEqual([0o600]);
    expect(listener.file).toMatchObject({ path });
    closeListener(realAddon, listener);
  });

  test("is refused where the file system keeps no modes, and its file removed", ({ stage }) => {
    const path = join(stage.directory(), "socket");
    const before = process.umask(0);
    const error = failure(() => openListeners(doors({ setMode: () => 0 }), [{ kind: "unix", path }]));
    process.umask(before);
    expect(error.message).toContain("others could connect to it");
    expect(existsSync(path)).toBe(false);
  });

  test("removes its file when it is closed", ({ stage }) => {
    const { path, listener } = listenOnPath(stage);
    closeListener(realAddon, listener);
    expect(existsSync(path)).toBe(false);
  });

  test("leaves a file that has taken its place", ({ stage }) => {
    const { path, listener } = listenOnPath(stage);
    // Renamed, not removed: the inode's number would be free for the new file.
    renameSync(path, `${path}.old`);
    writeFileSync(path, "somebody else's");
    closeListener(realAddon, listener);
    expect(existsSync(path)).toBe(true);
  });

  test("that was removed by somebody else is closed without a complaint", ({ stage }) => {
    const { path, listener } = listenOnPath(stage);
    unlinkSync(path);
    closeListener(realAddon, listener);
  });

  test("never takes the place of a stale socket", ({ stage }) => {
    const { path, listener } = listenOnPath(stage);
    realAddon.closeDescriptor(listener.fd);
    const error = failure(() => openListeners(realAddon, [{ kind: "unix", path }]));
    expect(error.message).toBe(`cannot listen on unix:${path}: bind: EADDRINUSE (address already in use)`);
    expect(error.details).toMatchObject({ step: "open-bridges", syscall: "bind", errno: "EADDRINUSE", path });
    expect(error.details.hint).toContain("remove the file when there is none");
    expect(existsSync(path)).toBe(true);
  });

  test.for(["there", "nowhere"])("never follows a symbolic link to %s", (kind, { stage }) => {
    const directory = stage.directory();
    const target = join(directory, "target");
    if (kind === "there") writeFileSync(target, "untouched");
    const path = join(directory, "link");
    symlinkSync(target, path);
    const error = failure(() => openListeners(realAddon, [{ kind: "unix", path }]));
    expect(error.details).toMatchObject({ errno: "EADDRINUSE", hint: expect.stringContaining("symbolic link") });
    expect(existsSync(target)).toBe(kind === "there");
  });

  test("never replaces another file", ({ stage }) => {
    const path = join(stage.directory(), "file");
    writeFileSync(path, "untouched");
    const error = failure(() => openListeners(realAddon, [{ kind: "unix", path }]));
    expect(error.details).toMatchObject({ errno: "EADDRINUSE", hint: expect.stringContaining("no socket") });
  });

  test("in a directory that does not exist says so", ({ stage }) => {
    const path = join(stage.directory(), "missing", "socket");
    const error = failure(() => openListeners(realAddon, [{ kind: "unix", path }]));
    expect(error.details).toMatchObject({ errno: "ENOENT", hint: "the directory does not exist" });
  });

  test("may have a path of 107 bytes", ({ stage }) => {
    const directory = stage.directory();
    const path = join(directory, "x".repeat(106 - Buffer.byteLength(directory)));
    const [listener] = openListeners(realAddon, [{ kind: "unix", path }]);
    expect(lstatSync(path).isSocket()).toBe(true);
    if (listener !== undefined) closeListener(realAddon, listener);
  });
});

describe("a TCP listener", () => {
  test.for(["tcp", "tcp6"] as const)("(%s) on a port that is taken says so", async (kind, { stage }) => {
    const address = await stage.target(kind);
    const error = failure(() => openListeners(realAddon, [address]));
    expect(error.message).toContain(`cannot listen on ${formatAddress(address)}: bind: EADDRINUSE`);
    expect(error.details.hint).toContain("another process listens on this port");
  });

  test.each([
    ["bind", -EADDRNOTAVAIL, "loopback interface"],
    ["bind", -EACCES, "CAP_NET_BIND_SERVICE"],
    ["socket", -97, "IPv6"],
  ] as const)("whose %s fails with %i gets a hint", (door, result, hint) => {
    const addon = doors({ [door]: () => result });
    const error = failure(() => openListeners(addon, [{ kind: "tcp", host: "127.0.0.1", port: 0 }]));
    expect(error.details).toMatchObject({ step: "open-bridges", syscall: door, hint: expect.stringContaining(hint) });
  });

  test.for(["tcp", "tcp6"] as const)(
    "(%s) can be opened again at once after its connections have ended",
    async (kind, { stage }) => {
      const target = await stage.target("unix", (socket) => socket.end("bye"));
      const { bridges, address } = stage.bridge(kind, target);
      const client = stage.client(address);
      await received(client.end());
      bridges.close();
      const [listener] = openListeners(realAddon, [address]);
      expect(listener?.address).toEqual(address);
      if (listener !== undefined) closeListener(realAddon, listener);
    },
  );
});

test("when one listener cannot be opened, none stays open and no file stays behind", ({ stage }) => {
  const path = join(stage.directory(), "socket");
  const opened: number[] = [];
  const addon = doors({
    socket: (family) => {
      const fd = realAddon.socket(family);
      opened.push(fd);
      return fd;
    },
    closeDescriptor: (fd) => {
      opened.splice(opened.indexOf(fd), 1);
      return realAddon.closeDescriptor(fd);
    },
  });
  const addresses: readonly Address[] = [
    { kind: "unix", path },
    { kind: "tcp", host: "127.0.0.1", port: 0 },
    { kind: "unix", path: join(path, "impossible") },
  ];
  expect(failure(() => openListeners(addon, addresses)).details.errno).toBe("ENOTDIR");
  expect(opened).toEqual([]);
  expect(existsSync(path)).toBe(false);
});

test.for(["socket", "setMode", "bind", "listen"] as const)("when %s fails nothing stays behind", (door, { stage }) => {
  const path = join(stage.directory(), "socket");
  const error = failure(() => openListeners(doors({ [door]: () => -EACCES }), [{ kind: "unix", path }]));
  expect(error.details).toMatchObject({ errno: "EACCES", path });
  expect(existsSync(path)).toBe(false);
});

function listenOnPath(stage: Stage, replaced: (path: string) => Partial<Addon> = () => ({})) {
  const path = join(stage.directory(), "socket");
  const [listener] = openListeners(doors(replaced(path)), [{ kind: "unix", path }]);
  return { path, listener: listener as Listener };
}

function failure(open: () => unknown): FenceError {
  try {
    open();
  } catch (error) {
    if (error instanceof FenceError && error.code === "FENCE_LISTEN") return error;
    throw error;
  }
  throw new Error("it was opened");
}
