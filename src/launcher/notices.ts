/**
 * What the user is told on standard error when a sandbox starts although nothing is wrong.
 *
 * Runs:     host. Pure.
 * Promises: a line for each, none when there is nothing to say.
 * Source:   docs/run.md, docs/configuration.md
 */
import { quoted } from "../base/quote.ts";
import type { PolicyOverrides } from "../config/overrides.ts";
import { absolutePattern, type Places } from "../config/places.ts";
import type { PlanNote } from "../plan/mounts.ts";
import type { ProgramDecision } from "./decision.ts";

/** Settings of a repository that loosen the sandbox; domains that nothing leads to. */
export function notices({ policy, bridges, found }: Pick<ProgramDecision, "policy" | "bridges" | "found">): string {
  const { allowedDomains } = policy.network;
  const hasProxy = bridges !== null && (bridges.httpProxy !== null || bridges.socksProxy !== null);
  const wantsProxy = allowedDomains.length > 0 && !allowedDomains.includes("*");
  return [
    ...(found === null ? [] : [`${found.path}, which was found here, grants ${found.grants.join(", ")}`]),
    ...(wantsProxy && !hasProxy ? [lacksProxy] : []),
  ]
    .map((line) => `fence: ${line}\n`)
    .join("");
}

/** Options that name what is not there: whoever wrote one is not to wonder why it has no effect. */
export function withoutEffect(overrides: PolicyOverrides, notes: readonly PlanNote[], places: Places): string {
  const { allowRead, allowExecute, allowWrite } = overrides;
  const named = [...allowRead, ...allowExecute, ...allowWrite].map((path) => quoted(absolutePattern(path, places)));
  return notes
    .filter(({ where, says }) => says.startsWith("does not exist") && named.some((path) => where.endsWith(path)))
    .map(({ where, says }) => `fence: ${where} ${says}\n`)
    .join("");
}

/** Who named domains expects to reach them. */
const lacksProxy =
  "no host can be reached: network.allowedDomains needs a proxy that filters, named with --http-proxy or --socks-proxy";
