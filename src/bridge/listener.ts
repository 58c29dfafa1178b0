/**
 * Opens or inherits the listening sockets of bridges, and removes the Unix sockets' files again.
 *
 * Runs:     host and sandbox, before the program starts. Nothing is accepted here: the kernel queues.
 * Promises: a Unix socket has mode 0600 from its first moment, is never made through a symbolic link and never in
 *           place of what was there; on failure nothing stays open and no file stays behind; no file is removed but
 *           those made here.
 * Source:   unix(7), bind(2); docs/bridges.md
 */
import { bug, FenceError, unreachable } from "../base/errors.ts";
import type { Addon } from "../sys/addon.ts";
import { errnoName, nodeError, systemError } from "../sys/errno.ts";
import { type FoundFile, findFile, removeSocketFile, type SocketFile } from "../sys/socket-file.ts";
import { type Address, formatAddress, type ListenAddress } from "./address.ts";
import { decodePort, encodeAddress, familyOf, kindOf } from "./sockaddr.ts";

export interface Listener {
  readonly fd: number;
  /** With the port that the kernel chose when port 0 was asked for. */
  readonly address: ListenAddress;
  readonly kind: Address["kind"];
  /** The file that closeListener() removes. "not-ours": there is none, or it is for somebody else to remove. */
  readonly file: SocketFile | "not-ours";
}

type TcpAddress = Extract<Address, { kind: "tcp" }>;
type UnixAddress = Extract<Address, { kind: "unix" }>;
type DescriptorAddress = Extract<ListenAddress, { kind: "descriptor" }>;

const step = "open-bridges";
const backlog = 4096;
const enetdown = -100;
const enodev = -19;
const eafnosupport = -97;

/** Gives the descriptor that the user knows by this number. */
export type TakeDescriptor = (descriptor: number) => number;

/** One listener for each address, or none at all. The caller closes them. Throws FENCE_LISTEN. */
export function openListeners(
  addon: Addon,
  addresses: readonly ListenAddress[],
  take: TakeDescriptor = refuseDescriptor,
): Listener[] {
  const listeners: Listener[] = [];
  try {
    for (const address of addresses) {
      listeners.push(address.kind === "descriptor" ? takeListener(addon, address, take) : openListener(addon, address));
    }
  } catch (error) {
    for (const listener of listeners) closeListener(addon, listener);
    throw error;
  }
  return listeners;
}

/**
 * A socket that another process has bound and listens on, and whose file that process removes. The caller has inherited
 * or received the descriptor and closes it with closeListener(). It becomes non-blocking, for that process too.
 * Throws FENCE_LISTEN.
 */
export function inheritListener(addon: Addon, fd: number, address: ListenAddress): Listener {
  if (address.kind === "descriptor") return givenListener(addon, fd, address);
  const name = encodeAddress(address);
  const found = Buffer.alloc(name.length);
  check(address, "getsockname", addon.socketName(fd, found));
  if (!found.equals(name)) throw bug(`descriptor ${fd} was to listen on ${formatAddress(address)} and does not`);
  check(address, "fcntl", addon.setNonblocking(fd));
  return { fd, address, kind: address.kind, file: "not-ours" };
}

/** Closes the descriptor and removes the socket's file, if it was made here and is still ours. Answers what has gone wrong. */
export function closeListener(addon: Addon, { fd, file }: Listener): FenceError | null {
  addon.closeDescriptor(fd);
  if (file === "not-ours") return null;
  try {
    removeSocketFile(file);
    return null;
  } catch (error) {
    return nodeError("FENCE_BRIDGE", `cannot remove the socket ${file.path}`, error, { step: "close-bridges" });
  }
}

function refuseDescriptor(): never {
  throw bug("nobody gives descriptors here");
}

function takeListener(addon: Addon, address: DescriptorAddress, take: TakeDescriptor): Listener {
  const fd = take(address.descriptor);
  try {
    return givenListener(addon, fd, address);
  } catch (error) {
    addon.closeDescriptor(fd);
    throw error;
  }
}

/** Whatever its address is: whoever gave it has bound it. */
function givenListener(addon: Addon, fd: number, address: DescriptorAddress): Listener {
  const family = addon.listeningFamily(fd);
  check(address, "getsockopt", family);
  const kind = kindOf(family);
  if (kind === null) throw cannotListen(address, "getsockopt", eafnosupport);
  check(address, "fcntl", addon.setNonblocking(fd));
  return { fd, address, kind, file: "not-ours" };
}

function openListener(addon: Addon, address: Address): Listener {
  const fd = addon.socket(familyOf(address));
  if (fd < 0) throw cannotListen(address, "socket", fd);
  try {
    return address.kind === "unix" ? listenOnPath(addon, fd, address) : listenOnPort(addon, fd, address);
  } catch (error) {
    addon.closeDescriptor(fd);
    throw error;
  }
}

