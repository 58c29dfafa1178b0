import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { maxDescriptor } from "../../../src/base/option-values.ts";
import {
  addressPattern,
  descriptorPattern,
  formatAddress,
  parseAddress,
  parseBridge,
  parseListenAddress,
} from "../../../src/bridge/address.ts";
import { encodeAddress } from "../../../src/bridge/sockaddr.ts";

describe("an address", () => {
  test.each([
    ["tcp:127.0.0.1:3128", { kind: "tcp", host: "127.0.0.1", port: 3128 }],
    ["tcp:localhost:1", { kind: "tcp", host: "127.0.0.1", port: 1 }],
    ["tcp:[::1]:65535", { kind: "tcp", host: "::1", port: 65535 }],
    ["tcp:[0:0:0:0:0:0:0:1]:80", { kind: "tcp", host: "::1", port: 80 }],
    ["tcp:[2001:DB8::A]:80", { kind: "tcp", host: "2001:db8::a", port: 80 }],
    ["tcp:10.1.2.3:80", { kind: "tcp", host: "10.1.2.3", port: 80 }],
    ["unix:/run/a.sock", { kind: "unix", path: "/run/a.sock" }],
    ["unix:/run/a:b=c@d", { kind: "unix", path: "/run/a:b=c@d" }],
    [`unix:/${"x".repeat(106)}`, { kind: "unix", path: `/${"x".repeat(106)}` }],
  ])("%s is read", (text, address) => {
    expect(parseAddress(text, "--bridge")).toEqual(address);
  });

  test.each([
    ["", "tcp:HOST:PORT or unix:PATH"],
    ["tcp", "tcp:HOST:PORT or unix:PATH"],
    ["tpc:127.0.0.1:80", "tcp:HOST:PORT or unix:PATH"],
    ["TCP:127.0.0.1:80", "tcp:HOST:PORT or unix:PATH"],
    ["tcp:127.0.0.1", /^tcp:HOST:PORT with/],
    ["tcp:3128", /^tcp:HOST:PORT with/],
    ["tcp:example.org:80", /^tcp:HOST:PORT with an IPv4 address/],
    ["tcp:127.0.0.256:80", /^tcp:HOST:PORT with an IPv4 address/],
    ["tcp:127.0.0.01:80", /^tcp:HOST:PORT with an IPv4 address/],
    ["tcp:127.1:80", /^tcp:HOST:PORT with an IPv4 address/],
    ["tcp:::1:80", /an IPv6 address in brackets/],
    ["tcp:[127.0.0.1]:80", /an IPv6 address in brackets/],
    ["tcp:[fe80::1%eth0]:80", /an IPv6 address in brackets/],
    ["tcp:[::1]x:80", /an IPv6 address in brackets/],
    ["tcp:127.0.0.1:0", /a port from 1 to 65535$/],
    ["tcp:127.0.0.1:65536", /a port from 1 to 65535$/],
    ["tcp:127.0.0.1:080", /a port from 1 to 65535$/],
    ["tcp:127.0.0.1:80x", /a port from 1 to 65535$/],
    ["tcp:127.0.0.1:", /a port from 1 to 65535$/],
    ["tcp:127.0.0.1:-1", /a port from 1 to 65535$/],
    ["unix:", "unix:PATH with an absolute path"],
    ["unix:run/a.sock", "unix:PATH with an absolute path"],
    ["unix:/run/a\0b", "unix:PATH with an absolute path"],
    ["unix:@name", "unix:PATH"],
    [`unix:/${"x".repeat(107)}`, /^unix:PATH with a path of at most 107 bytes$/],
    [`unix:/${"é".repeat(54)}`, /^unix:PATH with a path of at most 107 bytes$/],
  ])("%j is refused with what was expected", (text, what) => {
    const [, where, expected, got] = /^(\S+) must be (.*), got (".*")$/s.exec(usageOf(text).message) ?? [];
    expect(where).toBe("--bridge");
    expect(expected).toEqual(what instanceof RegExp ? expect.stringMatching(what) : what);
    expect(got).toBe(JSON.stringify(text));
  });

  test("that is read matches the published pattern, and what matches it is read, but for IPv6 and bytes", () => {
    const pattern = new RegExp(addressPattern, "u");
    const number = fc.integer({ min: -1, max: 300 }).map(String);
    const digits = fc.stringMatching(/^0?[0-9]{1,5}$/);
    const host = fc.oneof(
      fc.constant("localhost"),
      fc.ipV4(),
      fc.tuple(number, number, number, number).map((all) => all.join(".")),
    );
    const text = fc.oneof(
      addresses.map(formatAddress),
      fc.tuple(host, fc.oneof(digits, fc.nat({ max: 70_000 }).map(String))).map((all) => `tcp:${all.join(":")}`),
      fc.string({ unit: "binary-ascii", maxLength: 120 }).map((path) => `unix:/${path}`),
    );
    fc.assert(
      fc.property(text, (address) => {
        expect(pattern.test(address)).toBe(isAddress(address));
      }),
      { numRuns: 3000 },
    );
  });

  test("with a mistyped scheme gets a hint", () => {
    expect(usageOf("tpc:127.0.0.1:80").details.hint).toBe("did you mean tcp?");
    expect(usageOf("unx:/run/a").details.hint).toBe("did you mean unix?");
    expect(usageOf("http://proxy:3128").details.hint).toBe("valid: tcp, unix");
  });

  test("that is too long says how long it is", () => {
    expect(usageOf(`unix:/${"x".repeat(120)}`).details.hint).toContain("121 bytes");
  });

  test("of an abstract socket says why it is refused", () => {
    expect(usageOf("unix:@name").details.hint).toContain("no permissions");
  });

  test("is written as it is read", () => {
    fc.assert(
      fc.property(addresses, (address) => {
        const text = formatAddress(address);
        expect(formatAddress(parseAddress(text, "--bridge"))).toBe(text);
        expect(parseAddress(text, "--bridge")).toEqual(address);
      }),
    );
  });
});

