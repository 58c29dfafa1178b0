/**
 * What the options of `fence run` add to the configuration.
 *
 * Runs:     host. Pure.
 * Promises: paths are as they were given: loadPolicy() makes them absolute, as it does those of files.
 * Source:   docs/run.md
 */
export interface PolicyOverrides {
  /** --isolation: for every layer; null: what the configuration says. */
  readonly isolation: "strict" | "best-effort" | null;
  readonly forceNewSession: boolean;
  readonly allowRead: readonly string[];
  readonly allowExecute: readonly string[];
  readonly allowWrite: readonly string[];
  readonly denyRead: readonly string[];
  readonly denyWrite: readonly string[];
  readonly mask: readonly string[];
  readonly allowedDomains: readonly string[];
  readonly deniedDomains: readonly string[];
  /** --local-port; any implies allowLocalOutbound. */
  readonly localPorts: readonly number[];
}

export const noOverrides: PolicyOverrides = {
  isolation: null,
  forceNewSession: false,
  allowRead: [],
  allowExecute: [],
  allowWrite: [],
  denyRead: [],
  denyWrite: [],
  mask: [],
  allowedDomains: [],
  deniedDomains: [],
  localPorts: [],
};
