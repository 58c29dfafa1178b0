/**
 * What was asked of Landlock, and the same as a flat list of wishes.
 *
 * Runs:     host and sandbox. Pure.
 */
import type { RightName } from "./abi.ts";
import { type AccessWord, type Area, type LogWord, type OptionName, options, type ScopeWord } from "./options.ts";

/** Paths are absolute and compared as they are. Ports are 0 to 65535, where 0 is the "any free port" of bind(2). */
export interface RulesetRequest {
  readonly rules: readonly { readonly access: AccessWord; readonly path: string }[];
  /** Sockets that may be connected to, or directories with such sockets. */
  readonly unixSockets: readonly string[];
  readonly bindTcp: readonly number[];
  readonly connectTcp: readonly number[];
  readonly bindUdp: readonly number[];
  readonly connectUdp: readonly number[];
  readonly scopes: readonly ScopeWord[];
  /** What the kernel's audit log leaves out. */
  readonly quiet: QuietRequest;
  /** How the kernel's audit log is changed apart from that. */
  readonly log: readonly LogWord[];
  /** What fence denies of its own accord, but for the rules above. */
  readonly denied: readonly Area[];
  /** What stays allowed although its area is denied. */
  readonly leftAlone: readonly RightName[];
}

/** Denials at these files and beneath these directories, for these ports, by these scopes. */
export interface QuietRequest {
  readonly paths: readonly string[];
  readonly ports: readonly number[];
  readonly scopes: readonly ScopeWord[];
}

export const emptyRequest: RulesetRequest = {
  rules: [],
  unixSockets: [],
  bindTcp: [],
  connectTcp: [],
  bindUdp: [],
  connectUdp: [],
  scopes: [],
  quiet: { paths: [], ports: [], scopes: [] },
  log: [],
  denied: [],
  leftAlone: [],
};

/** Who wants it: an option, or fence itself. */
export type Cause = OptionName | "fence";

/** Deny the area, but grant these rights on the target. The area `quiet` is about the target alone. */
export interface Wish {
  readonly cause: Cause;
  readonly area: Area;
  readonly grants: readonly RightName[];
  readonly on:
    | { readonly kind: "path"; readonly path: string }
    | { readonly kind: "port"; readonly port: number }
    | { readonly kind: "scope"; readonly scope: ScopeWord }
    | { readonly kind: "none" };
}

export function wishesOf(request: RulesetRequest): readonly Wish[] {
  return [
    ...request.denied.map((area): Wish => ({ cause: "fence", area, grants: [], on: { kind: "none" } })),
    ...request.rules.map(({ access, path }) => wish(`--${access}`, { kind: "path", path })),
    ...request.unixSockets.map((path) => wish("--unix", { kind: "path", path })),
    ...request.bindTcp.map((port) => wish("--bind-tcp", { kind: "port", port })),
    ...request.connectTcp.map((port) => wish("--connect-tcp", { kind: "port", port })),
    ...request.bindUdp.map((port) => wish("--bind-udp", { kind: "port", port })),
    ...request.connectUdp.flatMap(connectUdp),
    ...request.scopes.map((scope) => wish(`--scope ${scope}`, { kind: "scope", scope })),
    ...request.quiet.paths.map((path) => wish("--quiet", { kind: "path", path })),
    ...request.quiet.ports.map((port) => wish("--quiet", { kind: "port", port })),
    ...request.quiet.scopes.map((scope) => wish("--quiet", { kind: "scope", scope })),
    ...request.log.map((word) => wish(`--landlock-log ${word}`, { kind: "none" })),
  ];
}

/** Who sends has a local port, which the kernel chooses and Landlock checks as port 0. TCP needs no such right. */
function connectUdp(port: number): readonly Wish[] {
  const send = wish("--connect-udp", { kind: "port", port });
  return [send, { ...send, grants: ["BIND_UDP"], on: { kind: "port", port: 0 } }];
}

function wish(cause: OptionName, on: Wish["on"]): Wish {
  return { cause, ...options[cause], on };
}
