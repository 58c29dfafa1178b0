/**
 * Where the processes of commands ask for their launch: a socket that takes the ends of their channels.
 *
 * Runs:     host, in the service.
 * Promises: nobody but this user gets in; a message that is no request for a launch closes what came with it; nobody keeps others
 *           out by saying nothing.
 * Source:   native/stub/protocol.h, MESSAGE_ATTACH; unix(7)
 */

import { FenceError } from "../base/errors.ts";
import { encodeAddress } from "../bridge/sockaddr.ts";
import type { Addon } from "../sys/addon.ts";
import { systemError } from "../sys/errno.ts";
import { type Message, noDescriptor, protocol, receiveMessage } from "../sys/protocol.ts";

/** What a front sends: the launcher's ends. Whoever takes them closes them. */
export interface Attachment {
  readonly id: string;
  readonly setup: number;
  readonly life: number;
}

const step = "open-service";
const ownerOnly = 0o600;
const backlog = 4096;
const emfile = -24;
const eproto = -71;
/** Each takes a descriptor and a watch, and whoever means it sends its message at once: the oldest goes. */
const mostSilent = 64;

export class Attachments {
  readonly #addon: Addon;
  readonly #socket: number;
  readonly #uid: number;
  readonly #taken: (attachment: Attachment) => void;
  readonly #watch: number;
  /** Connections without their message: watch -> descriptor. */
  readonly #silent = new Map<number, number>();
  #lost = 0;

  /** Listens at `path`, in a directory that is this user's alone. Throws FENCE_SERVICE. */
  constructor(addon: Addon, path: string, uid: number, taken: (attachment: Attachment) => void) {
    this.#addon = addon;
    this.#uid = uid;
    this.#taken = taken;
    this.#socket = check("socket", path, addon.packetSocket());
    check("fchmod", path, addon.setMode(this.#socket, ownerOnly));
    check("bind", path, addon.bind(this.#socket, encodeAddress({ kind: "unix", path })));
    check("listen", path, addon.listen(this.#socket, backlog));
    this.#watch = check(
      "epoll_ctl",
      path,
      addon.watch(this.#socket, () => this.#accept(), true),
    );
  }

  /** Whether somebody was turned away for want of descriptors; each is told of once. */
  takeLost(): boolean {
    return this.#lost > 0 && this.#lost-- > 0;
  }

  close(): void {
    this.#addon.unwatch(this.#watch);
    this.#addon.closeDescriptor(this.#socket);
    for (const [watch, connection] of this.#silent) this.#drop(watch, connection);
  }

  /** One for each time that it is readable: there may be more. */
  #accept(): void {
    const connection = this.#addon.accept(this.#socket);
    if (connection < 0) return; // gone again, or there are too many open files: it stays readable
    if (this.#addon.peerUid(connection) !== this.#uid) {
      this.#addon.closeDescriptor(connection);
      return;
    }
    const watch = this.#addon.watch(connection, () => this.#hear(watch, connection), false);
    if (watch < 0) this.#addon.closeDescriptor(connection);
    else this.#silent.set(watch, connection);
    const [oldest] = this.#silent;
    if (this.#silent.size > mostSilent && oldest !== undefined) this.#drop(...oldest);
  }

  #hear(watch: number, connection: number): void {
    const message = heard(this.#addon, connection);
    this.#drop(watch, connection);
    if (message === emfile) this.#lost++;
    if (typeof message === "number") return;
    const { kind, value, index, descriptor: setup, secondDescriptor: life } = message;
    if (kind === protocol.kinds.attach && setup !== noDescriptor && life !== noDescriptor) {
      this.#taken({ id: `${hexadecimal(value)}-${hexadecimal(index)}`, setup, life });
      return;
    }
    for (const descriptor of [setup, life]) if (descriptor !== noDescriptor) this.#addon.closeDescriptor(descriptor);
  }

  #drop(watch: number, connection: number): void {
    this.#silent.delete(watch);
    this.#addon.unwatch(watch);
    this.#addon.closeDescriptor(connection);
  }
}

/** -errno: it has gone, or speaks otherwise, or there was no room for what came with it. */
function heard(addon: Addon, connection: number): Message | number {
  try {
    const message = receiveMessage(addon, connection);
    return message === "closed" ? eproto : message;
  } catch (error) {
    if (error instanceof FenceError) return eproto;
    throw error;
  }
}

function hexadecimal(number: number): string {
  return number.toString(16).padStart(8, "0");
}

function check(call: string, path: string, result: number): number {
  if (result >= 0) return result;
  throw systemError("FENCE_SERVICE", `cannot listen at ${path} for commands`, call, result, { step, path });
}
