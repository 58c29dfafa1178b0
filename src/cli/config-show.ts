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
/** Where the second column begins; longer values push it. */
const valueWidth = 40;

export function shownPolicy({ sources, origins, notes }: LoadedPolicy): string {
  const read = sources.length === 0 ? ["no settings were found: everything has its default"] : sources.map(sourceText);
  return [
    ...titled("read, what is built upon first", read),
    ...origins.flatMap(({ key, said, absent }) => titled(key, rows({ said, absent }))),
    ...(notes.length === 0
      ? []
      : titled(
          "notes",
          notes.map(({ where, says }) => `${where} ${says}`),
        )),
    "",
  ].join("\n");
}

function titled(title: string, lines: readonly string[]): readonly string[] {
  return [title, ...lines.map((line) => `  ${line}`)];
}

function rows({ said, absent }: Pick<Origin, "said" | "absent">): readonly string[] {
  if (said.length === 0) return [row(absent, byDefault)];
  return said.map(({ value, source }) => row(value, sourceText(source)));
}

function row(value: unknown, source: string): string {
  return `${JSON.stringify(value).padEnd(valueWidth)} ${source}`;
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
