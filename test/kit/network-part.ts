/**
 * A network part with a fake sandbox, and clients and targets on both sides.
 *
 * Runs:     in the network part's tests; needs bwrap and dist/fence.
 * Promises: every port is the kernel's choice; all is closed after the test.
 */
import { once } from "node:events";
import { createServer, connect as netConnect, type Server, type Socket } from "node:net";
import addon from "landlock-napi/addon";
import { test as baseTest } from "vitest";
import type { Address } from "../../src/bridge/address.ts";
import { openListeners } from "../../src/bridge/listener.ts";
import { type NetworkCrash, NetworkPart, type NetworkPartOptions } from "../../src/network/network-part.ts";
import type { SandboxEnds } from "../../src/network/sandbox-ends.ts";
import { FakeSandbox } from "./fake-sandbox.ts";
import { requires } from "./requires.ts";
import { fence } from "./sandbox.ts";

/** The client inside and the target on the host, or the other way round. */
export const ways = ["outbound", "published"] as const;
export type Way = (typeof ways)[number];

type TcpAddress = Extract<Address, { kind: "tcp" }>;

/** One end that is served. */
export interface ServedEnd {
  readonly part: NetworkPart;
  readonly ends: SandboxEnds;
  readonly sandbox: FakeSandbox;
  readonly crashes: readonly NetworkCrash[];
  /** The next crash is told. */
  readonly crashed: () => Promise<NetworkCrash>;
  readonly debug: readonly string[];
  /** Connected to the listener. */
  readonly client: () => Promise<Socket>;
  /** Where the client connects to, and the target. */
  readonly listen: TcpAddress;
  readonly targetPort: number;
}

export class NetworkStage {
  readonly #closers: (() => void)[] = [];

  close(): void {
    for (const close of this.#closers.reverse()) close();
  }

  sandbox(): FakeSandbox {
    const sandbox = new FakeSandbox();
    this.#closers.push(() => sandbox.close());
    return sandbox;
  }

  part(options: NetworkPartOptions): NetworkPart {
    const part = new NetworkPart(addon, { executable: fence, ...options });
    this.#closers.push(() => part.close());
    return part;
  }

  /** A part with one end of one sandbox, whose target's connections are given to `onConnection`; null: it refuses. */
  async served(
    way: Way,
    onConnection: ((socket: Socket) => void) | null,
    options: Partial<NetworkPartOptions> = {},
  ): Promise<ServedEnd> {
    const sandbox = this.sandbox();
    const target = await this.#target(way, sandbox);
    if (onConnection === null) await new Promise((resolve) => target.server.close(resolve));
    target.server.on("connection", (socket: Socket) => {
      socket.allowHalfOpen = true;
      onConnection?.(this.opened(socket));
    });
    const address = { kind: "tcp", host: "127.0.0.1", port: target.port } as const;
    const crashes: NetworkCrash[] = [];
    const debug: string[] = [];
    let wake: () => void = () => {};
    const part = this.part({
      targets: way === "outbound" ? [address] : [],
      publishedPorts: way === "published" ? [target.port] : [],
      debug: (text) => debug.push(text),
      crashed: (crash) => {
        crashes.push(crash);
        wake();
      },
      ...options,
    });
    const ends = part.sandbox(sandbox.factory);
    const { fd: listener, address: listen } = way === "outbound" ? await sandbox.listen() : this.listen();
    if (listen.kind !== "tcp") throw new Error("no TCP listener");
    if (way === "outbound") ends.add({ kind: "outbound", listener, listen, targets: [address] });
    else ends.add({ kind: "published", listener, listen, port: target.port });
    let told = 0;
    const crashed = async () => {
      if (crashes.length === told) await new Promise<void>((resolve) => (wake = resolve));
      return crashes[told++] as NetworkCrash;
    };
    const client = async () => this.opened(await (way === "outbound" ? sandbox.connect(listen) : this.connect(listen)));
    return { part, ends, sandbox, crashes, crashed, debug, client, listen, targetPort: target.port };
  }

  /** A listener on the host; the descriptor is the caller's. */
  listen(host = "127.0.0.1"): { readonly fd: number; readonly address: Address } {
    const [listener] = openListeners(addon, [{ kind: "tcp", host, port: 0 }]);
    if (listener === undefined) throw new Error("no listener");
    return { fd: listener.fd, address: listener.address as Address };
  }

  /** A client on the host. */
  async connect({ host = "127.0.0.1", port }: { readonly host?: string; readonly port: number }): Promise<Socket> {
    const socket = this.opened(netConnect({ host, port, allowHalfOpen: true }));
    await once(socket, "connect");
    return socket;
  }

  async #target(way: Way, sandbox: FakeSandbox): Promise<{ readonly server: Server; readonly port: number }> {
    if (way === "published") {
      const made = await sandbox.serve();
      this.#closers.push(() => void made.server.close());
      return made;
    }
    const server = createServer({ allowHalfOpen: true });
    this.#closers.push(() => void server.close());
    server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 });
    await once(server, "listening");
    return { server, port: (server.address() as { port: number }).port };
  }

  /** An error that no test looks at must not end them all. */
  opened(socket: Socket): Socket {
    this.#closers.push(() => void socket.destroy());
    return socket.on("error", () => {});
  }
}

/** Tests that get a stage, which is closed after them. */
export const test = baseTest.extend<{ readonly stage: NetworkStage }>({
  stage: async ({ skip }, use) => {
    requires("bwrap")({ skip });
    const stage = new NetworkStage();
    await use(stage);
    stage.close();
  },
});