describe("a listener's address", () => {
  test.each(["fd:3", "fd:9", "fd:10", "fd:1048576"])("may be the descriptor %s", (text) => {
    expect(parseListenAddress(text, "--bridge")).toEqual({ kind: "descriptor", descriptor: Number(text.slice(3)) });
    expect(formatAddress(parseListenAddress(text, "--bridge"))).toBe(text);
    expect(parseBridge(`${text}=unix:/a`, "--bridge")).toMatchObject({ listen: { kind: "descriptor" } });
    expect(() => parseAddress(text, "--bridge")).toThrow("--bridge must be tcp:HOST:PORT or unix:PATH");
  });

  test.each(["fd:", "fd:0", "fd:2", "fd:03", "fd:1048577", "fd:-1", "fd:7x", "fd:7\n", "fd: 7"])(
    "is not %j",
    (text) => {
      expect(usage(() => parseListenAddress(text, "--bridge")).message).toBe(
        `--bridge must be fd:N with a descriptor from 3 to 1048576, got ${JSON.stringify(text)}`,
      );
    },
  );

  test("of a descriptor matches the published pattern if and only if it is read", () => {
    const number = fc.oneof(fc.integer({ min: -1, max: 20 }), fc.integer({ min: 1_000_000, max: 1_100_000 }), fc.nat());
    fc.assert(
      fc.property(number, (descriptor) => {
        const isRead = descriptor >= 3 && descriptor <= maxDescriptor;
        expect(new RegExp(descriptorPattern, "u").test(`fd:${descriptor}`)).toBe(isRead);
      }),
    );
  });
});

