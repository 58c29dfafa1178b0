/**
 * What was asked of Landlock, and the same as a flat list of wishes.
 *
 * Runs:     host and sandbox. Pure.
 */
import type { RightName } from "./abi.ts";
import { type AccessWord, type Area, type OptionName, options, type ScopeWord } from "./options.ts";

/** Paths are absolute and compared as they are. Ports are 0 to 65535, where 0 is the "any free port" of bind(2). */
export interface RulesetRequest {
  readonly rules: readonly { readonly access: AccessWord; readonly path: string }[];
  /** Sockets that may be connected to, or directories with such sockets. */
  readonly unixSockets: readonly string[];
  readonly bindTcp: readonly number[];
  readonly connectTcp: readonly number[];
  readonly scopes: readonly ScopeWord[];
  /** What fence denies of its own accord, but for the rules above. */
  readonly denied: readonly Area[];
}

export const emptyRequest: RulesetRequest = {
  rules: [],
  unixSockets: [],
  bindTcp: [],
  connectTcp: [],
  scopes: [],
  denied: [],
};

/** Who wants it: an option, or fence itself. */
export type Cause = OptionName | "fence";

/** Deny the area, but grant these rights on the target. */
export interface Wish {
  readonly cause: Cause;
  readonly area: Area;
  readonly grants: readonly RightName[];
  readonly on:
    | { readonly kind: "path"; readonly path: string }
    | { readonly kind: "port"; readonly port: number }
    | { readonly kind: "none" };
}

export function wishesOf(request: RulesetRequest): readonly Wish[] {
  return [
    ...request.denied.map((area): Wish => ({ cause: "fence", area, grants: [], on: { kind: "none" } })),
    ...request.rules.map(({ access, path }) => wish(`--${access}`, { kind: "path", path })),
    ...request.unixSockets.map((path) => wish("--unix", { kind: "path", path })),
    ...request.bindTcp.map((port) => wish("--bind-tcp", { kind: "port", port })),
    ...request.connectTcp.map((port) => wish("--connect-tcp", { kind: "port", port })),
    ...request.scopes.map((scope) => wish(`--scope ${scope}`, { kind: "none" })),
  ];
}

function wish(cause: OptionName, on: Wish["on"]): Wish {
  return { cause, ...options[cause], on };
}
