import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { formatAddress, parseBridge } from "../../../src/bridge/address.ts";
import { maxBridges, type NamedBridge, parseBridges, refuseConflicts } from "../../../src/bridge/bridge-set.ts";

const named = (bridges: readonly string[]): NamedBridge[] =>
  bridges.map((bridge, i) => ({ ...parseBridge(bridge, "it"), where: `bridge ${i}` }));

function refusal(check: () => unknown): FenceError {
  try {
    check();
  } catch (error) {
    if (error instanceof FenceError && error.code === "FENCE_USAGE") return error;
    throw error;
  }
  throw new Error("it was accepted");
}

const conflict = (...bridges: string[]) => refusal(() => refuseConflicts(named(bridges)));

describe("a listener of fence bridge", () => {
  test.each(["tcp:127.0.0.1:80", "tcp:127.255.0.3:80", "tcp:[::1]:80", "tcp:localhost:80", "unix:/a"])(
    "may be on %s",
    (listen) => {
      const [bridge] = parseBridges([`${listen}=unix:/t`], "a bridge");
      expect(bridge && formatAddress(bridge.listen)).toBe(listen.replace("localhost", "127.0.0.1"));
    },
  );

  test.each([
    "tcp:0.0.0.0:80",
    "tcp:192.168.0.1:80",
    "tcp:[::]:80",
    "tcp:[2001:db8::1]:80",
    "tcp:[::ffff:127.0.0.1]:80",
  ])("on a network (%s) is refused", (listen) => {
    const error = refusal(() => parseBridges(["unix:/a=unix:/b", `${listen}=unix:/t`], "a bridge"));
    expect(error.message).toContain("a bridge must be a listener on a loopback address (127.0.0.0/8 or [::1])");
    expect(error.details.hint).toContain("never listens on a network");
  });
});

test("fence bridge takes no listener that another process has opened, and bootstrap's may be anywhere", () => {
  const error = refusal(() => parseBridges(["unix:/a=unix:/b", "fd:7=unix:/t"], "a bridge"));
  expect(error.message).toBe('a bridge must be a listener on tcp:HOST:PORT or unix:PATH, got "fd:7"');
  expect(error.details.hint).toContain("fence bootstrap");
  refuseConflicts(named(["fd:7=unix:/a", "fd:8=unix:/a", "unix:/a=tcp:127.0.0.1:7"]));
});

describe("two bridges cannot listen on one address:", () => {
  test.each([
    ["tcp:127.0.0.1:80", "tcp:127.0.0.1:80"],
    ["tcp:127.0.0.1:80", "tcp:localhost:80"],
    ["tcp:[::1]:80", "tcp:[0:0::1]:80"],
    ["tcp:[::1]:80", "tcp:[0000:0000:0000:0000:0000:0000:0000:0001]:80"],
    ["tcp:[2001:DB8::A]:80", "tcp:[2001:db8:0::a]:80"],
    ["tcp:0.0.0.0:80", "tcp:127.0.0.1:80"],
    ["tcp:0.0.0.0:80", "tcp:10.0.0.1:80"],
    ["tcp:[::]:80", "tcp:[::1]:80"],
    ["tcp:[::]:80", "tcp:127.0.0.1:80"],
    ["tcp:[::]:80", "tcp:0.0.0.0:80"],
    ["tcp:[::ffff:127.0.0.1]:80", "tcp:127.0.0.1:80"],
    ["tcp:[::ffff:0.0.0.0]:80", "tcp:127.0.0.1:80"],
    ["unix:/run/a", "unix:/run/a"],
    ["unix:/run/a", "unix:/run//./a"],
    ["fd:7", "fd:7"],
  ])("%s and %s", (one, other) => {
    for (const [first, second] of [
      [one, other],
      [other, one],
    ]) {
      const { message } = conflict("unix:/first=unix:/t", `${first}=unix:/t`, `${second}=unix:/t`);
      expect(message).toMatch(
        /^bridge 2 must be a listener of its own for each bridge, apart from ".*" of bridge 1, got ".*"$/,
      );
    }
  });

  test("and one that listens everywhere is explained", () => {
    expect(conflict("tcp:[::]:80=unix:/t", "tcp:127.0.0.1:80=unix:/t").details.hint).toBe(
      "0.0.0.0 and [::] listen on every address of their port",
    );
    expect(conflict("tcp:127.0.0.1:80=unix:/t", "tcp:localhost:80=unix:/t").details.hint).toBe(undefined);
  });

  test("which differ by port, by family, by host and by path", () => {
    const texts = ["tcp:127.0.0.1:80", "tcp:127.0.0.1:81", "tcp:127.0.0.2:80", "tcp:[::1]:80", "unix:/a", "unix:/b"];
    const beyond = ["tcp:0.0.0.0:82", "tcp:[::1]:82", "tcp:[::]:83", "tcp:10.0.0.1:80", "unix:/a.", "unix:/.a"];
    refuseConflicts(named([...texts, ...beyond].map((listen) => `${listen}=unix:/t`)));
  });
});

