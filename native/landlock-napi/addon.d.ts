/**
 * The whole addon: the public Landlock calls and the calls that fence's bridges, bootstrap and launcher need.
 * Every call returns its result, 0 or more, or -errno.
 */
import type { Landlock } from "./index.js";
import type { Relay } from "./relay/relay.js";

/** Sealed files and descriptors over a socket: what the bootstrap hands to the stub. */
export interface Handover {
  /** A memory file with these bytes that refuses every change; it is read from its start. */
  sealedFile(bytes: Buffer): number;
  /** One message with up to two descriptors; -1 stands for none. */
  sendMessage(socket: number, bytes: Buffer, first: number, second: number): number;
  /** The same with 1 to 253 descriptors, as many as the kernel lets one message have. */
  sendDescriptors(socket: number, bytes: Buffer, descriptors: Int32Array): number;
  /** The length of one message, 0 at the end. `descriptors` become those that it carried, -1 for each that is missing. */
  receiveMessage(socket: number, bytes: Buffer, descriptors: Int32Array): number;
  /** socketpair(2), SOCK_SEQPACKET and close-on-exec: what the two messages above go through. */
  messagePair(ends: Int32Array): number;
  /** dup2(2). */
  duplicateOnto(from: number, to: number): number;
  /** A close-on-exec copy, 3 or more. */
  duplicateAboveStdio(fd: number): number;
  /** Writes zeros over the variables that this process was started with: /proc/PID/environ shows them, process.env reads them. */
  wipeEnvironment(): number;
  /** Takes back the alarm that the stub has set against a Node that hangs at its start. */
  cancelAlarm(): number;
}

/** What is at paths of the host. A path that is a string is UTF-8 to the kernel; one that holds a NUL throws. */
export interface Paths {
  /** lstat(2): st_mode. `facts` become st_uid, st_nlink, st_dev and st_ino. */
  pathFacts(path: string, facts: BigUint64Array): number;
  /** readlink(2): the length of the target, which is cut where it does not fit. */
  linkTarget(path: string, target: Buffer): number;
  /**
   * How many of the names are in a directory, or with slashes below it; each name ends in NUL and has its byte of `found`, which
   * becomes 1 or 0. A symlink at the end of a name counts as it is, wherever it leads.
   */
  presentIn(directory: string, names: Buffer, found: Uint8Array): number;
  /**
   * How many bytes the entries of a directory take, in no order: of each a letter, its name and NUL. The letter is `@` and the
   * entry's type, st_mode >> 12, after it: `D` is a directory. When they take more than there is room, they are to be asked for again.
   */
  listDirectory(path: string, entries: Buffer): number;
}

export interface Addon extends Landlock, Relay, Handover, Paths {}

declare const addon: Addon;
export default addon;
