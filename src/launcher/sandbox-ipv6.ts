/**
 * Tells whether a new network namespace will have [::1], which a bridge in it can then listen on.
 *
 * Runs:     host.
 * Promises: "no" wherever the bootstrap could not listen there; when that cannot be known, what is the kernel's default.
 * Source:   https://docs.kernel.org/admin-guide/sysctl/net.html: devconf_inherit_init_net;
 *           https://docs.kernel.org/networking/ipv6.html: the module's parameters
 */
import { readFileSync } from "node:fs";
import type { Addon } from "../sys/addon.ts";

const AF_INET6 = 10;
const ofModule = "/sys/module/ipv6/parameters/disable_ipv6";
const inheritance = "/proc/sys/net/core/devconf_inherit_init_net";
const ofThisNamespace = ["all", "default"].map((which) => `/proc/sys/net/ipv6/conf/${which}/disable_ipv6`);
/** From the first namespace (which we take ours for), or from the current one. Otherwise it begins with the module's. */
const inherits = ["1", "3"];

export function willHaveIpv6(addon: Addon, read: (path: string) => string | null = readSetting): boolean {
  const socket = addon.socket(AF_INET6);
  if (socket < 0) return false;
  addon.closeDescriptor(socket);
  const places = inherits.includes(read(inheritance) ?? "") ? ofThisNamespace : [ofModule];
  return !places.some((path) => (read(path) ?? "0") !== "0");
}

/** null: this kernel, or this container, does not show it. */
function readSetting(path: string): string | null {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return null;
  }
}
