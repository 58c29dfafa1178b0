/**
 * Computes how the program's environment differs from the one fence was started with.
 *
 * Runs:     sandbox. Pure.
 * Promises: variables that nobody names keep their bytes; what the user sets is never repaired or overridden.
 * Source:   docs/environment.md
 */
import type { Variable } from "../base/option-values.ts";
import type { EnvironmentStep } from "../plan/exec-plan.ts";
import { type BootstrapRequest, proxyListeners } from "./request.ts";

/** What a path is to the program, under the restrictions that it will have. */
export interface PathFacts {
  isDirectory(path: string): boolean;
  isWritableDirectory(path: string): boolean;
}

/** A variable that pointed at nothing usable. */
export interface Repair {
  readonly name: string;
  readonly to: string | null;
}

export interface EnvironmentChange {
  readonly steps: readonly EnvironmentStep[];
  readonly repaired: readonly Repair[];
}

const temporary = "/tmp";

export function environmentChange(
  request: BootstrapRequest,
  inherited: Readonly<Record<string, string | undefined>>,
  facts: PathFacts,
): EnvironmentChange {
  const { clear, unset, set } = request.environment;
  const named = new Set([...unset, ...set.map(({ name }) => name)]);
  const proxies = proxyVariables(request);
  const repaired = clear ? [] : repairs(inherited, facts).filter(({ name }) => !named.has(name));
  const ours: readonly (readonly [string, string | null])[] = [
    ["FENCE_SANDBOX", "1"],
    ...proxies,
    ...repaired.map(({ name, to }) => [name, to] as const),
  ];
  const kept = ours.filter(([name]) => !named.has(name));
  const unsets = [...unset, ...kept.filter(([, value]) => value === null).map(([name]) => name)];
  const sets: Variable[] = [
    ...kept.flatMap(([name, value]) => (value === null ? [] : [{ name, value }])),
    ...lastOfEach(set),
  ];
  return {
    steps: [
      ...(clear ? [{ kind: "clear-env" } as const] : []),
      ...unsets.map((name) => ({ kind: "unset-env", name }) as const),
      ...sets.map(({ name, value }) => ({ kind: "set-env", name, value }) as const),
    ],
    repaired,
  };
}

/** null unsets: an inherited proxy is beyond the sandbox's network as soon as fence provides one. */
function proxyVariables(request: BootstrapRequest): readonly (readonly [string, string | null])[] {
  const { hasHttpProxy, hasSocksProxy, environment } = request;
  if (!hasHttpProxy && !hasSocksProxy) return [];
  const http = hasHttpProxy ? `http://${listener(proxyListeners.http)}` : null;
  const all = hasSocksProxy && environment.allProxy ? `socks5h://${listener(proxyListeners.socks)}` : null;
  return [
    ["HTTP_PROXY", http],
    ["HTTPS_PROXY", http],
    ["http_proxy", http],
    ["https_proxy", http],
    ["ALL_PROXY", all],
    ["all_proxy", all],
    ["NO_PROXY", environment.noProxy],
    ["no_proxy", environment.noProxy],
  ];
}

function listener({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host}:${port}`;
}

/** Node reads other bytes than UTF-8 as U+FFFD: what such a path is cannot be told, so it is left alone. */
function isKnown(path: string | undefined): path is string {
  return path !== undefined && !path.includes("\uFFFD");
}

/**
 * Programs write below TMPDIR and XDG_RUNTIME_DIR, and do well without them. HOME is also where they read their
 * settings, so it is only replaced when it is no directory at all.
 */
function repairs(inherited: Readonly<Record<string, string | undefined>>, facts: PathFacts): readonly Repair[] {
  const unusable = ["TMPDIR", "XDG_RUNTIME_DIR"].filter((name) => {
    const path = inherited[name];
    return isKnown(path) && !facts.isWritableDirectory(path);
  });
  const home = inherited["HOME"];
  const homeless = isKnown(home) && !facts.isDirectory(home) && facts.isWritableDirectory(temporary);
  return [...unusable.map((name) => ({ name, to: null })), ...(homeless ? [{ name: "HOME", to: temporary }] : [])];
}

function lastOfEach(variables: readonly Variable[]): readonly Variable[] {
  return [...new Map(variables.map((variable) => [variable.name, variable])).values()];
}
