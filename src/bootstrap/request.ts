/**
 * What `fence bootstrap` was asked to do, by options or by a JSON plan.
 *
 * Runs:     sandbox. Pure.
 * Promises: options and plans make the same requests: nothing after the parsers knows which it was.
 */
import { FenceError } from "../base/errors.ts";
import { type Address, type BridgeAddresses, refuseSameListener } from "../bridge/address.ts";
import type { RulesetRequest } from "../landlock/request.ts";
import type { LandlockMode } from "../landlock/ruleset.ts";
import type { ProcessStep } from "../plan/exec-plan.ts";

export interface Variable {
  readonly name: string;
  readonly value: string;
}

export interface EnvironmentRequest {
  readonly clear: boolean;
  readonly unset: readonly string[];
  readonly set: readonly Variable[];
  /** The hosts that the program reaches without a proxy, as NO_PROXY lists them. */
  readonly noProxy: string;
  /** Whether the SOCKS proxy is also announced in ALL_PROXY. */
  readonly allProxy: boolean;
}

export const landlockModes = ["required", "best-effort", "off"] as const satisfies readonly LandlockMode[];

export interface LandlockAnswer {
  readonly mode: LandlockMode;
  readonly request: RulesetRequest;
  /** Skip rules whose path does not exist. */
  readonly ignoreMissing: boolean;
}

export type ProgramRequest =
  /** From this index of P0's own arguments on. */
  | { readonly kind: "original"; readonly first: number; readonly argv: readonly string[] }
  | { readonly kind: "plan"; readonly argv: readonly string[] };

export const seccompModes = ["default", "off"] as const;

export interface NetworkRequest {
  /** Those of the proxies are among them. */
  readonly bridges: readonly BridgeAddresses[];
  readonly hasHttpProxy: boolean;
  readonly hasSocksProxy: boolean;
}

export interface BootstrapRequest extends NetworkRequest {
  readonly environment: EnvironmentRequest;
  readonly process: readonly ProcessStep[];
  readonly landlock: LandlockAnswer;
  readonly seccomp: (typeof seccompModes)[number];
  /** The process that was started stays, as a reaper and signal forwarder; a child of it becomes the program. */
  readonly init: boolean;
  /** A throw-away child under the same restrictions tries them before the program starts. */
  readonly verify: boolean;
  readonly program: ProgramRequest;
}

/** Where the proxies' bridges listen: the ports that other sandboxes use too. */
export const proxyListeners = {
  http: { kind: "tcp", host: "127.0.0.1", port: 3128 },
  socks: { kind: "tcp", host: "127.0.0.1", port: 1080 },
} as const;

export const defaultNoProxy = "localhost,127.0.0.1,::1";

interface GivenNetwork {
  readonly httpProxy: Address | null;
  readonly socksProxy: Address | null;
  readonly bridges: readonly BridgeAddresses[];
}

/** `where` names the bridges. Throws FENCE_USAGE when two listeners have one address. */
export function networkRequest({ httpProxy, socksProxy, bridges }: GivenNetwork, where: string): NetworkRequest {
  const all = [
    ...(httpProxy === null ? [] : [{ listen: proxyListeners.http, connect: httpProxy }]),
    ...(socksProxy === null ? [] : [{ listen: proxyListeners.socks, connect: socksProxy }]),
    ...bridges,
  ];
  refuseSameListener(all, where);
  return { bridges: all, hasHttpProxy: httpProxy !== null, hasSocksProxy: socksProxy !== null };
}

/** `off` beside rules is a contradiction; what the user meant is not ours to guess. Throws FENCE_USAGE. */
export function landlockAnswer(answer: LandlockAnswer, where: string): LandlockAnswer {
  const { rules, unixSockets, bindTcp, connectTcp, scopes } = answer.request;
  const isEmpty = [rules, unixSockets, bindTcp, connectTcp, scopes].every(({ length }) => length === 0);
  if (answer.mode !== "off" || isEmpty) return answer;
  throw new FenceError("FENCE_USAGE", `${where}=off must stand without Landlock rules, got some`, {
    hint: "remove the rules for files, ports, Unix sockets and scopes, or leave Landlock on",
  });
}