describe("a bridge that leads back to itself is refused:", () => {
  test.each([
    [["tcp:127.0.0.1:80=tcp:localhost:80"]],
    [["tcp:127.0.0.1:80=tcp:0.0.0.0:80"]],
    [["tcp:127.0.0.1:80=tcp:[::ffff:127.0.0.1]:80"]],
    [["tcp:[::1]:80=tcp:[::]:80"]],
    [["tcp:0.0.0.0:80=tcp:127.0.0.9:80"]],
    [["tcp:[::]:80=tcp:127.0.0.9:80"]],
    [["tcp:[::]:80=tcp:[::1]:80"]],
    [["unix:/run/a=unix:/run/./a"]],
    [["tcp:127.0.0.1:80=unix:/a", "unix:/a=tcp:127.0.0.1:80"]],
    [["tcp:127.0.0.1:80=unix:/a", "unix:/b=tcp:127.0.0.1:80", "unix:/a=unix:/b"]],
  ])("%j", (bridges) => {
    expect(conflict(...bridges).message).toMatch(/^bridge 0 must be one that does not lead back to itself, got /);
  });

  test("also when another one leads to it", () => {
    const { message } = conflict("unix:/a=unix:/b", "unix:/b=unix:/c", "unix:/c=unix:/b");
    expect(message).toBe('bridge 1 must be one that does not lead back to itself, got "unix:/b=unix:/c"');
  });

  test.each([
    [["tcp:127.0.0.1:80=tcp:127.0.0.1:81", "tcp:127.0.0.1:81=unix:/a"]],
    [["tcp:127.0.0.1:80=tcp:127.0.0.2:80"]],
    [["tcp:127.0.0.1:80=tcp:[::1]:80"]],
    [["tcp:0.0.0.0:80=tcp:10.0.0.1:80"]],
    [["tcp:0.0.0.0:80=tcp:[::1]:80"]],
    [["unix:/a=unix:/b", "unix:/c=unix:/b"]],
  ])("one that leads elsewhere is not: %j", (bridges) => {
    refuseConflicts(named(bridges));
  });
});

test("there are at most as many bridges as a keeper holds", () => {
  const bridges = (count: number) => Array.from({ length: count }, (_, i) => `unix:/${i}=unix:/t`);
  refuseConflicts(named(bridges(maxBridges)));
  expect(conflict(...bridges(maxBridges + 1)).message).toBe("bridge 200 must be one of at most 200 bridges, got 201");
});

test("any bridges that are accepted have listeners of their own, and targets that end", () => {
  const address = fc.constantFrom(
    ...["127.0.0.1", "127.0.0.2", "0.0.0.0", "[::1]", "[::]", "[::ffff:7f00:1]"].flatMap((host) => [
      `tcp:${host}:1`,
      `tcp:${host}:2`,
    ]),
    ...["/a", "//a", "/b", "/c"].map((path) => `unix:${path}`),
  );
  const bridge = fc.tuple(address, address).map((both) => both.join("="));
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(bridge, { maxLength: 4 }), (bridges) => {
      const all = named(bridges);
      try {
        refuseConflicts(all);
      } catch (error) {
        expect(error).toMatchObject({ name: "FenceError", code: "FENCE_USAGE" });
        return;
      }
      accepted++;
      const listeners = all.map(({ listen }) => formatAddress(listen));
      expect(new Set(listeners).size).toBe(listeners.length);
      const targets = new Map(all.map(({ listen, connect }) => [formatAddress(listen), formatAddress(connect)]));
      for (const start of listeners) {
        let at: string | undefined = start;
        for (let steps = 0; steps <= all.length && at !== undefined; steps++) at = targets.get(at);
        expect(at).toBe(undefined);
      }
    }),
    { numRuns: 3000 },
  );
  expect(accepted).toBeGreaterThan(300);
});
