/**
 * Chooses the ruleset of a bridge process that may connect to its targets and do nothing else. Nothing enforces it yet:
 * the set-up Node relays, and a Node that runs has threads that landlock_restrict_self(2) does not reach.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: no file, no other port, no other Unix socket, no signal, as far as the kernel can deny it.
 * Source:   docs/bridges.md
 */
import { emptyRequest, type RulesetRequest } from "./request.ts";
import { chooseRuleset, type LandlockMode, type RulesetChoice } from "./ruleset.ts";

export interface BridgeTargets {
  readonly unixSockets: readonly string[];
  readonly tcpPorts: readonly number[];
}

export function bridgeRequest(targets: BridgeTargets): RulesetRequest {
  return {
    ...emptyRequest,
    unixSockets: targets.unixSockets,
    connectTcp: targets.tcpPorts,
    denied: ["files", "unix-sockets", "tcp", "signal", "abstract-unix"],
  };
}

/**
 * No option names any of this, so nothing of it is ever required: `required` becomes best-effort, and what is lost is
 * in `dropped`. Below ABI 9 that is the choice among Unix sockets; the targets can be connected to all the same.
 */
export function chooseBridgeRuleset(targets: BridgeTargets, kernelAbi: number, mode: LandlockMode): RulesetChoice {
  return chooseRuleset(bridgeRequest(targets), kernelAbi, mode === "required" ? "best-effort" : mode);
}
