/**
 * The bridge process (P2): relays what connects to the listeners that the keeper holds.
 *
 * Runs:     sandbox, restricted before its first instruction: it can open no file, start no process and connect to the
 *           bridges' targets only.
 * Promises: ends when the program has ended and everything that was on its way is delivered. Daemons that the program
 *           left behind keep their bridges as long as they use them.
 * Source:   docs/bootstrap.md; native/stub/bridge-process.h
 */
import { readSync } from "node:fs";
import { Bridges } from "../bridge/bridges.ts";
import { inheritListener } from "../bridge/listener.ts";
import { type Report, statusReport } from "../inside/status.ts";
import type { Addon } from "../sys/addon.ts";
import { systemError } from "../sys/errno.ts";
import type { Messages } from "../sys/messages.ts";
import { noDescriptor, protocol, receiveMessage } from "../sys/protocol.ts";
import type { StubRole } from "../sys/stub-role.ts";
import { parseRelayPlan, type RelayPlan } from "./relay-plan.ts";

/** How long the bridges stay unused before daemons are taken to be done with them. */
const quietMs = 10_000;
const maxPlanBytes = 1 << 20;

type BridgesRole = Extract<StubRole, { readonly name: "bridges" }>;

/** Settles when there is nothing left to relay. */
export async function serveBridges(addon: Addon, role: BridgesRole, messages: Messages): Promise<void> {
  const report = statusReport(role.status === noDescriptor ? null : role.status);
  const debug =
    role.debug === noDescriptor ? {} : { debug: (text: string) => messages.write(`fence: debug: ${text}\n`) };
  const relays = new Bridges(addon, openBridges(addon, role), debug);
  const program = new ProgramsLife(addon, role.control);
  await program.ended;
  await Promise.race([relays.whenQuiet(quietMs), program.drain]);
  const outcome = await relays.drain();
  debug.debug?.(`the program has ended, the bridges are ${outcome}`);
  reportEnd(report, relays);
  relays.close();
}

function openBridges(addon: Addon, { relayPlan, listeners }: BridgesRole) {
  const { bridges } = readRelayPlan(relayPlan);
  return bridges.map(({ listen, connect, acknowledge }, index) => ({
    listener: inheritListener(addon, listeners[index] ?? noDescriptor, listen),
    target: connect,
    ...(acknowledge && { acknowledge }),
  }));
}

/** From its start: an earlier bridge process may have read it. */
function readRelayPlan(file: number): RelayPlan {
  const bytes = Buffer.alloc(maxPlanBytes);
  return parseRelayPlan(bytes.toString("utf8", 0, readSync(file, bytes, 0, bytes.length, 0)));
}

/** Whoever reads the reports may be gone, as the program is. */
function reportEnd(report: Report, relays: Bridges): void {
  try {
    report({ event: "ended", bridges: relays.statistics() });
  } catch {
    // As above.
  }
}

/** What the keeper says of the program. A keeper that is gone says that all is over. */
class ProgramsLife {
  /** The program has ended; daemons of its may live on. */
  readonly ended: Promise<void>;
  /** Nobody is left who could use the bridges. */
  readonly drain: Promise<void>;

  constructor(addon: Addon, control: number) {
    const ended = Promise.withResolvers<void>();
    const drain = Promise.withResolvers<void>();
    this.ended = ended.promise;
    this.drain = drain.promise;
    const watch = addon.watch(
      control,
      () => {
        const message = receiveMessage(addon, control);
        ended.resolve();
        if (typeof message === "object" && message.kind === protocol.kinds.programEnded) return;
        addon.unwatch(watch);
        drain.resolve();
      },
      true,
    );
    if (watch < 0) throw systemError("FENCE_BRIDGE", "cannot watch the keeper", "epoll_ctl", watch, {});
  }
}
