import { expect, test } from "vitest";
import { protocol } from "../../../src/sys/protocol.ts";
import { readHeader } from "../../kit/c-header.ts";

const { macros, enums, structs } = readHeader("stub/protocol.h");

test("magic and message size are those of protocol.h", () => {
  expect(protocol.magic).toBe(macros["PROTOCOL_MAGIC"]);
  expect(Buffer.from(Uint32Array.of(protocol.magic).buffer).toString()).toBe("FNCP");
  expect(protocol.messageBytes).toBe(structs["message"]?.sizeBytes);
});

test("the kinds of messages are those of protocol.h, each and no other", () => {
  const names = Object.entries(protocol.kinds).map(([kind, number]) => [
    `MESSAGE_${kind.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
    number,
  ]);
  expect(Object.fromEntries(names)).toEqual(enums["message_kind"]);
});
