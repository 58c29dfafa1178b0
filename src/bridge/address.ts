/**
 * Reads a bridge's two addresses from text: `tcp:HOST:PORT` and `unix:PATH`, LISTEN=CONNECT.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: a listener is on a loopback address or a Unix socket's path; no two bridges listen on the same address.
 * Source:   docs/bridges.md; a Unix path holds 107 bytes, unix(7)
 */
import { FenceError, type FenceErrorDetails } from "../base/errors.ts";
import { wordHint } from "../base/nearest-word.ts";
import { quotedUpTo } from "../base/quote.ts";
import { encodeAddress, isIpv6 } from "./sockaddr.ts";

export type Address =
  /** `host` is an IPv4 address, or an IPv6 address in its shortest form, without brackets. */
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

export interface BridgeAddresses {
  readonly listen: Address;
  readonly connect: Address;
}

const schemes = ["tcp", "unix"];
const maxPathBytes = 107;
/** Of what messages quote: more than a valid address has. */
const longestAddress = 200;

/** Every `LISTEN=CONNECT` of one option; `where` is the option's name. Throws FENCE_USAGE. */
export function parseBridges(values: readonly string[], where: string): readonly BridgeAddresses[] {
  const bridges = values.map((value) => parseBridge(value, where));
  refuseSameListener(bridges, where);
  return bridges;
}

/** `LISTEN=CONNECT`, split at the first `=` that an address follows: a path before it may hold others. */
export function parseBridge(value: string, where: string): BridgeAddresses {
  const [, listen, connect] = /^(.*?)=((?:tcp|unix):.*)$/s.exec(value) ?? [];
  if (listen === undefined || connect === undefined) {
    throw expected(where, "LISTEN=CONNECT, each tcp:HOST:PORT or unix:PATH", value, bridgeHint(value));
  }
  return { listen: parseListenAddress(listen, where), connect: parseConnectAddress(connect, where) };
}

/** An address to listen on. Throws FENCE_USAGE. */
export function parseListenAddress(value: string, where: string): Address {
  const address = parseConnectAddress(value, where);
  if (address.kind === "tcp" && !isLoopback(address.host)) {
    throw expected(where, "a listener on a loopback address (127.0.0.0/8 or [::1]) or a Unix socket", value, {
      hint: "a bridge lets in whoever can connect: it never listens on a network",
    });
  }
  return address;
}

/** An address to connect to. Throws FENCE_USAGE. */
export function parseConnectAddress(value: string, where: string): Address {
  const colon = value.indexOf(":");
  const scheme = colon === -1 ? value : value.slice(0, colon);
  const rest = value.slice(scheme.length + 1);
  if (colon !== -1 && scheme === "tcp") return parseTcp(rest, value, where);
  if (colon !== -1 && scheme === "unix") return parseUnix(rest, value, where);
  throw expected(where, "tcp:HOST:PORT or unix:PATH", value, { hint: wordHint(scheme, schemes) });
}

/** Fails when two bridges would listen on one address; for bridges that come from more than one option. */
export function refuseSameListener(bridges: readonly BridgeAddresses[], where: string): void {
  const seen = new Set<string>();
  for (const { listen } of bridges) {
    const key = encodeAddress(listen).toString("hex");
    if (seen.has(key)) throw expected(where, "a listener of its own for each bridge", formatAddress(listen));
    seen.add(key);
  }
}

/** The text that parses to this address. */
export function formatAddress(address: Address): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  return `tcp:${isIpv6(address.host) ? `[${address.host}]` : address.host}:${address.port}`;
}

function parseTcp(rest: string, value: string, where: string): Address {
  const [, bracketed, plain = "", port = ""] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(.*)$/s.exec(rest) ?? [];
  const host = bracketed === undefined ? ipv4(plain) : ipv6(bracketed);
  if (host === null) {
    throw expected(where, "tcp:HOST:PORT with an IPv4 address, an IPv6 address in brackets or localhost", value, {
      hint: "for example tcp:127.0.0.1:3128 or tcp:[::1]:3128",
    });
  }
  if (!/^[1-9][0-9]{0,4}$/.test(port) || Number(port) > 65535) {
    throw expected(where, "tcp:HOST:PORT with a port from 1 to 65535", value);
  }
  return { kind: "tcp", host, port: Number(port) };
}

function parseUnix(path: string, value: string, where: string): Address {
  if (path.startsWith("@")) {
    throw expected(where, "unix:PATH", value, {
      hint: "abstract sockets are refused: they have no permissions, and Landlock cannot allow a single one",
    });
  }
  if (!path.startsWith("/") || path.includes("\0")) throw expected(where, "unix:PATH with an absolute path", value);
  const sizeBytes = Buffer.byteLength(path);
  if (sizeBytes > maxPathBytes) {
    throw expected(where, `unix:PATH with a path of at most ${maxPathBytes} bytes`, value, {
      path,
      hint: `the path has ${sizeBytes} bytes: a Unix socket needs a shorter one`,
    });
  }
  return { kind: "unix", path };
}

/** Not node:net's isIP(): loading that module costs 3 ms, a tenth of the bootstrap's time. */
function ipv4(text: string): string | null {
  if (text === "localhost") return "127.0.0.1";
  const numbers = text.split(".");
  const valid = numbers.length === 4 && numbers.every((n) => /^(?:0|[1-9][0-9]{0,2})$/.test(n) && Number(n) <= 255);
  return valid ? text : null;
}

/** The shortest form; null for what is none, a zone ("%eth0") included. */
function ipv6(text: string): string | null {
  const url = /^[0-9a-f:.]+$/i.test(text) ? URL.parse(`http://[${text}]`) : null;
  return url === null ? null : url.hostname.slice(1, -1);
}

function isLoopback(host: string): boolean {
  return isIpv6(host) ? host === "::1" : host.startsWith("127.");
}

/** Names what is nearest to a mistyped scheme after the first `=`. */
function bridgeHint(value: string): FenceErrorDetails {
  const [, scheme] = /=([^:=]*):/.exec(value) ?? [];
  return scheme === undefined ? {} : { hint: wordHint(scheme, schemes) };
}

function expected(where: string, what: string, got: string, details: FenceErrorDetails = {}): FenceError {
  // Somebody may give a whole URL, with a password in it.
  const harmless = got.replace(/\/\/[^@]*@/, "//[secret]@");
  return new FenceError(
    "FENCE_USAGE",
    `${where} must be ${what}, got ${quotedUpTo(longestAddress, harmless)}`,
    details,
  );
}
