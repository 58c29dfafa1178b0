/**
 * Chooses the ruleset of a bridge process that may connect to its targets and do nothing else.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: no file, no other port, no Unix socket but beside its targets, no signal, as far as the kernel can deny it.
 * Source:   docs/landlock.md
 */
import { dirname } from "node:path/posix";
import { emptyRequest, type RulesetRequest } from "./request.ts";
import { chooseRuleset, type RulesetChoice } from "./ruleset.ts";

export interface BridgeTargets {
  /** Absolute. */
  readonly unixSockets: readonly string[];
  readonly tcpPorts: readonly number[];
}

/**
 * A rule follows the inode, so one on a socket would deny the socket that a restarted proxy makes in its place: the
 * directory is allowed instead, and with it the other sockets in it.
 */
function bridgeRequest({ unixSockets, tcpPorts }: BridgeTargets): RulesetRequest {
  return {
    ...emptyRequest,
    unixSockets: [...new Set(unixSockets.map((path) => dirname(path)))],
    connectTcp: tcpPorts,
    denied: ["files", "unix-sockets", "tcp", "udp", "signal", "abstract-unix"],
  };
}

/**
 * No option names any of this, so nothing of it is ever required; what is lost is in `dropped`. Below ABI 9 that is the
 * choice among Unix sockets; the targets can be connected to all the same.
 */
export function chooseBridgeRuleset(targets: BridgeTargets, kernelAbi: number): RulesetChoice {
  return chooseRuleset(bridgeRequest(targets), kernelAbi, "best-effort");
}
