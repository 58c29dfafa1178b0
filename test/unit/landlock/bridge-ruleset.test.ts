import { expect, test } from "vitest";
import { maskOf } from "../../../src/landlock/abi.ts";
import { chooseBridgeRuleset } from "../../../src/landlock/bridge-ruleset.ts";

const targets = { unixSockets: ["/run/proxy.sock"], tcpPorts: [3128] };

test("the bridge process may connect to its targets and is denied all else", () => {
  expect(chooseBridgeRuleset(targets, 9, "required")).toMatchObject({
    kind: "ruleset",
    handledFs: 0x1ffff,
    handledNet: 0b11,
    scoped: 0b11,
    paths: [{ path: "/run/proxy.sock", fileAccess: maskOf("fs", ["RESOLVE_UNIX"]) }],
    ports: [{ port: 3128, access: maskOf("net", ["CONNECT_TCP"]) }],
    dropped: [],
  });
});

test("below ABI 9 it loses only the choice among Unix sockets, also when Landlock is required", () => {
  expect(chooseBridgeRuleset(targets, 7, "required")).toMatchObject({
    kind: "ruleset",
    handledFs: 0xffff,
    paths: [],
    dropped: [{ right: "RESOLVE_UNIX", neededBy: "fence", firstAbi: 9 }],
  });
});

test("without targets it may connect nowhere", () => {
  const nothing = chooseBridgeRuleset({ unixSockets: [], tcpPorts: [] }, 9, "best-effort");
  expect(nothing).toMatchObject({ handledFs: 0x1ffff, handledNet: 0b11, paths: [], ports: [] });
});

test("it needs no Landlock, and off stays off", () => {
  expect(chooseBridgeRuleset(targets, -38, "required").kind).toBe("none");
  expect(chooseBridgeRuleset(targets, 9, "off").kind).toBe("off");
});
