import { expect, test } from "vitest";
import type { Addon } from "../../../src/sys/addon.ts";
import { Keeper, type KeptBridges } from "../../../src/sys/keeper.ts";
import { type MessageKind, protocol } from "../../../src/sys/protocol.ts";
import { failure } from "../../kit/errors.ts";

const { kinds, magic, messageBytes } = protocol;
const kindOf = (number: number) => Object.entries(kinds).find(([, value]) => value === number)?.[0];

interface Sent {
  readonly kind: string | undefined;
  readonly value: number;
  readonly descriptors: readonly number[];
  readonly payload: string;
}

/** The keeper as the addon shows it; `answer` is what it says to READY: step, index, error, or a result of recvmsg. */
function keeper(answer: readonly [MessageKind | 0, number, number] | number = [0, 0, 0], doors: Partial<Addon> = {}) {
  const sent: Sent[] = [];
  const closed: number[] = [];
  const files: string[] = [];
  const addon = {
    sendMessage(_: number, bytes: Buffer, first: number, second: number) {
      expect(bytes.readUInt32LE(0)).toBe(magic);
      const descriptors = [first, second].filter((fd) => fd >= 0);
      const payload = bytes.subarray(messageBytes).toString();
      sent.push({ kind: kindOf(bytes.readUInt32LE(4)), value: bytes.readUInt32LE(8), descriptors, payload });
      return bytes.length;
    },
    receiveMessage(_: number, bytes: Buffer) {
      if (typeof answer === "number") return answer;
      const [kind, index, error] = answer;
      const numbers = [magic, kinds.kept, 0, kind === 0 ? 0 : kinds[kind], index, error];
      numbers.forEach((number, place) => {
        bytes.writeUInt32LE(number, 4 * place);
      });
      return bytes.length;
    },
    openPath: (path: Buffer) => (path.toString() === "/run" ? 90 : -2),
    sealedFile: (bytes: Buffer) => 100 + files.push(bytes.toString()) - 1,
    closeDescriptor: (fd: number) => closed.push(fd),
    ...doors,
  };
  return { keeper: new Keeper(addon as unknown as Addon, 4), sent, closed, files };
}

const listeners = { descriptors: [10, 11], socketFiles: ["/run/no-such-listener"] };
const bridges: KeptBridges = {
  targets: ["/run/target"],
  relayPlan: Buffer.from("the plan"),
  ruleset: 12,
  filter: Buffer.from("the filter"),
  status: 13,
  idleReport: Buffer.from("the end"),
  debug: 14,
  hasReaper: false,
};

test("the keeper gets everything, then is asked whether that was all right", () => {
  const { keeper: door, sent, closed, files } = keeper();
  door.expect(["/run/no-such-listener"]);
  door.hold(listeners);
  door.keep({ ...bridges, hasReaper: true });
  const plain = { value: 0, descriptors: [], payload: "" };
  expect(sent).toEqual([
    { ...plain, kind: "socketPlace", value: 1, descriptors: [90], payload: "no-such-listener\0" },
    { ...plain, kind: "socketFile", value: 0 },
    { ...plain, kind: "listener", descriptors: [10] },
    { ...plain, kind: "listener", descriptors: [11] },
    { ...plain, kind: "mayConnect", payload: "/run/target\0" },
    { ...plain, kind: "relayPlan", descriptors: [100] },
    { ...plain, kind: "ruleset", descriptors: [12] },
    { ...plain, kind: "filter", payload: "the filter" },
    { ...plain, kind: "status", descriptors: [13, 101] },
    { ...plain, kind: "debug", descriptors: [14] },
    { ...plain, kind: "ready", value: 1 },
  ]);
  expect(files).toEqual(["the plan", "the end"]);
  expect(closed, "what it has opened itself").toEqual([90, 100, 101]);
});

test("the keeper hears whether something stands in a listener's place", () => {
  const { keeper: door, sent } = keeper([0, 0, 0], { openPath: () => 90 });
  door.expect(["/dev/null", "/no/such/listener", "/dev/null/listener"]);
  expect(sent.map(({ value }) => value)).toEqual([0, 1, 0]);
});

test("a directory that cannot be opened is an error once a listener was made in it all the same", () => {
  const { keeper: door, sent } = keeper();
  door.expect(["/gone/listen", "/run/no-such-listener"]);
  door.hold(listeners);
  expect(sent.find(({ kind }) => kind === "socketFile")).toMatchObject({ value: 0 });
  const error = failure(() => door.hold({ descriptors: [], socketFiles: ["/gone/listen"] }));
  expect(error.details).toMatchObject({ syscall: "open", errno: "ENOENT" });
});

test("what there is none of is not sent", () => {
  const { keeper: door, sent } = keeper();
  door.keep({ ...bridges, ruleset: -1, status: -1, debug: -1 });
  expect(sent.map(({ kind }) => kind)).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/ruleset|status|debug/)]),
  );
  expect(sent.at(-1)).toMatchObject({ kind: "ready", value: 0 });
});

test("a target that may not be connected to is named, with the remedy", () => {
  const error = failure(() => keeper(["mayConnect", 0, 13]).keeper.keep(bridges));
  expect(error).toMatchObject({
    code: "FENCE_BRIDGE",
    message: "the bridge process may not connect to /run/target: faccessat2: EACCES (permission denied)",
  });
  expect(error.details).toMatchObject({ path: "/run/target", hint: expect.stringContaining("no capabilities") });
});

test("anything else that the keeper refuses is named by what it was", () => {
  expect(failure(() => keeper(["listener", 1, 24]).keeper.keep(bridges)).message).toBe(
    "the keeper cannot take a listener: recvmsg: EMFILE (too many open files)",
  );
});

test.for([
  ["that has ended", 0, "ECONNRESET"],
  ["that cannot be heard", -104, "ECONNRESET"],
] as const)("a keeper %s is an error", ([, result, errno]) => {
  expect(failure(() => keeper(result).keeper.keep(bridges)).details.errno).toBe(errno);
});

test("a memory file that cannot be made is an error, and nothing is kept", () => {
  const { keeper: door, sent } = keeper([0, 0, 0], { sealedFile: () => -24 });
  expect(failure(() => door.keep(bridges)).details).toMatchObject({ syscall: "memfd_create", errno: "EMFILE" });
  expect(sent.map(({ kind }) => kind)).not.toContain("ready");
});

test("a keeper is dismissed once", () => {
  const { keeper: door, sent, closed } = keeper();
  door.dismiss();
  door.dismiss();
  expect(sent.map(({ kind }) => kind)).toEqual(["exit"]);
  expect(closed).toEqual([4]);
});
