/**
 * Reads a bridge's two addresses from text: `tcp:HOST:PORT` and `unix:PATH`, or `fd:N` to listen; LISTEN=CONNECT.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: what is read has one encoding for the kernel; `addressPattern` matches every address that is read.
 * Source:   docs/bridges.md; a Unix path holds 107 bytes, unix(7)
 */
import { FenceError, type FenceErrorDetails } from "../base/errors.ts";
import { wordHint } from "../base/nearest-word.ts";
import { maxDescriptor } from "../base/option-values.ts";
import { quotedUpTo } from "../base/quote.ts";
import { isIpv6 } from "./sockaddr.ts";

export type Address =
  /** `host` is an IPv4 address, or an IPv6 address in its shortest form, without brackets. */
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

export type ListenAddress =
  | Address
  /** A descriptor that was inherited: a stream socket which listens already. */
  | { readonly kind: "descriptor"; readonly descriptor: number };

export interface BridgeAddresses {
  readonly listen: ListenAddress;
  readonly connect: Address;
  /** One byte, ASCII ACK, goes to the client before all others when the target is reached: it is a bridge, too. */
  readonly acknowledge?: true;
}

const schemes = ["tcp", "unix"];
/** Of a Unix socket's path. */
export const maxSocketPathBytes = 107;
/** Of what messages quote: more than a valid address has. */
const longestAddress = 200;

const ipv4Number = "(?:[0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])";
const ipv4Pattern = `${ipv4Number}(?:\\.${ipv4Number}){3}`;
const portPattern = "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";
/** A regular expression for those who generate addresses. The groups of an IPv6 address and bytes are not counted. */
export const addressPattern = `^(?:tcp:(?:localhost|${ipv4Pattern}|\\[[0-9A-Fa-f:.]+\\]):${portPattern}|unix:/[^\\x00]{0,${maxSocketPathBytes - 1}})$`;

/** A regular expression for descriptors of listeners: 0 to 2 are the program's. */
export const descriptorPattern =
  "^fd:(?:[3-9]|[1-9][0-9]{1,5}|10[0-3][0-9]{4}|104[0-7][0-9]{3}|1048[0-4][0-9]{2}|10485[0-6][0-9]|104857[0-6])$";

/** `LISTEN=CONNECT`, split at the first `=` that an address follows: a path before it may hold others. */
export function parseBridge(value: string, where: string): BridgeAddresses {
  const [, listen, connect] = /^(.*?)=((?:tcp|unix):.*)$/s.exec(value) ?? [];
  if (listen === undefined || connect === undefined) {
    throw expectedAddress(where, "LISTEN=CONNECT, each tcp:HOST:PORT or unix:PATH", value, bridgeHint(value));
  }
  return { listen: parseListenAddress(listen, where), connect: parseAddress(connect, where) };
}

/** An address to listen on, which may be a descriptor that listens already. Throws FENCE_USAGE. */
export function parseListenAddress(value: string, where: string): ListenAddress {
  if (!value.startsWith("fd:")) return parseAddress(value, where);
  if (new RegExp(descriptorPattern).test(value)) return { kind: "descriptor", descriptor: Number(value.slice(3)) };
  throw expectedAddress(where, `fd:N with a descriptor from 3 to ${maxDescriptor}`, value);
}

/** An address to connect to, or to listen on. Throws FENCE_USAGE. */
export function parseAddress(value: string, where: string): Address {
  const colon = value.indexOf(":");
  const scheme = colon === -1 ? value : value.slice(0, colon);
  const rest = value.slice(scheme.length + 1);
  if (colon !== -1 && scheme === "tcp") return parseTcp(rest, value, where);
  if (colon !== -1 && scheme === "unix") return parseUnix(rest, value, where);
  throw expectedAddress(where, "tcp:HOST:PORT or unix:PATH", value, { hint: wordHint(scheme, schemes) });
}

/** The text that parses to this address. */
export function formatAddress(address: ListenAddress): string {
  if (address.kind === "descriptor") return `fd:${address.descriptor}`;
  if (address.kind === "unix") return `unix:${address.path}`;
  return `tcp:${isIpv6(address.host) ? `[${address.host}]` : address.host}:${address.port}`;
}

/** `where` must be `what`: the error of every bad address. */
export function expectedAddress(where: string, what: string, got: string, details: FenceErrorDetails = {}): FenceError {
  // Somebody may give a whole URL, with a password in it.
  const harmless = got.replace(/\/\/[^@]*@/, "//[secret]@");
  return new FenceError(
    "FENCE_USAGE",
    `${where} must be ${what}, got ${quotedUpTo(longestAddress, harmless)}`,
    details,
  );
}

function parseTcp(rest: string, value: string, where: string): Address {
  const [, bracketed, plain = "", port = ""] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(.*)$/s.exec(rest) ?? [];
  const host = bracketed === undefined ? ipv4(plain) : ipv6(bracketed);
  if (host === null) {
    throw expectedAddress(
      where,
      "tcp:HOST:PORT with an IPv4 address, an IPv6 address in brackets or localhost",
      value,
      {
        hint: "for example tcp:127.0.0.1:3128 or tcp:[::1]:3128",
      },
    );
  }
  if (!matches(port, portPattern)) {
    throw expectedAddress(where, "tcp:HOST:PORT with a port from 1 to 65535", value);
  }
  return { kind: "tcp", host, port: Number(port) };
}

function parseUnix(path: string, value: string, where: string): Address {
  if (path.startsWith("@")) {
    throw expectedAddress(where, "unix:PATH", value, {
      hint: "abstract sockets are refused: they have no permissions, and Landlock cannot allow a single one",
    });
  }
  if (!path.startsWith("/") || path.includes("\0")) {
    throw expectedAddress(where, "unix:PATH with an absolute path", value);
  }
  const sizeBytes = Buffer.byteLength(path);
  if (sizeBytes > maxSocketPathBytes) {
    throw expectedAddress(where, `unix:PATH with a path of at most ${maxSocketPathBytes} bytes`, value, {
      path,
      hint: `the path has ${sizeBytes} bytes: a Unix socket needs a shorter one`,
    });
  }
  return { kind: "unix", path };
}

/** Not node:net's isIP(): loading that module costs 3 ms, a tenth of the bootstrap's time. */
function ipv4(text: string): string | null {
  if (text === "localhost") return "127.0.0.1";
  return matches(text, ipv4Pattern) ? text : null;
}

/** The shortest form; null for what is none, a zone ("%eth0") included. */
function ipv6(text: string): string | null {
  const url = /^[0-9a-f:.]+$/i.test(text) ? URL.parse(`http://[${text}]`) : null;
  return url === null ? null : url.hostname.slice(1, -1);
}

function matches(text: string, pattern: string): boolean {
  return new RegExp(`^${pattern}$`).test(text);
}

export function isLoopback(host: string): boolean {
  return host === "::1" || /^127\.[0-9.]+$/.test(host);
}

/** Names what is nearest to a mistyped scheme after the first `=`. */
function bridgeHint(value: string): FenceErrorDetails {
  const [, scheme] = /=([^:=]*):/.exec(value) ?? [];
  return scheme === undefined ? {} : { hint: wordHint(scheme, schemes) };
}
