/**
 * One process of the network part, as the launcher sees it.
 *
 * Runs:     host, in the launcher.
 * Promises: the process inherits its channel and nothing else, has an empty environment and a session of its own; what
 *           it says is checked and bounded, for it talks to hostile programs; whoever sends wrong messages is ended.
 * Source:   docs/network-part.md; native/stub/network-process.h
 */
import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import type { PollSet } from "../bridge/poll-set.ts";
import { filterBytes } from "../seccomp/filters.ts";
import type { Addon } from "../sys/addon.ts";
import { architecture } from "../sys/architecture.ts";
import { describeFailure } from "../sys/errno.ts";
import { type Contents, type MessageKind, messagePair, noDescriptor, type Packet, protocol } from "../sys/protocol.ts";
import { Channel, type ChannelOwner, closeDescriptors } from "./channel.ts";
import { type Delivered, outcomes, parseCounts } from "./delivered.ts";

export interface ChildEnd {
  readonly exit: number | null;
  readonly signal: string | null;
  /** The beginning of what it wrote, or why it was not started. */
  readonly said: string;
}

export interface ChildOwner {
  onDelivered(sandbox: number, delivered: Delivered): void;
  onDebug(text: string): void;
  /** Once, and never after end(). */
  onEnded(end: ChildEnd): void;
}

export interface ChildParts {
  /** The packed fence. */
  readonly executable: string;
  /** Of Landlock; -1: this kernel has none. Stays the caller's. */
  readonly ruleset: number;
  /** Of Unix sockets, which Landlock may not know: all, or none. */
  readonly connectsTo: "all families" | "TCP alone";
  /** Whether it is to say why connections fail. */
  readonly isDebugging: boolean;
}

const longestWords = 4096;
const longestDebug = 500;

export class NetworkChild implements ChannelOwner {
  readonly #addon: Addon;
  readonly #pollSet: PollSet;
  readonly #owner: ChildOwner;
  #channel: Channel | null = null;
  #process: ChildProcess | null = null;
  #said = "";
  #hasEnded = false;

  constructor(addon: Addon, pollSet: PollSet, owner: ChildOwner) {
    this.#addon = addon;
    this.#pollSet = pollSet;
    this.#owner = owner;
  }

  /** null: it was not started, or has ended. */
  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  /** The owner is told in a later turn when that fails. */
  start({ executable, ruleset, connectsTo, isDebugging }: ChildParts): void {
    const pair = messagePair(this.#addon);
    if (typeof pair === "number") {
      this.#endLater(describeFailure("socketpair", pair));
      return;
    }
    const [near, far] = pair;
    this.#channel = new Channel(this.#addon, this.#pollSet, near, this);
    try {
      this.#spawn(executable, far);
    } catch (error) {
      this.#endLater(String(error)); // some errnos of fork(2) are thrown, others emitted
    }
    this.#addon.closeDescriptor(far);
    if (ruleset !== noDescriptor) this.send("ruleset", { descriptors: [ruleset] });
    this.send("filter", { payload: filterBytes(connectsTo === "TCP alone" ? "network" : "bridge", architecture()) });
    this.send("ready");
    if (isDebugging) this.send("debug");
  }

  /** In order; lost when it has ended. */
  send(kind: MessageKind, contents: Contents = {}): void {
    this.#channel?.send(kind, contents);
  }

  /** Nothing of this sandbox that is not sent yet will be: its descriptors are about to be closed. */
  forget(sandbox: number): void {
    this.#channel?.forget(sandbox);
  }

  /** It is gone with all its connections. */
  end(): void {
    this.#hasEnded = true;
    this.#channel?.close();
    this.#process?.kill("SIGKILL");
  }

  onPacket(packet: Packet): void {
    closeDescriptors(this.#addon, packet);
    const { kind, index, value, payload } = packet;
    const { delivered, debug } = protocol.kinds;
    const outcome = outcomes[value];
    const counts = kind === delivered ? parseCounts(payload) : null;
    if (kind === debug) this.#owner.onDebug(printable(payload.subarray(0, longestDebug)));
    else if (counts !== null && outcome !== undefined) this.#owner.onDelivered(index, { outcome, counts });
    else this.#refuse();
  }

  /** What no longer talks, or talks nonsense, is no use: its end is what the owner is told. */
  onEnd(): void {
    this.#channel?.close();
    this.#process?.kill("SIGKILL");
  }

  #refuse(): void {
    this.#said += "it sent what it must not send\n";
    this.onEnd();
  }

  #spawn(executable: string, channel: number): void {
    // Loaded here: it takes 4 ms with what it needs, and most sandboxes' first connection comes late or never.
    const { spawn } = process.getBuiltinModule("node:child_process");
    const child = spawn(executable, ["network"], {
      argv0: "fence: network",
      env: {},
      cwd: "/",
      detached: true, // in a session of its own: the terminal's signals are not for it
      stdio: ["ignore", "ignore", "pipe", channel],
    });
    this.#process = child;
    child.unref();
    child.once("error", (error) => this.#ended({ exit: null, signal: null, said: String(error) }));
    const { stderr } = child;
    if (stderr !== null) this.#collect(stderr);
    child.once("close", (exit, signal) => this.#ended({ exit, signal, said: this.#said }));
  }

  #collect(stderr: Readable): void {
    stderr.on("data", (bytes: Buffer) => {
      this.#said += printable(bytes.subarray(0, longestWords - this.#said.length));
    });
    if ("unref" in stderr && typeof stderr.unref === "function") stderr.unref();
  }

  #endLater(said: string): void {
    setImmediate(() => this.#ended({ exit: null, signal: null, said }));
  }

  #ended(end: ChildEnd): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#channel?.close();
    this.#owner.onEnded(end);
  }
}

/** Nothing that a terminal would obey. */
function printable(bytes: Buffer): string {
  return bytes.toString("latin1").replace(/[^\n\x20-\x7e]/g, "?");
}