describe("a bridge", () => {
  test.each([
    ["tcp:127.0.0.1:80=unix:/a", "tcp:127.0.0.1:80", "unix:/a"],
    ["unix:/a=b=tcp:[::1]:80", "unix:/a=b", "tcp:[::1]:80"],
    ["unix:/a=unix:/b=tcp:[::1]:80", "unix:/a", "unix:/b=tcp:[::1]:80"],
    ["unix:/a==unix:/b", "unix:/a=", "unix:/b"],
  ])("%s is split where the second address begins", (text, listen, connect) => {
    const bridge = parseBridge(text, "--bridge");
    expect(formatAddress(bridge.listen)).toBe(listen);
    expect(formatAddress(bridge.connect)).toBe(connect);
  });

  test.each(["", "=", "tcp:127.0.0.1:80", "unix:/a", "tcp:127.0.0.1:80=/run/a"])("%j is refused", (text) => {
    expect(usage(() => parseBridge(text, "--bridge")).message).toBe(
      `--bridge must be LISTEN=CONNECT, each tcp:HOST:PORT or unix:PATH, got ${JSON.stringify(text)}`,
    );
  });

  test("with a mistyped second scheme gets a hint", () => {
    const error = usage(() => parseBridge("tcp:127.0.0.1:80=unxi:/a", "--bridge"));
    expect(error.details.hint).toBe("did you mean unix?");
  });

  test("of any text is read or refused with FENCE_USAGE", () => {
    const pieces = fc.constantFrom(
      "tcp",
      "unix",
      ":",
      "=",
      "[",
      "]",
      "::1",
      "127.0.0.1",
      "80",
      "/",
      "a",
      "@",
      "\0",
      "%",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces).map((all) => all.join("")),
        ),
        (text) => {
          try {
            const { listen, connect } = parseBridge(text, "--bridge");
            expect(parseBridge(`${formatAddress(listen)}=${formatAddress(connect)}`, "--bridge")).toEqual({
              listen,
              connect,
            });
          } catch (error) {
            expect(error).toMatchObject({ code: "FENCE_USAGE" });
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("a socket address", () => {
  test.each([
    ["tcp:127.0.0.1:80", "02000050 7f000001 0000000000000000"],
    ["tcp:[::1]:65535", "0a00ffff 00000000 00000000000000000000000000000001 00000000"],
    ["tcp:[2001:db8::a:b]:1", "0a000001 00000000 20010db80000000000000000000a000b 00000000"],
    ["tcp:[1:2:3:4:5:6:7:8]:1", "0a000001 00000000 00010002000300040005000600070008 00000000"],
    ["tcp:[::ffff:1.2.3.4]:1", "0a000001 00000000 00000000000000000000ffff01020304 00000000"],
    ["unix:/a", "0100 2f61 00"],
  ])("%s has the kernel's layout", (text, hex) => {
    expect(encodeAddress(parseAddress(text, "--bridge")).toString("hex")).toBe(hex.replaceAll(" ", ""));
  });
});

const addresses = fc.oneof(
  fc.record({ kind: fc.constant("tcp" as const), host: fc.ipV4(), port: fc.integer({ min: 1, max: 65535 }) }),
  fc.record({
    kind: fc.constant("tcp" as const),
    host: fc.ipV6().map((host) => new URL(`http://[${host}]`).hostname.slice(1, -1)),
    port: fc.integer({ min: 1, max: 65535 }),
  }),
  fc.record({
    kind: fc.constant("unix" as const),
    path: fc
      .string({ unit: "grapheme", maxLength: 30 })
      .filter((path) => !path.includes("\0") && Buffer.byteLength(path) < 107)
      .map((path) => `/${path}`),
  }),
);

function isAddress(text: string): boolean {
  try {
    parseAddress(text, "--bridge");
    return true;
  } catch {
    return false;
  }
}

function usageOf(text: string): FenceError {
  return usage(() => parseAddress(text, "--bridge"));
}

function usage(parse: () => unknown): FenceError {
  try {
    parse();
  } catch (error) {
    if (error instanceof FenceError && error.code === "FENCE_USAGE") return error;
    throw error;
  }
  throw new Error("it was accepted");
}
