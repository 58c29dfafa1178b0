import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import realAddon from "landlock-napi/addon";
import { describe, expect, onTestFinished } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { type Address, formatAddress } from "../../../src/bridge/address.ts";
import { closeListener, inheritListener, type Listener, openListeners } from "../../../src/bridge/listener.ts";
import { doors, type Kind, type Stage, test, ways } from "../../kit/bridges.ts";
import { received, whole } from "../../kit/bytes.ts";

const child = fileURLToPath(new URL("inherited-child.ts", import.meta.url));
const hello = Buffer.from("hello");

describe("a listener that another process keeps", () => {
  test.for(ways)("%s -> %s: a process that ends leaves it, with its file, to the next one", async (way, { stage }) => {
    const target = await stage.target(way[1], (socket) => socket.pipe(socket));
    const kept = opened(stage, way[0]);
    const first = relaying(kept, target);
    expect(await received(stage.client(kept.address).end(hello))).toEqual(whole(hello));
    expect(await first.stopped()).toEqual([
      {
        listen: formatAddress(kept.address),
        connect: formatAddress(target),
        accepted: 1,
        refused: 0,
        open: 0,
        bytesToTarget: hello.length,
        bytesToClient: hello.length,
      },
    ]);
    if (kept.address.kind === "unix") expect(existsSync(kept.address.path)).toBe(true);
    const waiting = stage.client(kept.address).end(hello);
    await once(waiting, "connect");
    const second = relaying(kept, target);
    expect(await received(waiting)).toEqual(whole(hello));
    expect(await second.stopped()).toMatchObject([{ accepted: 1 }]);
  });

  test.for(ways)(
    "%s -> %s: whoever waits when a process is killed is served by the next one",
    async (way, { stage }) => {
      const target = await stage.target(way[1], (socket) => socket.pipe(socket));
      const kept = opened(stage, way[0]);
      const first = relaying(kept, target);
      const lost = stage.client(kept.address);
      lost.write(hello);
      await once(lost, "data");
      first.kill();
      await once(lost, "end");
      const waiting = stage.client(kept.address).end(hello);
      await once(waiting, "finish");
      relaying(kept, target);
      expect(await received(waiting)).toEqual(whole(hello));
    },
  );

  test("may be a descriptor that is open and listens on that address, and no other", ({ stage }) => {
    const [kept, other] = [opened(stage, "unix"), opened(stage, "tcp")];
    expect(inheritListener(realAddon, kept.fd, kept.address)).toEqual({ ...kept, file: "not-ours" });
    expect(() => inheritListener(realAddon, kept.fd, other.address)).toThrow("was to listen on tcp:127.0.0.1");
    expect(failure(() => inheritListener(realAddon, -1, kept.address)).details).toMatchObject({
      step: "open-bridges",
      syscall: "getsockname",
      errno: "EBADF",
    });
    const blocking = doors({ setNonblocking: () => -1 });
    expect(failure(() => inheritListener(blocking, kept.fd, kept.address)).details).toMatchObject({
      syscall: "fcntl",
      errno: "EPERM",
    });
  });
});

describe("a listener that was handed over", () => {
  test.for<Kind>(["tcp", "tcp6", "unix"])("may be of any family: %s", (kind, { stage }) => {
    const { fd } = opened(stage, kind);
    expect(inheritListener(realAddon, fd, { kind: "descriptor", descriptor: 7 })).toEqual({
      fd,
      address: { kind: "descriptor", descriptor: 7 },
      kind: kind === "unix" ? "unix" : "tcp",
      file: "not-ours",
    });
  });

  test("must listen, and what does not is closed again", () => {
    const closed: number[] = [];
    const counted = doors({ closeDescriptor: (fd) => closed.push(fd) });
    const address = { kind: "descriptor", descriptor: 7 } as const;
    for (const [fd, errno] of [
      [realAddon.socket(2), "EINVAL"],
      [realAddon.epollCreate(), "ENOTSOCK"],
    ] as const) {
      const { message, details } = failure(() => openListeners(counted, [address], () => fd));
      expect(message).toContain(`cannot listen on fd:7: getsockopt: ${errno}`);
      expect(details.hint).toContain("listen(2)");
      expect(closed.splice(0)).toEqual([fd]);
      realAddon.closeDescriptor(fd);
    }
    const unknown = doors({ listeningFamily: () => 40 });
    expect(failure(() => inheritListener(unknown, 0, address)).details).toMatchObject({ errno: "EAFNOSUPPORT" });
    expect(() => openListeners(realAddon, [address])).toThrow("nobody gives descriptors here");
  });
});

function opened(stage: Stage, kind: Kind): Listener {
  const [listener] = openListeners(realAddon, [stage.freeAddress(kind)]);
  if (listener === undefined) throw new Error("no listener");
  onTestFinished(() => {
    expect(closeListener(realAddon, listener)).toBe(null);
  });
  return listener;
}

/** A bridge in a child process on this process's listener. */
function relaying({ fd, address }: Listener, target: Address) {
  const node = ["--disable-warning=ExperimentalWarning", child, formatAddress(address), formatAddress(target)];
  const started = spawn(process.execPath, node, { stdio: [fd, "pipe", "inherit"] });
  if (started.stdout === null) throw new Error("no pipe");
  const stdout = text(started.stdout);
  onTestFinished(() => void started.kill("SIGKILL"));
  return {
    kill: () => started.kill("SIGKILL"),
    stopped: async (): Promise<unknown> => {
      started.kill("SIGTERM");
      return JSON.parse(await stdout);
    },
  };
}

function failure(inherit: () => unknown): FenceError {
  try {
    inherit();
  } catch (error) {
    if (error instanceof FenceError && error.code === "FENCE_LISTEN") return error;
    throw error;
  }
  throw new Error("it was inherited");
}
