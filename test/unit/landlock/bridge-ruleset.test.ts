import { expect, test } from "vitest";
import { maskOf } from "../../../src/landlock/abi.ts";
import { chooseBridgeRuleset } from "../../../src/landlock/bridge-ruleset.ts";

const targets = { unixSockets: ["/run/proxy.sock"], tcpPorts: [3128] };

test("the bridge process may connect to its targets and is denied all else", () => {
  expect(chooseBridgeRuleset(targets, 10)).toMatchObject({
    kind: "ruleset",
    handledFs: 0x1ffff,
    handledNet: 0b1111,
    scoped: 0b11,
    paths: [{ path: "/run", directoryAccess: maskOf("fs", ["RESOLVE_UNIX"]) }],
    ports: [{ port: 3128, access: maskOf("net", ["CONNECT_TCP"]) }],
    dropped: [],
  });
});

test("targets in one directory are one rule, one in the root allows every Unix socket", () => {
  const paths = (...unixSockets: string[]) => {
    const choice = chooseBridgeRuleset({ unixSockets, tcpPorts: [] }, 9);
    return choice.kind === "ruleset" ? choice.paths.map(({ path }) => path) : choice.kind;
  };
  expect(paths("/run/a/http", "/run/a/socks", "/run/b")).toEqual(["/run/a", "/run"]);
  expect(paths("/proxy.sock")).toEqual(["/"]);
});

test("on an older kernel it loses the choice among Unix sockets, and UDP is left to the filter", () => {
  const udp = ["BIND_UDP", "CONNECT_SEND_UDP"].map((right) => ({ right, neededBy: "fence", firstAbi: 10 }));
  expect(chooseBridgeRuleset(targets, 9).dropped).toEqual(udp);
  expect(chooseBridgeRuleset(targets, 7)).toMatchObject({
    kind: "ruleset",
    handledFs: 0xffff,
    handledNet: 0b11,
    paths: [],
    dropped: [{ right: "RESOLVE_UNIX", neededBy: "fence", firstAbi: 9 }, ...udp],
  });
});

test("without targets it may connect nowhere", () => {
  const nothing = chooseBridgeRuleset({ unixSockets: [], tcpPorts: [] }, 9);
  expect(nothing).toMatchObject({ handledFs: 0x1ffff, handledNet: 0b11, paths: [], ports: [] });
});

test("it needs no Landlock", () => {
  expect(chooseBridgeRuleset(targets, -38).kind).toBe("none");
});
