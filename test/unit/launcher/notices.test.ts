import { describe, expect, test } from "vitest";
import { noOverrides } from "../../../src/config/overrides.ts";
import { notices, withoutEffect } from "../../../src/launcher/notices.ts";
import type { Policy } from "../../../src/plan/policy.ts";

const policy = (allowedDomains: readonly string[]) => ({ network: { allowedDomains } }) as unknown as Policy;
const proxied = { httpProxy: { kind: "unix", path: "/p" }, socksProxy: null, localPorts: [], publish: [] } as const;

describe("what is said at the start", () => {
  test("is nothing, usually", () => {
    expect(notices({ policy: policy([]), bridges: null, found: null })).toBe("");
    expect(notices({ policy: policy(["*"]), bridges: null, found: null })).toBe("");
    expect(notices({ policy: policy(["a.example"]), bridges: proxied, found: null })).toBe("");
  });

  test("names domains that nothing leads to", () => {
    const bridges = { ...proxied, httpProxy: null, localPorts: [5432] };
    for (const none of [null, bridges]) {
      expect(notices({ policy: policy(["a.example"]), bridges: none, found: null })).toMatch(
        /^fence: no host can be reached: network\.allowedDomains needs a proxy.*\n$/,
      );
    }
  });

  test("names what settings that were found let out", () => {
    const found = { path: "/src/fence.json", grants: ["writing ~", "devices of the host"] };
    expect(notices({ policy: policy([]), bridges: null, found })).toBe(
      "fence: /src/fence.json, which was found here, grants writing ~, devices of the host\n",
    );
  });

  test("names paths of options that do not exist, and no others", () => {
    const notes = [
      { where: 'filesystem.allowWrite "/work/out"', says: "does not exist: nothing is granted" },
      { where: 'filesystem.allowWrite "/home/u/.npm"', says: "does not exist: nothing is granted" },
      { where: 'filesystem.allowRead "/work/there"', says: "is a socket" },
    ];
    const overrides = { ...noOverrides, allowWrite: ["./out"], allowRead: ["there"] };
    expect(withoutEffect(overrides, notes, { directory: "/work", home: "/home/u" })).toBe(
      'fence: filesystem.allowWrite "/work/out" does not exist: nothing is granted\n',
    );
    expect(withoutEffect(noOverrides, notes, { directory: "/work", home: "/home/u" })).toBe("");
  });
});
