import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { hostPath } from "../../../src/base/paths.ts";
import { Gate } from "../../../src/launcher/gate.ts";
import { LaunchedEnds } from "../../../src/launcher/launched-ends.ts";
import { MountCheck } from "../../../src/launcher/mount-check.ts";
import { Sandbox } from "../../../src/launcher/sandbox.ts";
import type { Addon } from "../../../src/sys/addon.ts";
import { LaunchedProcess } from "../../../src/sys/launched.ts";
import type { WaitingProcess } from "../../../src/sys/stub.ts";
import { type FailingAddon, failingAddon } from "../../kit/failing-addon.ts";

const emfile = -24;
const waiting = {
  referToFront: () => ({ control: 5, closedStreams: [], blockedSignals: 0n, ignoredSignals: 0n }),
  give: () => 9,
} as unknown as WaitingProcess;
const published = { host: "127.0.0.1", hostPort: 8080, port: 80 };
const told = { listener: () => {}, ready: () => {} };

/** Each uses the launcher's doors, and answers what closes all that it has opened. */
const uses: Readonly<Record<string, (addon: Addon) => (() => void) | Promise<() => void>>> = {
  "the process that becomes the program": (addon) => {
    const first = new LaunchedProcess(addon, told);
    try {
      first.send({ control: 5, sockets: 0 }, Buffer.from("plan"), 1);
      first.sent();
      void first.outcome();
    } catch (error) {
      first.close();
      throw error;
    }
    return () => first.close();
  },
  "what waits to become bubblewrap": (addon) => {
    const sandbox = new Sandbox(addon, waiting, { descriptor: 2 });
    try {
      sandbox.giveBytes(Buffer.from("bytes"), "a test");
    } catch (error) {
      sandbox.close();
      throw error;
    }
    return () => sandbox.close();
  },
  "the network": async (addon) => {
    const ends = await LaunchedEnds.open({
      addon,
      decision: { bridges: { httpProxy: null, socksProxy: null, localPorts: [9999], publish: [published] } },
      around: { uid: 0, directory: hostPath("/"), home: hostPath("/"), environment: {} } as never,
      log: { denied: () => {} },
      part: null,
      crashed: () => {},
    });
    return () => ends.close();
  },
};

/** Without Landlock there is no ruleset; without IPv6 no listener there. What a pipe or a socket could not be told is seen later. */
const canBeDoneWithout = ["landlockAbi", "landlockErrata", "socket", "setNonblocking", "epollControl"];

async function tryUse(name: string, fake: FailingAddon): Promise<unknown> {
  try {
    (await uses[name]?.(fake.addon))?.();
    return null;
  } catch (error) {
    return error;
  }
}

describe.for(Object.keys(uses))("%s", (name) => {
  test("closes what it has opened", async () => {
    const fake = failingAddon();
    expect(await tryUse(name, fake)).toBeNull();
    expect(fake.calls).not.toEqual([]);
    expect([fake.open.size, fake.watches.size]).toEqual([0, 0]);
  });

  test("whichever call fails, names the step and the call, and leaves nothing open", async () => {
    const whole = failingAddon();
    await tryUse(name, whole);
    for (const [at, call] of whole.calls.entries()) {
      const fake = failingAddon({ at, result: emfile });
      const error = await tryUse(name, fake);
      const what = `${call}, call ${at}`;
      expect([fake.open.size, fake.watches.size], what).toEqual([0, 0]);
      if (error === null) expect(canBeDoneWithout, what).toContain(call);
      else {
        expect(error, what).toBeInstanceOf(FenceError);
        const { code, details } = error as FenceError;
        expect({ code, details }, what).toMatchObject({ details: { errno: "EMFILE", syscall: expect.any(String) } });
        expect(code, what).not.toBe("FENCE_BUG");
      }
    }
  });
});

describe("a start that cannot be sent", () => {
  test("fails at once, before anything that counts on it, and leaves nothing open", () => {
    const fake = failingAddon();
    const start = () => {
      throw new FenceError("FENCE_EXEC_PLAN", "cannot send to the waiting process", {});
    };
    const sandbox = new Sandbox(fake.addon, { ...waiting, start } as unknown as WaitingProcess, { descriptor: 2 });
    sandbox.giveBytes(Buffer.from("bytes"), "a test");
    expect(() => sandbox.start({ path: "/usr/bin/bwrap", argv: ["bwrap"] })).toThrow("cannot send");
    sandbox.close();
    expect([fake.open.size, fake.watches.size]).toEqual([0, 0]);
  });
});

describe("the check of mounts", () => {
  /** It opens the reading end of its gate again, for which it needs a real one: that alone is left out here. */
  test("whichever call fails until it opens its pipe again, leaves nothing open", () => {
    for (const at of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
      const fake = failingAddon({ at, result: emfile });
      const tried = () => {
        const sandbox = new Sandbox(fake.addon, waiting, { descriptor: 2 });
        try {
          return new MountCheck(fake.addon, sandbox);
        } finally {
          sandbox.close();
        }
      };
      expect(tried, `call ${at}: ${fake.calls}`).toThrow(/EMFILE|ENOENT/);
      expect([fake.open.size, fake.watches.size], `call ${at}: ${fake.calls}`).toEqual([0, 0]);
    }
  });
});

test("a gate that is open is held by nobody: its numbers may be those of other files", () => {
  const fake = failingAddon();
  const ends = new Int32Array(2);
  fake.addon.pipe(ends);
  const gate = new Gate(fake.addon, ends[1] ?? -1);
  expect(gate.isHeld).toBe(true);
  gate.open();
  expect([gate.isHeld, gate.holders]).toEqual([false, []]);
});

describe("what the launcher cannot hear, or cannot pass on,", () => {
  const started = (doors: Partial<Addon>, ready = () => {}) => {
    const fake = failingAddon(null, doors);
    const first = new LaunchedProcess(fake.addon, { ...told, ready });
    first.send({ control: 5, sockets: 0 }, Buffer.from("plan"), 1);
    const outcome = first.outcome();
    for (const readable of fake.watches.values()) readable();
    first.close();
    return { fake, outcome };
  };

  test("is the outcome, and nothing is left open", async () => {
    const { fake, outcome } = started({ receiveMessage: () => emfile });
    await expect(outcome).rejects.toMatchObject({
      code: "FENCE_LAUNCH",
      details: { step: "start-sandbox", syscall: "recvmsg", errno: "EMFILE" },
    });
    expect([fake.open.size, fake.watches.size]).toEqual([0, 0]);
  });

  test("is the outcome also of whoever is told", async () => {
    const receiveMessage = (_: number, bytes: Buffer, received: Int32Array) => {
      Buffer.from(Uint32Array.of(0x50434e46, 24, 0, 0, 0, 0).buffer).copy(bytes);
      received.fill(-1);
      return bytes.length;
    };
    const { outcome } = started({ receiveMessage: receiveMessage as never }, () => {
      throw new FenceError("FENCE_STATUS", "cannot write", {});
    });
    await expect(outcome).rejects.toMatchObject({ code: "FENCE_STATUS" });
  });
});
