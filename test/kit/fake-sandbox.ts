/**
 * A network namespace that stands for a sandbox: listeners, servers, clients and the factory of sockets in it.
 *
 * Runs:     in the network part's tests; needs bwrap.
 * Promises: nothing of it outlives the test.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { fileURLToPath } from "node:url";
import addon from "landlock-napi/addon";
import type { Address } from "../../src/bridge/address.ts";
import { messagePair, receiveMessage } from "../../src/sys/protocol.ts";

export type SandboxQuestion =
  | { readonly kind: "listen" | "serve" | "close-factory" }
  | { readonly kind: "connect"; readonly port: number }
  | { readonly kind: "refuse-sockets"; readonly count: number };

export interface SandboxAnswer {
  readonly address: Address | null;
}

const childPath = fileURLToPath(new URL("fake-sandbox-child.ts", import.meta.url));

export class FakeSandbox {
  readonly #child: ChildProcess;
  readonly #listeners: number;
  /** For NetworkPart.sandbox(), which owns it from then on. */
  readonly factory: number;
  /** One question at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor() {
    const [listeners, farListeners] = pair();
    const [factory, farFactory] = pair();
    this.#listeners = listeners;
    this.factory = factory;
    const namespace = ["--unshare-net", "--die-with-parent", "--dev-bind", "/", "/", "--"];
    const node = [process.execPath, "--disable-warning=ExperimentalWarning", childPath];
    this.#child = spawn("bwrap", [...namespace, ...node], {
      stdio: ["ignore", "inherit", "inherit", farListeners, farFactory, "ipc"],
    });
    for (const fd of [farListeners, farFactory]) addon.closeDescriptor(fd);
  }

  /** A socket that listens there; the descriptor is the caller's. */
  async listen(): Promise<{ readonly fd: number; readonly address: Address }> {
    const [{ address }] = await this.#ask({ kind: "listen" });
    const message = receiveMessage(addon, this.#listeners);
    if (typeof message !== "object" || address === null) throw new Error("no listener came");
    return { fd: message.descriptor, address };
  }

  /** A server there whose connections come here. */
  async serve(): Promise<{ readonly server: Server; readonly port: number }> {
    const [{ address }, server] = await this.#ask({ kind: "serve" });
    if (address?.kind !== "tcp") throw new Error("no server came");
    return { server: server as Server, port: address.port };
  }

  /** A client that is connected to this port there; it waits for whoever reads it. */
  async connect({ port }: { readonly port: number }): Promise<Socket> {
    const [, socket] = await this.#ask({ kind: "connect", port });
    const client = socket as Socket;
    client.allowHalfOpen = true;
    return client;
  }

  /** So many questions for sockets are refused; -1: none is answered any more. */
  async refuseSockets(count: number): Promise<void> {
    await this.#ask({ kind: "refuse-sockets", count });
  }

  /** As if the reaper had ended. */
  async closeFactory(): Promise<void> {
    await this.#ask({ kind: "close-factory" });
  }

  close(): void {
    addon.closeDescriptor(this.#listeners);
    this.#child.kill("SIGKILL");
  }

  #ask(question: SandboxQuestion): Promise<[SandboxAnswer, unknown]> {
    const asked = this.#last.then(() => {
      this.#child.send(question);
      return once(this.#child, "message") as Promise<[SandboxAnswer, unknown]>;
    });
    this.#last = asked;
    return asked;
  }
}

function pair(): readonly [number, number] {
  const made = messagePair(addon);
  if (typeof made === "number") throw new Error("no sockets");
  return made;
}
