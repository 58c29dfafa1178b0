/**
 * What the user should know about settings that are valid and yet do not do what they seem to.
 *
 * Runs:     host. Pure.
 * Promises: a key that has no effect here, or that nothing enforces, is named with the settings that say it.
 * Source:   docs/configuration.md
 */
import type { PlanNote } from "../plan/mounts.ts";
import type { Policy } from "../plan/policy.ts";
import { type Layer, sourceText } from "./layers.ts";
import { type Origin, originsOf } from "./origins.ts";

const proxies =
  "is for proxies of fence's own, which it does not have yet: hosts are reached through --http-proxy or --socks-proxy alone, and that proxy decides";
const ssh = "is not enforced: fence does not look at what ssh is told; hosts are a matter of network";

/** Keys that are read, and do nothing: here the notes end when they do something. */
export const withoutEffect: Readonly<Record<string, string>> = {
  "network.deniedDomains": proxies,
  "network.defaultAction": proxies,
  "network.upstreamProxy": proxies,
  "command.runtimeExecPolicy": 'is not enforced: children are denied programs, as with "path", not command lines',
  "ssh.allowedHosts": ssh,
  "ssh.deniedHosts": ssh,
  "ssh.allowedCommands": ssh,
  "ssh.deniedCommands": ssh,
  "ssh.allowAllCommands": ssh,
  "ssh.inheritDeny": ssh,
  allowPty: "is not needed: terminals work without it",
};

export function notesOf(layers: readonly Layer[], policy: Policy): readonly PlanNote[] {
  if (layers.length === 0) return ofPolicy(policy);
  const origins = originsOf(layers);
  return [...origins.flatMap(idle), ...forMacos(layers), ...overruled(layers, origins), ...ofPolicy(policy)];
}

function idle({ key, said, absent }: Origin): readonly PlanNote[] {
  const says = withoutEffect[key];
  const sources = said.filter(({ value }) => value !== absent).map(({ source }) => sourceText(source));
  if (says === undefined || sources.length === 0) return [];
  return [{ where: key, says: `${says} (${[...new Set(sources)].join(", ")})` }];
}

function forMacos(layers: readonly Layer[]): readonly PlanNote[] {
  const said = layers.filter(({ settings: { macos } }) => {
    return macos.gpu !== null || macos.mach.lookup.length + macos.mach.register.length > 0;
  });
  return said.map(({ source }) => ({ where: "macos", says: `has no effect on Linux (${sourceText(source)})` }));
}

/** Who says false where another says true might take it for a protection. */
function overruled(layers: readonly Layer[], origins: readonly Origin[]): readonly PlanNote[] {
  return origins.flatMap(({ key, merge, said }) => {
    const [truth] = said;
    if (merge !== "or" || truth?.value !== true) return [];
    const denial = layers.find((layer) =>
      originsOf([layer]).some((own) => own.key === key && own.said[0]?.value === false),
    );
    if (denial === undefined) return [];
    const [no, yes] = [sourceText(denial.source), sourceText(truth.source)];
    return [{ where: key, says: `is true: ${yes} says so, and false in ${no} cannot take it back` }];
  });
}

function ofPolicy({ network, devices }: Policy): readonly PlanNote[] {
  const notes: PlanNote[] = [];
  const { allowedDomains } = network;
  if (allowedDomains.includes("*")) {
    notes.push({
      where: "network.allowedDomains",
      says: '"*" gives the program the host\'s network: nothing keeps it from any host',
    });
  } else if (allowedDomains.length > 0) notes.push({ where: "network.allowedDomains", says: proxies });
  if (network.allowLocalOutboundPorts.length > 0 && !network.allowLocalOutbound) {
    notes.push({ where: "network.allowLocalOutboundPorts", says: "has no effect without network.allowLocalOutbound" });
  }
  if (devices.mode === "host" && devices.allow.length > 0) {
    notes.push({ where: "devices.allow", says: 'has no effect beside "mode": "host", which gives all of /dev' });
  }
  return notes;
}
