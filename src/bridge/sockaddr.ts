/**
 * Addresses as the kernel reads them: struct sockaddr_in, sockaddr_in6 and sockaddr_un.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: one address has one encoding, so equal bytes mean the same address.
 * Source:   ip(7), ipv6(7), unix(7). sa_family is little-endian here: x86-64 and arm64 are.
 */
import type { Address } from "./address.ts";

const family = { unix: 1, ipv4: 2, ipv6: 10 } as const;

export function familyOf(address: Address): number {
  if (address.kind === "unix") return family.unix;
  return isIpv6(address.host) ? family.ipv6 : family.ipv4;
}

/** null: none of ours. */
export function kindOf(number: number): Address["kind"] | null {
  if (number === family.unix) return "unix";
  return number === family.ipv4 || number === family.ipv6 ? "tcp" : null;
}

export function encodeAddress(address: Address): Buffer {
  if (address.kind === "unix") return encodeUnix(address.path);
  return isIpv6(address.host) ? encodeIpv6(address.host, address.port) : encodeIpv4(address.host, address.port);
}

/** The port of an encoded TCP address, at the same place for IPv4 and IPv6. */
export function decodePort(bytes: Buffer): number {
  return bytes.readUInt16BE(2);
}

/** An encoded TCP address, its host in the shortest form. */
export function decodeTcpAddress(bytes: Buffer): Extract<Address, { kind: "tcp" }> {
  const port = decodePort(bytes);
  if (bytes.readUInt16LE(0) === family.ipv4) return { kind: "tcp", host: bytes.subarray(4, 8).join("."), port };
  const host = Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(8 + 2 * group).toString(16)).join(":");
  return { kind: "tcp", host: new URL(`http://[${host}]`).hostname.slice(1, -1), port };
}

export function isIpv6(host: string): boolean {
  return host.includes(":");
}

/** The path ends with a NUL: without it, it would be one byte longer or shorter for others, unix(7). */
function encodeUnix(path: string): Buffer {
  const bytes = Buffer.alloc(2 + Buffer.byteLength(path) + 1);
  bytes.writeUInt16LE(family.unix, 0);
  bytes.write(path, 2);
  return bytes;
}

function encodeIpv4(host: string, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(family.ipv4, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(host.split(".").map(Number), 4);
  return bytes;
}

function encodeIpv6(host: string, port: number): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt16LE(family.ipv6, 0);
  bytes.writeUInt16BE(port, 2);
  const [head = "", tail = ""] = host.split("::");
  groups(head).forEach((group, index) => {
    bytes.writeUInt16BE(group, 8 + 2 * index);
  });
  // `::` stands for as many zeros as are missing.
  const last = groups(tail);
  last.forEach((group, index) => {
    bytes.writeUInt16BE(group, 24 - 2 * (last.length - index));
  });
  return bytes;
}

function groups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}