function listenOnPort(addon: Addon, fd: number, address: TcpAddress): Listener {
  check(address, "setsockopt", addon.reuseAddress(fd));
  check(address, "setsockopt", addon.noDelay(fd));
  check(address, "setsockopt", addon.doNotPace(fd));
  const name = encodeAddress(address);
  check(address, "bind", addon.bind(fd, name));
  check(address, "listen", addon.listen(fd, backlog));
  check(address, "getsockname", addon.socketName(fd, name));
  if (address.host.startsWith("127.")) checkLoopback(addon, fd, address);
  return { fd, address: { ...address, port: decodePort(name) }, kind: "tcp", file: "not-ours" };
}

/** The kernel lets an IPv4 socket listen on an interface that is down, where nobody can ever connect. */
function checkLoopback(addon: Addon, fd: number, address: TcpAddress): void {
  const isUp = addon.loopbackIsUp(fd);
  if (isUp === 0) throw cannotListen(address, "ioctl", enetdown);
  if (isUp !== enodev) check(address, "ioctl", isUp); // without an interface of that name nothing is known
}

function listenOnPath(addon: Addon, fd: number, address: UnixAddress): Listener {
  // Linux gives the file the socket's own mode: no moment with another one, and no umask that other threads would see.
  check(address, "fchmod", addon.setMode(fd, 0o600));
  check(address, "bind", addon.bind(fd, encodeAddress(address)));
  const file = madeFile(address);
  try {
    check(address, "listen", addon.listen(fd, backlog));
  } catch (error) {
    removeSocketFile(file);
    throw error;
  }
  return { fd, address, kind: "unix", file };
}

/** The file that bind(2) has just made, if it is as private as we asked for. */
function madeFile(address: UnixAddress): SocketFile {
  const { path } = address;
  const found = foundFile(address);
  if (found?.type !== "socket") {
    throw new FenceError("FENCE_LISTEN", `cannot listen on ${formatAddress(address)}: the new socket was replaced`, {
      step,
      path,
      hint: "somebody else changes this directory: choose one that only you can write to",
    });
  }
  if ((found.mode & 0o077) === 0) return { path, device: found.device, inode: found.inode };
  removeSocketFile(found);
  throw new FenceError("FENCE_LISTEN", `cannot listen on ${formatAddress(address)}: others could connect to it`, {
    step,
    path,
    hint: "this file system keeps no file modes: choose a path on another one",
  });
}

function foundFile(address: UnixAddress): FoundFile | null {
  try {
    return findFile(address.path);
  } catch (error) {
    throw nodeError("FENCE_LISTEN", `cannot look at the new socket of ${formatAddress(address)}`, error, {
      step,
      path: address.path,
    });
  }
}

function check(address: ListenAddress, syscall: string, result: number): void {
  if (result < 0) throw cannotListen(address, syscall, result);
}

/** FENCE_LISTEN, of a call that failed here or in the process that listens instead. `result` is below 0. */
export function cannotListen(address: ListenAddress, syscall: string, result: number): FenceError {
  const hint = hintFor(address, errnoName(result));
  return systemError("FENCE_LISTEN", `cannot listen on ${formatAddress(address)}`, syscall, result, {
    step,
    ...(address.kind === "unix" && { path: address.path }),
    ...(hint !== undefined && { hint }),
  });
}

function hintFor(address: ListenAddress, errno: string): string | undefined {
  switch (address.kind) {
    case "descriptor":
      return "it must be a TCP or Unix stream socket on which listen(2) was called";
    case "unix":
      return pathHint(address.path, errno);
    case "tcp":
      return portHints[errno];
    default:
      return unreachable(address);
  }
}

const portHints: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process listens on this port: stop it or choose another port",
  EADDRNOTAVAIL: "the loopback interface of this network namespace is down or lacks the address: ip link set lo up",
  ENETDOWN: "the loopback interface of this network namespace is down: ip link set lo up",
  EAFNOSUPPORT: "this kernel has no IPv6: use an IPv4 address",
  EACCES: "a port below 1024 needs CAP_NET_BIND_SERVICE: choose a higher one",
};

function pathHint(path: string, errno: string): string | undefined {
  if (errno !== "EADDRINUSE") return pathHints[errno];
  return takenHints[findFile(path)?.type ?? "other"];
}

const takenHints = {
  socket: "a socket is there already: stop the process that listens on it, or remove the file when there is none",
  "symbolic link": "the path is a symbolic link: name a path that does not exist",
  other: "the path exists and is no socket: name a path that does not exist",
};

const pathHints: Readonly<Record<string, string>> = {
  ENOENT: "the directory does not exist",
  ENOTDIR: "a part of the path is not a directory",
  EACCES: "the directory is not writable for this user",
  EPERM: "the directory is not writable for this user",
  EROFS: "the directory is on a read-only file system",
};
