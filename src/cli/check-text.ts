/**
 * Shows what `fence check` found as a table.
 *
 * Runs:     host. Pure.
 * Promises: every capability has a line, and what is not ok its cause and remedies below it.
 * Source:   docs/check.md
 */
import type { Capability, CheckReport } from "../plan/check-report.ts";

export const checkHelp = `Usage: fence check [--json]

Tries everything that fence run needs of this host, and says for what is missing
the cause and what helps. Nothing is changed or left behind.

  --json  print the same as one JSON object

Exit status: 0 strict isolation is possible, 1 only less is, 125 fence failed.
`;

/** 0: all that `fence run` asks for by default can be had. */
export function checkExitStatus({ verdict }: CheckReport): 0 | 1 {
  return verdict === "strict" ? 0 : 1;
}

export function checkText(report: CheckReport): string {
  const widths = {
    id: widest(report.capabilities.map(({ id }) => id)),
    fact: widest(report.ground.map(({ name }) => name)),
  };
  return [
    ...report.capabilities.flatMap((capability) => capabilityLines(capability, widths.id)),
    "",
    ...report.ground.map(({ name, value }) => `  ${name.padEnd(widths.fact)}  ${value}`),
    "",
    verdictLine(report),
    "",
  ].join("\n");
}

function capabilityLines({ id, purpose, state, says, remedies }: Capability, width: number): readonly string[] {
  const indent = " ".repeat("missing".length + width + 4);
  return [
    `${state.padEnd("missing".length)}  ${id.padEnd(width)}  ${purpose}`,
    ...(says === null ? [] : [`${indent}${says}`]),
    ...remedies.map((remedy, i) => `${indent}${i === 0 ? "remedy:" : "or:    "} ${remedy}`),
  ];
}

function verdictLine({ verdict, reduced }: CheckReport): string {
  switch (verdict) {
    case "strict":
      return "fence run works here with strict isolation.";
    case "best-effort":
      return `fence run works here with --isolation best-effort only, which goes without all or part of: ${reduced.join(", ")}.`;
    case "landlock":
      return "bubblewrap does not work here. fence run --backend landlock confines files and TCP ports, and nothing else.";
    default:
      return "fence run does not work here: there is neither bubblewrap nor Landlock.";
  }
}

function widest(words: readonly string[]): number {
  return Math.max(0, ...words.map((word) => word.length));
}
