/**
 * What `fence config show` prints: the policy, and who said what.
 *
 * Runs:     host. Pure.
 * Promises: never a proxy's password; in the JSON form `policy` is what a launch would use.
 * Source:   docs/configuration.md
 */
import { sourceText } from "../config/layers.ts";
import type { LoadedPolicy } from "../config/load.ts";
import type { Origin } from "../config/origins.ts";
import { withoutPassword } from "../config/values.ts";

/** What holds where nothing was said. */
const byDefault = "default";
/** Where the next columns begin; longer words push them. */
const keyWidth = 36;
const valueWidth = 28;

export function shownPolicy({ sources, origins, notes }: LoadedPolicy): string {
  const read =
    sources.length === 0
      ? ["nothing: no settings were found, and everything has its default"]
      : sources.map(sourceText);
  return [
    "# read, what is built upon first",
    ...read,
    "",
    "# key, value, and who says so",
    ...origins.flatMap(rows),
    ...(notes.length === 0 ? [] : ["", "# notes", ...notes.map(({ where, says }) => `${where} ${says}`)]),
    "",
  ].join("\n");
}

/** The key stands on the first of its lines. */
function rows({ key, said, absent }: Origin): readonly string[] {
  if (said.length === 0) return [row(key, absent, byDefault)];
  return said.map(({ value, source }, i) => row(i === 0 ? key : "", value, sourceText(source)));
}

function row(key: string, value: unknown, source: string): string {
  return `${key.padEnd(keyWidth)} ${JSON.stringify(value).padEnd(valueWidth)} ${source}`;
}

export function shownPolicyJson({ policy, sources, origins, notes }: LoadedPolicy): string {
  const { network } = policy;
  const proxy = network.upstreamProxy === null ? null : withoutPassword(network.upstreamProxy);
  const shown = {
    version: 1,
    sources,
    policy: { ...policy, network: { ...network, upstreamProxy: proxy } },
    origins: Object.fromEntries(
      origins.map(({ key, said }) => [key, said.map(({ value, source }) => ({ value, from: source }))]),
    ),
    notes,
  };
  return `${JSON.stringify(shown, null, 2)}\n`;
}
