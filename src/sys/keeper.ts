/**
 * The door to the keeper (P1), the small process that holds the listeners while the program runs.
 *
 * Runs:     in the set-up Node.
 * Promises: when keep() returns, the keeper has all that the bridges need, whatever becomes of this process.
 * Source:   docs/bootstrap.md; native/stub/keeper.h
 */
import { basename, dirname } from "node:path/posix";
import { bug } from "../base/errors.ts";
import type { Addon } from "./addon.ts";
import { systemError } from "./errno.ts";
import { type MessageKind, noDescriptor, protocol, receiveMessage, sendMessage } from "./protocol.ts";
import { findFile } from "./socket-file.ts";

export interface KeptListeners {
  /** They stay the caller's too. */
  readonly descriptors: readonly number[];
  /** Paths of Unix listeners, which are removed at the end. */
  readonly socketFiles: readonly string[];
}

/** Descriptors stay the caller's. */
export interface KeptBridges {
  /** Paths of Unix targets; one that exists must let a process without capabilities connect. */
  readonly targets: readonly string[];
  /** What the bridge process is to do. */
  readonly relayPlan: Buffer;
  /** Its Landlock ruleset, or -1. */
  readonly ruleset: number;
  /** Its seccomp filter; empty: none. */
  readonly filter: Uint8Array;
  /** -1: nobody asked for reports. */
  readonly status: number;
  /** What is written to `status` when nobody has ever connected. */
  readonly idleReport: Buffer;
  /** Where its messages go, or -1. */
  readonly debug: number;
  /** P0 stays as the program's reaper, and says when it has ended. */
  readonly hasReaper: boolean;
}

const step = "start-keeper";
const enoent = -2;
const eacces = -13;

export class Keeper {
  readonly #addon: Addon;
  #socket: number;
  /** By path: its number, or the -errno of its directory. */
  readonly #places = new Map<string, number>();
  #placeCount = 0;

  constructor(addon: Addon, socket: number) {
    this.#addon = addon;
    this.#socket = socket;
  }

  /** Unix listeners are about to be made there: if this process is killed, the keeper removes them. Throws FENCE_BRIDGE. */
  expect(paths: readonly string[]): void {
    for (const path of paths) this.#places.set(path, this.#sendPlace(path));
  }

  /** As soon as they are open, the files at expected places. Throws FENCE_BRIDGE. */
  hold({ descriptors, socketFiles }: KeptListeners): void {
    for (const path of socketFiles) this.#holdFile(path);
    for (const listener of descriptors) this.#send("listener", { descriptors: [listener] });
  }

  /** What the bridges need beside the listeners. Throws FENCE_BRIDGE. */
  keep(bridges: KeptBridges): void {
    for (const path of bridges.targets) this.#send("mayConnect", { payload: terminated(path) });
    this.#sendFile("relayPlan", bridges.relayPlan);
    if (bridges.ruleset !== noDescriptor) this.#send("ruleset", { descriptors: [bridges.ruleset] });
    this.#send("filter", { payload: bridges.filter });
    if (bridges.status !== noDescriptor) this.#sendFile("status", bridges.idleReport, bridges.status);
    if (bridges.debug !== noDescriptor) this.#send("debug", { descriptors: [bridges.debug] });
    this.#send("ready", { value: bridges.hasReaper ? 1 : 0 });
    const answer = receiveMessage(this.#addon, this.#socket);
    if (typeof answer !== "object") throw failure("cannot hear the keeper", "recvmsg", answer);
    if (answer.kind !== protocol.kinds.kept) throw bug(`the keeper answered ${answer.kind}`);
    if (answer.error !== 0) throw refused(answer.step, -answer.error, bridges.targets[answer.index]);
  }

  /** The program has started. When this cannot be said, the end of this process, which is near, says the same. */
  serve(): void {
    sendMessage(this.#addon, this.#socket, "serve");
  }

  /** There is nothing to keep, or no longer: it ends, if it has not yet. */
  dismiss(): void {
    if (this.#socket === noDescriptor) return;
    sendMessage(this.#addon, this.#socket, "exit");
    this.#addon.closeDescriptor(this.#socket);
    this.#socket = noDescriptor;
  }

  /** By its directory's descriptor: later the program may lead the path elsewhere. Answers its number, or -errno. */
  #sendPlace(path: string): number {
    const directory = this.#addon.openPath(Buffer.from(dirname(path)));
    if (directory < 0) return directory; // what makes the listener has more to say about it
    const value = isFree(path) ? 1 : 0;
    this.#send("socketPlace", { value, descriptors: [directory], payload: terminated(basename(path)) });
    this.#addon.closeDescriptor(directory);
    return this.#placeCount++;
  }

  #holdFile(path: string): void {
    const place = this.#places.get(path);
    if (place === undefined) throw bug(`the keeper did not expect ${path}`);
    if (place < 0) throw failure(`cannot open the directory of ${path}`, "open", place);
    this.#send("socketFile", { value: place });
  }

  #sendFile(kind: MessageKind, bytes: Buffer, ...others: readonly number[]): void {
    const file = this.#addon.sealedFile(bytes);
    if (file < 0) throw failure("cannot make a memory file for the keeper", "memfd_create", file);
    const [first = file] = others;
    this.#send(kind, { descriptors: first === file ? [file] : [first, file] });
    this.#addon.closeDescriptor(file);
  }

  #send(kind: MessageKind, contents: Parameters<typeof sendMessage>[3] = {}): void {
    const result = sendMessage(this.#addon, this.#socket, kind, contents);
    if (result < 0) throw failure("cannot send to the keeper", "sendmsg", result);
  }
}

/** Looked at here: when the keeper hears of the place the listener may have been made. */
function isFree(path: string): boolean {
  try {
    return findFile(path) === null;
  } catch {
    return false; // bind(2) will say why; whatever is there stays
  }
}

function terminated(path: string): Buffer {
  return Buffer.from(`${path}\0`);
}

function failure(tried: string, syscall: string, result: number | "closed") {
  const econnreset = -104;
  return systemError("FENCE_BRIDGE", tried, syscall, result === "closed" ? econnreset : result, { step });
}

/** What the keeper could not do, by the kind of message that asked for it. */
function refused(kind: number, result: number, target: string | undefined) {
  const name = Object.entries(protocol.kinds).find(([, number]) => number === kind)?.[0] ?? "message";
  if (name !== "mayConnect" || target === undefined)
    return failure(`the keeper cannot take a ${name}`, "recvmsg", result);
  return systemError("FENCE_BRIDGE", `the bridge process may not connect to ${target}`, "faccessat2", result, {
    step,
    path: target,
    hint:
      result === eacces || result === enoent
        ? "it has no capabilities: let its user write to the socket and search its directories (chown, chmod)"
        : "the target must be a Unix socket that fence's user can reach",
  });
}
