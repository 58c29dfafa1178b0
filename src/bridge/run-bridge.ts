/**
 * The command `fence bridge LISTEN=CONNECT...`: relays in the foreground, which socat was used for.
 *
 * Runs:     host and sandbox.
 * Promises: says "ready" once, when every listener is open. The first SIGINT or SIGTERM delivers what is held, for at
 *           most 2 s, removes the Unix sockets and ends with 0: it was asked to stop and it did. Bytes that could not
 *           be delivered by then are an error. A second signal ends it at once, with 128 plus the signal's number.
 * Source:   docs/bridges.md
 */
import { FenceError } from "../base/errors.ts";
import type { Addon } from "../sys/addon.ts";
import { formatAddress } from "./address.ts";
import { parseBridges } from "./bridge-set.ts";
import { Bridges, defaultDrainTimeoutMs, openBridges } from "./bridges.ts";

const stopSignals = { SIGINT: 2, SIGTERM: 15 } as const;
type StopSignal = keyof typeof stopSignals;

/** The exit status. `say` writes to standard output. Throws FENCE_USAGE, FENCE_LISTEN and FENCE_BRIDGE. */
export async function runBridge(args: readonly string[], addon: Addon, say: (text: string) => void): Promise<number> {
  if (args.length === 0) {
    throw new FenceError("FENCE_USAGE", "no bridge was named", { hint: "fence bridge LISTEN=CONNECT..." });
  }
  const open = openBridges(addon, parseBridges(args, "a bridge"));
  const bridges = new Bridges(addon, open);
  const signals = new StopSignals(); // before the ready line: whoever reads it may signal at once
  const ready = open.map(({ listener, target }) => `${formatAddress(listener.address)} -> ${formatAddress(target)}`);
  say(`fence: ready: ${ready.join(", ")}\n`);
  try {
    await signals.next();
    return await Promise.race([stop(bridges), signals.next().then((signal) => 128 + stopSignals[signal])]);
  } finally {
    signals.close();
    bridges.close();
  }
}

async function stop(bridges: Bridges): Promise<number> {
  if ((await bridges.drain()) === "drained") return 0;
  throw new FenceError("FENCE_BRIDGE", `not everything was delivered within ${defaultDrainTimeoutMs / 1000} s`, {
    step: "drain",
    hint: "a peer does not read what it was sent: stop the peers before the bridge",
  });
}

/** Signals that ask us to stop, one by one. */
class StopSignals {
  #wake: (signal: StopSignal) => void = () => {};
  readonly #onSignal = (signal: StopSignal): void => this.#wake(signal);

  constructor() {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, this.#onSignal);
  }

  next(): Promise<StopSignal> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  close(): void {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, this.#onSignal);
  }
}
