import { expect, test } from "vitest";
import { protocol } from "../../../src/sys/protocol.ts";
import { takenCall } from "../../../src/sys/stub.ts";
import { readHeader } from "../../kit/c-header.ts";

const { macros, enums, structs } = readHeader("stub/protocol.h");

test("magic and message size are those of protocol.h", () => {
  expect(protocol.magic).toBe(macros["PROTOCOL_MAGIC"]);
  expect(Buffer.from(Uint32Array.of(protocol.magic).buffer).toString()).toBe("FNCP");
  expect(protocol.messageBytes).toBe(structs["message"]?.sizeBytes);
  expect(protocol.signalsBytes).toBe(structs["message_signals"]?.sizeBytes);
  expect(protocol.givenDescriptors).toBe(macros["GIVEN_DESCRIPTORS"]);
});

test("the calls that TAKEN names are those of protocol.h", () => {
  const calls = Object.entries(enums["taken_call"] ?? {});
  expect(calls.map(([, value]) => `TAKEN_${takenCall({ value }).toUpperCase()}`)).toEqual(calls.map(([name]) => name));
});

test("the kinds of messages are those of protocol.h, each and no other", () => {
  const names = Object.entries(protocol.kinds).map(([kind, number]) => [
    `MESSAGE_${kind.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
    number,
  ]);
  expect(Object.fromEntries(names)).toEqual(enums["message_kind"]);
});
