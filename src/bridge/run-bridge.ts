/**
 * The command `fence bridge LISTEN=CONNECT...`: relays in the foreground, which socat was used for.
 *
 * Runs:     host and sandbox.
 * Promises: says "ready" once, when every listener is open. The first SIGINT or SIGTERM delivers what is on its way as
 *           long as it moves (2 s without any progress, 30 s in all), removes the Unix sockets and ends with 0: it was
 *           asked to stop and it did. Bytes that could not be delivered are an error. A second signal ends it at once,
 *           with 128 plus the signal's number.
 * Source:   docs/bridges.md
 */
import { FenceError } from "../base/errors.ts";
import { wordHint } from "../base/nearest-word.ts";
import { quoted } from "../base/quote.ts";
import type { Addon } from "../sys/addon.ts";
import { Messages } from "../sys/messages.ts";
import { formatAddress } from "./address.ts";
import type { BridgeStatistics } from "./bridge.ts";
import { parseBridges } from "./bridge-set.ts";
import { Bridges, defaultDrainOptions, openBridges } from "./bridges.ts";

const stopSignals = { SIGINT: 2, SIGTERM: 15 } as const;
type StopSignal = keyof typeof stopSignals;

/** Clients and targets live on, and may send for ever. */
const drainTotalMs = 30_000;

/** The exit status. `say` writes to standard output. Throws FENCE_USAGE, FENCE_LISTEN and FENCE_BRIDGE. */
export async function runBridge(args: readonly string[], addon: Addon, say: (text: string) => void): Promise<number> {
  const { isDebugging, specifications } = parse(args);
  const messages = new Messages();
  const debug = (text: string) => messages.write(`fence: debug: ${text}\n`);
  const open = openBridges(addon, parseBridges(specifications, "a bridge"));
  const bridges = new Bridges(addon, open, isDebugging ? { debug } : {});
  const signals = new StopSignals(); // before the ready line: whoever reads it may signal at once
  const ready = open.map(({ listener, target }) => `${formatAddress(listener.address)} -> ${formatAddress(target)}`);
  say(`fence: ready: ${ready.join(", ")}\n`);
  try {
    await signals.next();
    return await Promise.race([stop(bridges), signals.next().then((signal) => 128 + stopSignals[signal])]);
  } finally {
    signals.close();
    if (isDebugging) for (const each of bridges.statistics()) debug(describe(each));
    bridges.close();
  }
}

function parse(args: readonly string[]) {
  const options = args.filter((arg) => arg.startsWith("-"));
  const unknown = options.find((option) => option !== "--debug");
  if (unknown !== undefined) {
    throw new FenceError("FENCE_USAGE", `unknown option ${quoted(unknown)}`, {
      hint: wordHint(unknown, ["--debug", "--help"]),
    });
  }
  const specifications = args.filter((arg) => !arg.startsWith("-"));
  if (specifications.length === 0) {
    throw new FenceError("FENCE_USAGE", "no bridge was named", { hint: "fence bridge LISTEN=CONNECT..." });
  }
  return { isDebugging: options.length > 0, specifications };
}

function describe({
  listen,
  connect,
  accepted,
  refused,
  open,
  bytesToTarget,
  bytesToClient,
}: BridgeStatistics): string {
  const clients = `${accepted} accepted, ${refused} refused, ${open} open`;
  return `bridge ${listen} -> ${connect}: ${clients}, ${bytesToTarget} bytes to the target, ${bytesToClient} back`;
}

async function stop(bridges: Bridges): Promise<number> {
  const outcome = await bridges.drain({ totalMs: drainTotalMs });
  if (outcome === "drained") return 0;
  const seconds = outcome === "stalled" ? defaultDrainOptions.stallMs / 1000 : drainTotalMs / 1000;
  const why = outcome === "stalled" ? `nothing moved for ${seconds} s` : `bytes kept coming for ${seconds} s`;
  throw new FenceError("FENCE_BRIDGE", `not everything was delivered: ${why}`, {
    step: "drain",
    hint: "a peer does not read what it was sent, or never stops sending: stop the peers before the bridge",
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
