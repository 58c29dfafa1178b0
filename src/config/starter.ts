/**
 * The settings file that `fence config init` writes.
 *
 * Runs:     host. Pure.
 * Promises: what it says is read, and allows nothing that the template does not.
 */
import { keyGroups } from "./keys.ts";
import type { TemplateName } from "./templates.ts";

/** The lists that most projects need: an empty one changes nothing, as false would where true is built upon. */
const usual = {
  network: ["allowedDomains", "deniedDomains"],
  filesystem: ["allowRead", "allowWrite", "denyRead", "denyWrite"],
  command: ["deny"],
} as const;

export function starterSettings(template: TemplateName | null): string {
  const groups = Object.entries(usual).map(([group, names]) => groupText(group as keyof typeof usual, names));
  return [
    "// Settings of fence for this directory and all below it.",
    "// Every key: fence config schema. What holds in the end: fence config show.",
    "{",
    ...(template === null
      ? ["  // Lists append to those of the template or file that this one builds on.", '  // "extends": "code",']
      : ["  // Lists append to those of the template.", `  "extends": ${JSON.stringify(template)},`]),
    ...groups,
    "}",
    "",
  ].join("\n");
}

function groupText(group: keyof typeof usual, names: readonly string[]): string {
  const keys: Readonly<Record<string, { readonly field: { readonly description: string; readonly absent: object } }>> =
    keyGroups[group];
  const lines = names.flatMap((name) => {
    const field = keys[name]?.field;
    if (field === undefined) return [];
    const absent = "value" in field.absent ? field.absent.value : null;
    return [`    // ${field.description}`, `    ${JSON.stringify(name)}: ${JSON.stringify(absent)},`];
  });
  return [`  ${JSON.stringify(group)}: {`, ...lines, "  },"].join("\n");
}
