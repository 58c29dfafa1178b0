import addon from "landlock-napi/addon";
import { expect, test } from "vitest";
import { willHaveIpv6 } from "../../../src/launcher/sandbox-ipv6.ts";
import { doors } from "../../kit/bridges.ts";

const inherit = "/proc/sys/net/core/devconf_inherit_init_net";
const all = "/proc/sys/net/ipv6/conf/all/disable_ipv6";
const byDefault = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
const module = "/sys/module/ipv6/parameters/disable_ipv6";

test.for<[settings: Readonly<Record<string, string>>, has: boolean]>([
  [{}, true],
  [{ [inherit]: "0", [all]: "1", [byDefault]: "1" }, true],
  [{ [inherit]: "2", [all]: "1", [byDefault]: "1" }, true],
  [{ [inherit]: "0", [module]: "1" }, false],
  [{ [inherit]: "1", [all]: "1", [byDefault]: "0" }, false],
  [{ [inherit]: "3", [all]: "0", [byDefault]: "1" }, false],
  [{ [inherit]: "3", [all]: "0", [byDefault]: "0", [module]: "1" }, true],
])("with %o: %s", ([settings, has]) => {
  expect(willHaveIpv6(addon, (path) => settings[path] ?? null)).toBe(has);
});

test("a kernel without IPv6 has none anywhere", () => {
  expect(willHaveIpv6(doors({ socket: () => -97 }), () => null)).toBe(false);
});
