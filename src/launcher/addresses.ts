/**
 * Reads the addresses on the command line of `fence run`: published ports and proxies.
 *
 * Runs:     host. Pure.
 * Promises: what cannot be read is FENCE_USAGE; no message shows a password.
 * Source:   docs/run.md
 */
import { FenceError } from "../base/errors.ts";
import { integer } from "../base/option-values.ts";
import { expectedAddress, parseAddress } from "../bridge/address.ts";
import { type ProxyTarget, parseProxyTarget } from "./proxy-target.ts";
import type { PublishedPort } from "./request.ts";

const defaultHost = "127.0.0.1";
const expectedPublish = "[ADDR:][HOSTPORT:]PORT";

/** `8080`, `8000:8080`, `0.0.0.0:8080`, `[::1]:8000:8080`; HOSTPORT 0 is any free port. */
export function parsePublished(value: string): PublishedPort {
  const [, host, hostPort, port = ""] =
    /^(?:(\[[^\]]*\]|[^:]*\.[^:]*|localhost):)?(?:([^:]*):)?([^:]*)$/.exec(value) ?? [];
  if (port === "") throw notPublishable(value);
  const inside = integer(port, 1, 65535, "the PORT of --publish");
  return {
    host: host === undefined ? defaultHost : addressOf(host, value),
    hostPort: hostPort === undefined ? inside : integer(hostPort, 0, 65535, "the HOSTPORT of --publish"),
    port: inside,
  };
}

function addressOf(host: string, value: string): string {
  try {
    const address = parseAddress(`tcp:${host}:1`, "--publish");
    if (address.kind === "tcp") return address.host;
  } catch (error) {
    if (!(error instanceof FenceError)) throw error;
  }
  throw notPublishable(value);
}

function notPublishable(value: string): FenceError {
  return expectedAddress("--publish", expectedPublish, value, {
    hint: "ADDR is an IPv4 address or an IPv6 address in brackets: 3000, 8000:3000, 0.0.0.0:3000, [::1]:8000:3000",
  });
}

const proxySchemes = { "http-proxy": ["http"], "socks-proxy": ["socks5", "socks5h"] } as const;
export type ProxyOption = keyof typeof proxySchemes;

/** `tcp:HOST:PORT`, `unix:PATH`, or a URL as proxy variables have it. */
export function parseProxy(value: string, option: ProxyOption): ProxyTarget {
  const where = `--${option}`;
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(value) ?? [];
  if (scheme === undefined || rest === undefined) return parseProxyTarget(value, where);
  const expected = `tcp:HOST:PORT, unix:PATH or ${proxySchemes[option][0]}://HOST:PORT`;
  if (rest.includes("@")) {
    throw expectedAddress(where, `${expected} without a user name`, value, {
      hint: "network.upstreamProxy of the configuration takes credentials",
    });
  }
  if (!proxySchemes[option].some((known) => known === scheme.toLowerCase()))
    throw expectedAddress(where, expected, value);
  return parseProxyTarget(`tcp:${rest.replace(/\/$/, "")}`, where);
}
