/**
 * How a program without a network namespace gets at the proxies: directly, or by a port of the host's loopback.
 *
 * Runs:     host, in the launcher.
 * Promises: nothing else listens; what is opened here is closed by close(). Every process of the host can connect to such a
 *           port, as it can to the proxy's own.
 * Source:   docs/backend-landlock.md
 */
import { bug } from "../base/errors.ts";
import type { Address } from "../bridge/address.ts";
import type { OpenBridge } from "../bridge/bridge.ts";
import { Bridges } from "../bridge/bridges.ts";
import { openListeners } from "../bridge/listener.ts";
import type { Addon } from "../sys/addon.ts";
import { type HostLookup, lookUp } from "./host-lookup.ts";
import { type ProxyTarget, resolveTarget } from "./proxy-target.ts";

const loopback = "127.0.0.1";

export class LandlockProxies {
  /** Of the host's loopback; null: no such proxy. */
  readonly httpPort: number | null;
  readonly socksPort: number | null;
  readonly #bridges: Bridges | null;

  /** Throws FENCE_RESOLVE, FENCE_LISTEN. */
  static async open(
    addon: Addon,
    wanted: { readonly httpProxy: ProxyTarget | null; readonly socksProxy: ProxyTarget | null },
    lookup: HostLookup = lookUp,
  ): Promise<LandlockProxies> {
    const targets = await Promise.all(
      [wanted.httpProxy, wanted.socksProxy].map((target) => (target === null ? null : resolveTarget(target, lookup))),
    );
    const open: OpenBridge[] = [];
    const ports = targets.map((addresses) => {
      if (addresses === null) return null;
      const [target, ...alternatives] = addresses;
      if (isDirect(target) && alternatives.length === 0) return target.port;
      const [listener] = openListeners(addon, [{ kind: "tcp", host: loopback, port: 0 }]);
      if (listener?.address.kind !== "tcp") throw bug("a listener has no port");
      open.push({ listener, target, alternatives });
      return listener.address.port;
    });
    return new LandlockProxies(addon, ports, open);
  }

  private constructor(
    addon: Addon,
    [http = null, socks = null]: readonly (number | null)[],
    open: readonly OpenBridge[],
  ) {
    this.httpPort = http;
    this.socksPort = socks;
    this.#bridges = open.length === 0 ? null : new Bridges(addon, [...open]);
  }

  get ports(): readonly number[] {
    return [this.httpPort, this.socksPort].filter((port) => port !== null);
  }

  /** What the program finds, as under bubblewrap but for the ports. */
  get variables(): readonly (readonly [string, string])[] {
    if (this.ports.length === 0) return [];
    const http = this.httpPort === null ? [] : [`http://${loopback}:${this.httpPort}`];
    const socks = this.socksPort === null ? [] : [`socks5h://${loopback}:${this.socksPort}`];
    const both = (name: string, values: readonly string[]) =>
      values.flatMap((value) => [[name, value] as const, [name.toLowerCase(), value] as const]);
    return [
      ...both("HTTP_PROXY", http),
      ...both("HTTPS_PROXY", http),
      ...both("ALL_PROXY", socks),
      ...both("NO_PROXY", ["localhost,127.0.0.1,::1"]),
    ];
  }

  async drain(): Promise<void> {
    await this.#bridges?.drain();
  }

  close(): void {
    this.#bridges?.close();
  }
}

/** Of a proxy that listens where the program can connect to. */
function isDirect(address: Address): address is Extract<Address, { kind: "tcp" }> {
  return address.kind === "tcp" && address.host === loopback;
}
