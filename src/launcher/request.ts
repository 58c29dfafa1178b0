/**
 * What `fence run` was asked to do.
 *
 * Runs:     host. Pure: types alone.
 * Promises: nothing is optional; what the user left out has its default here.
 * Source:   docs/run.md
 */

import type { PolicyOverrides } from "../config/overrides.ts";
import type { ProxyTarget } from "./proxy-target.ts";

/** What the command line of `fence run`, or of plain `fence`, says. */
export type RunCommand =
  | { readonly kind: "help" }
  /** --linux-features: what `fence check` does. */
  | { readonly kind: "check"; readonly json: boolean }
  | { readonly kind: "launch"; readonly request: LaunchRequest };

export interface LaunchRequest {
  readonly action: LaunchAction;
  readonly policy: PolicyRequest;
  readonly program: LaunchedProgram;
  readonly backend: "bwrap" | "landlock";
  readonly environment: LaunchEnvironment;
  /** --chdir, in the sandbox: absolute, or relative to the working directory of the launch; null: that directory. */
  readonly directory: string | null;
  readonly publish: readonly PublishedPort[];
  /** Proxies that run already, instead of fence's own; null: not given. */
  readonly httpProxy: ProxyTarget | null;
  readonly socksProxy: ProxyTarget | null;
  /** false: --no-fast-path: the bootstrap sets the inside up itself, and bridges relay. */
  readonly fastPath: boolean;
  readonly verify: boolean;
  /** Say what was denied, as it happens. */
  readonly monitor: boolean;
  readonly debug: boolean;
  /** Where monitor and debug write instead of standard error: as given, may be relative; null: standard error. */
  readonly logFile: string | null;
  /** 3 or more; null: no report. */
  readonly statusFd: number | null;
}

export type LaunchAction =
  | { readonly kind: "run" }
  /** Only say what would be done. */
  | { readonly kind: "dry-run"; readonly form: "tree" | "json" };

/** Which configuration is read: the arguments of loadPolicy(). */
export interface PolicyRequest {
  /** --settings: as given, may be relative; null: the one that is found, or the template. Or what a file would hold. */
  readonly settings: string | { readonly given: unknown } | null;
  readonly template: string | null;
  readonly overrides: PolicyOverrides;
}

export type LaunchedProgram =
  /** At least one word. `at` is the index of argv[0] among the words that were parsed. */
  | { readonly kind: "words"; readonly argv: readonly string[]; readonly at: number }
  /** -c: for the shell of the sandbox. */
  | { readonly kind: "shell"; readonly command: string };

export interface LaunchEnvironment {
  readonly clear: boolean;
  readonly unset: readonly string[];
  /** The last of a name counts. */
  readonly set: readonly { readonly name: string; readonly value: string }[];
}

/** --publish: a port of the sandbox that the host reaches. */
export interface PublishedPort {
  /** On the host: an IPv4 address, or an IPv6 address in its shortest form, without brackets. */
  readonly host: string;
  /** On the host; 0: any free one, which the report names. */
  readonly hostPort: number;
  /** On 127.0.0.1 in the sandbox. */
  readonly port: number;
}
