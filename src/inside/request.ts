/**
 * What `fence bootstrap` was asked to do, by options or by a JSON plan.
 *
 * Runs:     sandbox. Pure.
 * Promises: options and plans make the same requests: nothing after the parsers knows which it was.
 */
import { FenceError } from "../base/errors.ts";
import { refuseSetAndUnset, type Variable } from "../base/option-values.ts";
import { quoted } from "../base/quote.ts";
import type { Address, BridgeAddresses } from "../bridge/address.ts";
import { refuseConflicts, refuseNetworks } from "../bridge/bridge-set.ts";
import type { Area } from "../landlock/options.ts";
import type { RulesetRequest } from "../landlock/request.ts";
import type { LandlockMode } from "../landlock/ruleset.ts";
import type { ProcessStep } from "../plan/exec-plan.ts";

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
  /** Skip rules whose path leads elsewhere than it says. */
  readonly exactPaths: boolean;
}

export type ProgramRequest =
  /** From this index of P0's own arguments on. */
  | { readonly kind: "original"; readonly first: number; readonly argv: readonly string[] }
  | { readonly kind: "plan"; readonly argv: readonly string[] };

export const seccompModes = ["default", "strict", "off"] as const;

export type SeccompMode = (typeof seccompModes)[number];

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
  readonly seccomp: SeccompMode;
  /** The process that was started stays, as a reaper and signal forwarder; a child of it becomes the program. */
  readonly init: boolean;
  /** A throw-away child under the same restrictions tries them before the program starts. */
  readonly verify: boolean;
  readonly program: ProgramRequest;
  /** What `fence run` needs of its sandbox; null: nobody launched it. */
  readonly launcher: LauncherRequest | null;
}

/** P0's descriptors, none of which the program inherits. */
export interface LauncherRequest {
  /** Leads to the front. */
  readonly control: number;
  /** Denied by the seccomp filter: what leads out where there is no network namespace. */
  readonly deniedSockets: readonly DeniedSockets[];
}

export const deniedSockets = ["datagrams", "unix-sockets"] as const;
type DeniedSockets = (typeof deniedSockets)[number];
/** Denied by Landlock even where no rule names a part of it. */
export const deniedAreas = ["files", "unix-sockets", "tcp", "udp"] as const satisfies readonly Area[];

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
  /** Whether bridges may listen beyond loopback. */
  readonly nonLoopbackListeners: boolean;
}

/** What the user knows the parts of a GivenNetwork by. */
interface NetworkNames {
  readonly httpProxy: string;
  readonly socksProxy: string;
  readonly bridge: (index: number) => string;
  readonly nonLoopbackListeners: string;
}

/** Throws FENCE_USAGE for bridges that conflict, or listen on a network that was not asked for. */
export function networkRequest(given: GivenNetwork, names: NetworkNames): NetworkRequest {
  const { httpProxy, socksProxy } = given;
  const { http, socks } = proxyListeners;
  const named = [
    ...(httpProxy === null ? [] : [{ listen: http, connect: httpProxy, where: names.httpProxy }]),
    ...(socksProxy === null ? [] : [{ listen: socks, connect: socksProxy, where: names.socksProxy }]),
    ...given.bridges.map((bridge, i) => ({ ...bridge, where: names.bridge(i) })),
  ];
  if (!given.nonLoopbackListeners) {
    refuseNetworks(named, `a bridge lets in whoever can connect; if you mean it, add ${names.nonLoopbackListeners}`);
  }
  refuseConflicts(named);
  const bridges = named.map(({ where: _, ...bridge }): BridgeAddresses => bridge);
  return { bridges, hasHttpProxy: httpProxy !== null, hasSocksProxy: socksProxy !== null };
}

interface NamedVariables {
  readonly set: string;
  readonly unset: string;
}

/** A variable that is both set and removed is a contradiction. Throws FENCE_USAGE. */
export function environmentRequest(request: EnvironmentRequest, names: NamedVariables): EnvironmentRequest {
  refuseSetAndUnset(request.set, request.unset, names);
  return request;
}

/** What the user knows the parts of a LandlockAnswer by. */
interface LandlockNames {
  readonly mode: string;
  readonly quiet: string;
  readonly log: string;
  readonly scopes: string;
}

/** `off` beside rules is a contradiction; what the user meant is not ours to guess. Throws FENCE_USAGE. */
export function landlockAnswer(answer: LandlockAnswer, names: LandlockNames): LandlockAnswer {
  const { request, mode } = answer;
  const hasRules = deniesFiles(request) || deniesPorts(request) || request.scopes.length > 0;
  refuseLonelyQuiet(request, names);
  if (request.log.length > 0 && !hasRules) throw lonely(names.log, "a Landlock rule");
  if (mode !== "off" || !hasRules) return answer;
  throw new FenceError("FENCE_USAGE", `${names.mode}=off must stand without Landlock rules, got some`, {
    hint: "remove the rules for files, ports, Unix sockets and scopes, or leave Landlock on",
  });
}

/** A quiet rule concerns denials: where nothing is denied it is a mistake, and the kernel refuses it too. */
function refuseLonelyQuiet(request: RulesetRequest, names: LandlockNames): void {
  const { paths, ports, scopes } = request.quiet;
  const [path] = paths;
  const [port] = ports;
  const scope = scopes.find((word) => !request.scopes.includes(word));
  if (path !== undefined && !deniesFiles(request)) {
    throw lonely(`${names.quiet} ${quoted(path)}`, "a rule for files or Unix sockets");
  }
  if (port !== undefined && !deniesPorts(request)) throw lonely(`${names.quiet} ${port}`, "a rule for ports");
  if (scope !== undefined) throw lonely(`${names.quiet} ${scope}`, `${names.scopes} ${scope}`);
}

function deniesFiles({ rules, unixSockets }: RulesetRequest): boolean {
  return rules.length + unixSockets.length > 0;
}

function deniesPorts({ bindTcp, connectTcp, bindUdp, connectUdp }: RulesetRequest): boolean {
  return bindTcp.length + connectTcp.length + bindUdp.length + connectUdp.length > 0;
}

function lonely(what: string, beside: string): FenceError {
  return new FenceError("FENCE_USAGE", `${what} must stand beside ${beside}`, {
    hint: "it is about how the kernel logs what is denied, and denies nothing itself",
  });
}
