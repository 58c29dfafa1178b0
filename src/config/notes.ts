/**
 * What the user should know about settings that are valid and yet do not do what they seem to.
 *
 * Runs:     host. Pure.
 * Promises: a key that has no effect here is named with the settings that say it.
 * Source:   docs/configuration.md
 */
import type { PlanNote } from "../plan/mounts.ts";
import type { Policy } from "../plan/policy.ts";
import { keyGroups } from "./keys.ts";
import { type Layer, sourceText } from "./layers.ts";

/** Keys that are read for other systems or other tools. */
export const withoutEffect: Readonly<Record<string, string>> = {
  macos: "is for macOS",
  allowPty: "is not needed: terminals work without it",
};

export function notesOf(layers: readonly Layer[], policy: Policy): readonly PlanNote[] {
  return [...idle(layers), ...overruled(layers), ...contradictions(policy)];
}

function idle(layers: readonly Layer[]): readonly PlanNote[] {
  return layers.flatMap(({ source, settings: { macos, allowPty } }) => {
    const said = {
      macos: macos.gpu !== null || macos.mach.lookup.length + macos.mach.register.length > 0,
      allowPty: allowPty !== null,
    };
    return Object.entries(said).flatMap(([key, is]) =>
      is ? [{ where: key, says: `${withoutEffect[key]}; it has no effect (${sourceText(source)})` }] : [],
    );
  });
}

/** Who says false where another says true might take it for a protection. */
function overruled(layers: readonly Layer[]): readonly PlanNote[] {
  return Object.entries(keyGroups).flatMap(([group, keys]) =>
    Object.entries(keys).flatMap(([name, { merge }]) => {
      if (merge !== "or") return [];
      const said = layers.map(({ source, settings }) => ({
        source,
        value: (settings as unknown as Record<string, Record<string, unknown>>)[group]?.[name],
      }));
      const truth = said.find(({ value }) => value === true);
      const denial = said.find(({ value }) => value === false);
      if (truth === undefined || denial === undefined) return [];
      const [no, yes] = [sourceText(denial.source), sourceText(truth.source)];
      return [{ where: `${group}.${name}`, says: `is true: ${yes} says so, and false in ${no} cannot take it back` }];
    }),
  );
}

function contradictions({ network, devices }: Policy): readonly PlanNote[] {
  const notes: PlanNote[] = [];
  if (network.allowLocalOutboundPorts.length > 0 && !network.allowLocalOutbound) {
    notes.push({ where: "network.allowLocalOutboundPorts", says: "has no effect without network.allowLocalOutbound" });
  }
  if (network.allowedDomains.includes("*")) {
    notes.push({
      where: "network.allowedDomains",
      says: '"*" gives the program the host\'s network: deniedDomains holds only for programs that use the proxy',
    });
  }
  if (devices.mode === "host" && devices.allow.length > 0) {
    notes.push({ where: "devices.allow", says: 'has no effect beside "mode": "host", which gives all of /dev' });
  }
  return notes;
}
