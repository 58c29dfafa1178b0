import { describe, expect, test } from "vitest";
import type { Addon } from "../../../src/sys/addon.ts";
import { protocol } from "../../../src/sys/protocol.ts";
import { WaitingProcess } from "../../../src/sys/stub.ts";
import { readHeader } from "../../kit/c-header.ts";
import { failure } from "../../kit/errors.ts";

const offsets = readHeader("stub/protocol.h").structs["message"]?.offsets ?? {};

interface Message {
  readonly kind: number;
  readonly value?: number;
  readonly step?: number;
  readonly index?: number;
  readonly error?: number;
  readonly descriptor?: number;
  /** The signals behind a front's answer. */
  readonly signals?: readonly [blocked: bigint, ignored: bigint];
}

interface Sent {
  readonly kind: number;
  readonly value: number;
  readonly index?: number;
  readonly descriptors: readonly number[];
}

const front: Message = {
  kind: protocol.kinds.taken,
  descriptor: 11,
  value: 8,
  index: 7,
  step: 0b101,
  signals: [1n << 12n, 1n << 63n],
};

/** P0 as the addon shows it: `answers` are what it says, one at each receive; a number is a result without a message. */
function waiting(answers: readonly (Message | number)[], doors: Partial<Addon> = {}) {
  const sent: Sent[] = [];
  const closed: number[] = [];
  const left = [...answers];
  const addon = {
    sendMessage(_: number, bytes: Buffer, first: number, second: number) {
      expect(bytes.length).toBe(protocol.messageBytes);
      expect(bytes.readUInt32LE(offsets["magic"])).toBe(protocol.magic);
      const [kind, value] = [bytes.readUInt32LE(offsets["kind"]), bytes.readUInt32LE(offsets["value"])];
      sent.push({ kind, value, descriptors: [first, second] });
      return bytes.length;
    },
    receiveMessage(_: number, bytes: Buffer, descriptor: Int32Array) {
      const message = left.shift() ?? 0;
      if (typeof message === "number") return message;
      const { descriptor: carried = -1, signals = [], ...numbers } = { magic: protocol.magic, ...message };
      for (const [name, number] of Object.entries(numbers)) bytes.writeUInt32LE(number, offsets[name]);
      for (const [i, mask] of signals.entries()) bytes.writeBigUInt64LE(mask, protocol.messageBytes + 8 * i);
      descriptor[0] = carried;
      return bytes.length;
    },
    sendDescriptors(_: number, bytes: Buffer, descriptors: Int32Array) {
      const [kind, value] = [bytes.readUInt32LE(offsets["kind"]), bytes.readUInt32LE(offsets["value"])];
      const index = bytes.readUInt32LE(offsets["index"]);
      sent.push({ kind, value, index, descriptors: [...descriptors] });
      return 0;
    },
    sealedFile: () => 40,
    closeDescriptor: (fd: number) => closed.push(fd),
    watch(_: number, readable: () => void) {
      queueMicrotask(readable);
      return 1;
    },
    unwatch: () => 0,
    ...doors,
  };
  return { process: new WaitingProcess(addon as unknown as Addon, 4), sent, closed };
}

describe("a descriptor of the caller's", () => {
  test("is asked for by its number and comes as another", () => {
    const { process, sent } = waiting([{ kind: protocol.kinds.taken, descriptor: 11 }]);
    expect(process.takeDescriptor(6, "--status-fd")).toBe(11);
    expect(sent).toEqual([{ kind: protocol.kinds.take, value: 6, descriptors: [-1, -1] }]);
  });

  test("that is not open is a mistake of the user's, and named", () => {
    const { process } = waiting([{ kind: protocol.kinds.taken, error: 9 }]);
    const error = failure(() => process.takeDescriptor(6, "--status-fd"));
    expect(error).toMatchObject({ code: "FENCE_USAGE", message: "--status-fd must be an open descriptor, got 6" });
    expect(error.details.errno).toBe("EBADF");
  });
});

