/**
 * The packets between Node and the stub's processes, on SOCK_SEQPACKET socket pairs.
 *
 * Runs:     in the set-up Node and in the bridge process.
 * Promises: one message, one packet; the numbers are those of native/stub/protocol.h.
 * Source:   docs/bootstrap.md, unix(7)
 */
import { bug } from "../base/errors.ts";
import type { Addon } from "./addon.ts";

export const protocol = {
  /** "FNCP", little-endian. */
  magic: 0x50434e46,
  messageBytes: 24,
  /** Behind a front's answer to `refer`: the signals that the caller had blocked, and those ignored. */
  signalsBytes: 16,
  /** Of one `give`. */
  givenDescriptors: 253,
  kinds: {
    execPlan: 1,
    exit: 2,
    take: 3,
    taken: 4,
    failed: 5,
    refer: 6,
    verify: 7,
    tried: 8,
    verified: 9,
    give: 10,
    listener: 16,
    socketFile: 17,
    mayConnect: 18,
    relayPlan: 19,
    ruleset: 20,
    filter: 21,
    status: 22,
    debug: 23,
    ready: 24,
    kept: 25,
    serve: 26,
    socketPlace: 27,
    programEnded: 32,
    drain: 33,
    signal: 48,
    started: 49,
    stopped: 50,
    ended: 51,
    stop: 52,
    goOn: 53,
    socket: 54,
    attach: 64,
    sandbox: 80,
    endpoint: 81,
    close: 82,
    delivered: 83,
  },
} as const;

/** Which process stays behind as the program's reaper, and whom it answers to. */
export const reaperPlaces = { none: 0, alone: 1, inside: 2, front: 3 } as const;

export type MessageKind = keyof typeof protocol.kinds;

export const noDescriptor = -1;
const eproto = -71;

export interface Message {
  readonly kind: number;
  readonly value: number;
  /** A step type of the exec plan, or a message kind. */
  readonly step: number;
  readonly index: number;
  /** Positive, or 0. */
  readonly error: number;
  /** -1: there is none. */
  readonly descriptor: number;
  readonly secondDescriptor: number;
}

export interface Packet extends Message {
  readonly payload: Buffer;
}

export interface Contents {
  readonly value?: number;
  readonly step?: number;
  readonly index?: number;
  readonly payload?: Uint8Array;
  readonly descriptors?: readonly [number, number?];
}

/** 0 or -errno: -EPIPE and -ECONNRESET when the other end is closed. */
export function sendMessage(addon: Addon, socket: number, kind: MessageKind, contents: Contents = {}): number {
  const { value = 0, step = 0, index = 0, payload = new Uint8Array(), descriptors = [noDescriptor] } = contents;
  const header = headerOf(kind, value, step, index);
  const [first, second = noDescriptor] = descriptors;
  return addon.sendMessage(socket, payload.length === 0 ? header : Buffer.concat([header, payload]), first, second);
}

/** The same for `give`: the receiver's numbers of these descriptors are those from `first` on. */
export function sendGiven(addon: Addon, socket: number, first: number, descriptors: readonly number[]): number {
  const header = headerOf("give", descriptors.length, 0, first);
  return addon.sendDescriptors(socket, header, Int32Array.from(descriptors));
}

function headerOf(kind: MessageKind, value: number, step: number, index: number): Buffer {
  return Buffer.from(Uint32Array.of(protocol.magic, protocol.kinds[kind], value, step, index, 0).buffer);
}

/** Two ends that messages go between, close-on-exec; or -errno. */
export function messagePair(addon: Addon): readonly [near: number, far: number] | number {
  const ends = new Int32Array(2);
  const result = addon.messagePair(ends);
  const [near = noDescriptor, far = noDescriptor] = ends;
  return result < 0 ? result : [near, far];
}

/** Waits for a message unless the socket is non-blocking. "closed": by the other end. A negative number: -errno. */
export function receiveMessage(addon: Addon, socket: number, payloadBytes = 0): Packet | "closed" | number {
  const packet = receivePacket(addon, socket, Buffer.alloc(protocol.messageBytes + payloadBytes));
  if (packet === eproto) throw bug("the stub sent a bad message");
  return packet;
}

/** The same with what is behind the message, in `room`; -EPROTO for what is no message. */
export function receivePacket(addon: Addon, socket: number, room: Buffer): Packet | "closed" | number {
  const received = new Int32Array(2);
  const length = addon.receiveMessage(socket, room, received);
  if (length === 0) return "closed";
  if (length < 0) return length;
  const [descriptor = noDescriptor, secondDescriptor = noDescriptor] = received;
  if (length < protocol.messageBytes || room.readUInt32LE(0) !== protocol.magic) {
    for (const fd of received) if (fd !== noDescriptor) addon.closeDescriptor(fd);
    return eproto;
  }
  const [kind = 0, value = 0, step = 0, index = 0, error = 0] = [4, 8, 12, 16, 20].map((at) => room.readUInt32LE(at));
  const payload = room.subarray(protocol.messageBytes, length);
  return { kind, value, step, index, error, descriptor, secondDescriptor, payload };
}
