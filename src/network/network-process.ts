/**
 * The network part's process: relays between a launcher's sandboxes and the host.
 *
 * Runs:     host, restricted before its first instruction: it can open no file, start no process and connect to what
 *           the configuration names only.
 * Promises: ends when the launcher does; all that it was given of one sandbox is closed when that is drained.
 * Source:   docs/network-part.md; native/stub/network-process.h
 */
import { bug, unreachable } from "../base/errors.ts";
import type { OpenBridge } from "../bridge/bridge.ts";
import { Bridges, closeContext, defaultBridgesOptions, openContext } from "../bridge/bridges.ts";
import { ConnectionLimit } from "../bridge/connection-limit.ts";
import type { RelayContext } from "../bridge/direction.ts";
import { inheritListener } from "../bridge/listener.ts";
import type { Addon } from "../sys/addon.ts";
import { noDescriptor, type Packet, protocol } from "../sys/protocol.ts";
import { Channel, type ChannelOwner, closeDescriptors } from "./channel.ts";
import { countsPayload, outcomes } from "./delivered.ts";
import { type NetworkEnd, parseEnd, targetOf } from "./network-end.ts";
import { SocketPool } from "./socket-pool.ts";

/** Settles when the launcher is gone. */
export async function serveNetwork(addon: Addon, channel: number): Promise<void> {
  const context = openContext(addon, defaultBridgesOptions);
  const launcher = Promise.withResolvers<void>();
  const service = new NetworkService(addon, context, channel, launcher.resolve);
  await launcher.promise;
  service.close();
  closeContext(context);
}

/** A sandbox that takes all it can get leaves the others some. */
const sandboxLimit = 2048;
/** What the process's bound on memory has room for, native/stub/network-process.c. */
const processLimit = 4096;

interface Sandbox {
  readonly bridges: Bridges;
  readonly sockets: SocketPool | null;
}

class NetworkService implements ChannelOwner {
  readonly #addon: Addon;
  readonly #context: RelayContext;
  readonly #channel: Channel;
  readonly #sandboxes = new Map<number, Sandbox>();
  readonly onEnd: () => void;
  readonly #limit = new ConnectionLimit(processLimit);
  #isDebugging = false;

  constructor(addon: Addon, context: RelayContext, channel: number, onEnd: () => void) {
    this.#addon = addon;
    this.#context = context;
    this.onEnd = onEnd;
    this.#channel = new Channel(addon, context.pollSet, channel, this);
  }

  onPacket(packet: Packet): void {
    const { kinds } = protocol;
    switch (packet.kind) {
      case kinds.debug:
        this.#isDebugging = true;
        return;
      case kinds.sandbox:
        this.#open(packet);
        return;
      case kinds.endpoint:
        this.#add(packet);
        return;
      case kinds.drain:
        void this.#drain(packet);
        return;
      case kinds.close:
        this.#close(packet.index);
        return;
      default:
        throw bug(`the launcher sent ${packet.kind}`);
    }
  }

  close(): void {
    for (const number of [...this.#sandboxes.keys()]) this.#close(number);
    this.#channel.close();
  }

  #open({ index, value: connectionLimit, descriptor }: Packet): void {
    const debug = (text: string) => this.#debug(text);
    const sharedLimits = [new ConnectionLimit(sandboxLimit), this.#limit];
    const bridges = new Bridges(this.#addon, [], { debug, connectionLimit, sharedLimits }, this.#context);
    const sockets = descriptor === noDescriptor ? null : new SocketPool(this.#addon, this.#context.pollSet, descriptor);
    this.#sandboxes.set(index, { bridges, sockets });
  }

  #add(packet: Packet): void {
    const sandbox = this.#sandboxes.get(packet.index);
    if (sandbox === undefined) closeDescriptors(this.#addon, packet);
    else sandbox.bridges.add(this.#bridge(parseEnd(packet.payload, packet.descriptor), sandbox.sockets));
  }

  #bridge(end: NetworkEnd, sockets: SocketPool | null): OpenBridge {
    const listener = inheritListener(this.#addon, end.listener, end.listen);
    const targetName = targetOf(end);
    switch (end.kind) {
      case "outbound": {
        const [target, ...alternatives] = end.targets;
        return { listener, target, targetName, alternatives };
      }
      case "published":
        if (sockets === null) throw bug("a published port of a sandbox that makes no sockets");
        return { listener, target: { kind: "tcp", host: "127.0.0.1", port: end.port }, targetName, sockets };
      default:
        return unreachable(end);
    }
  }

  async #drain({ index, value: stallMs }: Packet): Promise<void> {
    const sandbox = this.#sandboxes.get(index);
    if (sandbox === undefined) return;
    const outcome = await sandbox.bridges.drain({ stallMs });
    const payload = countsPayload(sandbox.bridges.statistics());
    this.#close(index);
    this.#channel.send("delivered", { index, value: outcomes.indexOf(outcome), payload });
  }

  #close(number: number): void {
    const sandbox = this.#sandboxes.get(number);
    this.#sandboxes.delete(number);
    sandbox?.bridges.close();
    sandbox?.sockets?.close();
  }

  /** Never waits for a launcher that is busy: it is about what failed, and there may be much of it. */
  #debug(text: string): void {
    if (this.#isDebugging && !this.#channel.isBehind) this.#channel.send("debug", { payload: Buffer.from(text) });
  }
}