describe("the process that becomes the program", () => {
  test.for([
    [{ place: "none" }, 0],
    [{ place: "alone" }, 1],
    [{ place: "inside", control: 9 }, 2],
  ] as const)("is referred to by a pidfd (%o)", ([reaper, value]) => {
    const { process, sent } = waiting([{ kind: protocol.kinds.taken, descriptor: 11 }]);
    process.refer(reaper);
    expect(sent).toEqual([{ kind: protocol.kinds.refer, value, descriptors: [-1, -1] }]);
    expect(process.pidfd).toBe(11);
    expect(process.hasReaper).toBe(reaper.place !== "none");
  });

  test("tells the front's descriptor, which streams the caller had closed, and its signals", () => {
    const { process, sent } = waiting([front]);
    const ends = { control: 7, closedStreams: [0, 2], blockedSignals: 1n << 12n, ignoredSignals: 1n << 63n };
    expect(process.referToFront()).toEqual(ends);
    expect(process.referToFront()).toEqual(ends);
    expect(sent).toEqual([{ kind: protocol.kinds.refer, value: 3, descriptors: [-1, -1] }]);
    expect(process.hasReaper).toBe(true);
  });

  test("forks when it is asked, and is heard later, before it answers anything else", () => {
    const { process, sent } = waiting([front, { kind: protocol.kinds.taken, descriptor: 12 }]);
    process.askFront();
    process.askFront();
    expect(process.takeDescriptor(6, "--status-fd")).toBe(12);
    expect(process.pidfd).toBe(11);
    expect(sent.map(({ kind }) => kind)).toEqual([protocol.kinds.refer, protocol.kinds.take]);
  });

  test("inherits what it is given under the numbers that are free there, all in one message before the plan", () => {
    const { process, sent } = waiting([front]);
    process.referToFront();
    expect([30, 31, 30].map((fd) => process.give(fd))).toEqual([8, 9, 10]);
    expect(sent.length).toBe(1);
    process.start(Buffer.from("plan"), -1);
    expect(sent.slice(1)).toEqual([
      { kind: protocol.kinds.give, value: 3, index: 8, descriptors: [30, 31, 30] },
      { kind: protocol.kinds.execPlan, value: 4, descriptors: [40, -1] },
    ]);
  });

  test("is given more than a message may have in several", () => {
    const { process, sent } = waiting([front]);
    process.referToFront();
    const all = Array.from({ length: 600 }, (_, i) => i + 100);
    expect(all.map((fd) => process.give(fd))).toEqual(all.map((_, i) => i + 8));
    process.start(Buffer.from("plan"), -1);
    const given = sent.filter(({ kind }) => kind === protocol.kinds.give);
    expect(given.map(({ index, value }) => [index, value])).toEqual([
      [8, 253],
      [261, 253],
      [514, 94],
    ]);
    expect(given.flatMap(({ descriptors }) => descriptors)).toEqual(all);
  });

  test.for([
    [0, 9, "fcntl: EBADF (bad file descriptor)"],
    [7, 24, "recvmsg: EMFILE (too many open files)"],
  ] as const)("names the call when it cannot take what it is given (%i)", async ([value, error, says]) => {
    const { process, sent } = waiting([front, { kind: protocol.kinds.taken, value, error }]);
    process.referToFront();
    process.give(30);
    process.start(Buffer.from("plan"), -1);
    await expect(process.started()).rejects.toMatchObject({
      code: "FENCE_STUB",
      message: `cannot pass a descriptor on: ${says}`,
    });
    process.exit(125);
    expect(sent.at(-1)).toMatchObject({ kind: protocol.kinds.exit, value: 125 });
  });

  test.for([
    ["none", 1, "sendmsg"],
    ["alone", 2, "clone"],
    ["none", 3, "pidfd_open"],
  ] as const)("that cannot be referred to names the call (%s, %i)", ([place, value, syscall]) => {
    const { process } = waiting([{ kind: protocol.kinds.taken, error: 11, value }]);
    expect(failure(() => process.refer({ place })).message).toBe(
      `cannot refer to the program's own process: ${syscall}: EAGAIN (resource temporarily unavailable)`,
    );
  });
});

describe("the exec plan", () => {
  const plan = Buffer.from("a plan");

  test("is handed over with its size, as a sealed file beside the ruleset, and the file is closed", () => {
    const { process, sent, closed } = waiting([]);
    process.start(plan, 20);
    expect(sent).toEqual([{ kind: protocol.kinds.execPlan, value: plan.length, descriptors: [40, 20] }]);
    expect(closed).toEqual([40]);
  });

  test("that cannot be made a file is not handed over", () => {
    const { process, sent } = waiting([], { sealedFile: () => -24 });
    expect(failure(() => process.start(plan, -1)).message).toBe(
      "cannot make the exec plan's memory file: memfd_create: EMFILE (too many open files)",
    );
    expect(sent).toEqual([]);
  });

  test("cannot be handed to a process that has ended", () => {
    const { process } = waiting([], { sendMessage: () => -32 });
    expect(failure(() => process.start(plan, -1))).toMatchObject({
      code: "FENCE_EXEC_PLAN",
      message: "the process that becomes the program has ended: sendmsg: EPIPE (broken pipe)",
    });
  });
});

describe("the outcome", () => {
  test("is the program when the socket closes; P0 is not told to exit any more", async () => {
    const { process, sent } = waiting([0]);
    expect(await process.started()).toBeNull();
    process.exit(125);
    expect(sent).toEqual([]);
  });

  test("is the step that failed, with its errno as system calls return it; P0 then exits as it is told", async () => {
    const { process, sent } = waiting([{ kind: protocol.kinds.failed, value: 2, step: 0xb0, index: 6, error: 2 }]);
    expect(await process.started()).toEqual({ type: 0xb0, index: 6, call: 2, result: -2 });
    process.exit(127);
    expect(sent).toEqual([{ kind: protocol.kinds.exit, value: 127, descriptors: [-1, -1] }]);
  });

  test("cannot be heard when the socket fails", async () => {
    await expect(waiting([-104]).process.started()).rejects.toMatchObject({ code: "FENCE_EXEC_PLAN" });
    await expect(waiting([], { watch: () => -9 }).process.started()).rejects.toMatchObject({ code: "FENCE_EXEC_PLAN" });
  });

  test.for([{ kind: 99 }, { kind: protocol.kinds.taken }])(
    "of a message that makes no sense is our mistake",
    async (message) => {
      await expect(waiting([message]).process.started()).rejects.toMatchObject({ code: "FENCE_BUG" });
    },
  );
});
