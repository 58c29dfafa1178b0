/**
 * What settings that nobody named let out of their own directory: a repository may bring some.
 *
 * Runs:     host. Pure.
 * Promises: settings that were named, templates and the user's own are never in it.
 * Source:   docs/configuration.md
 */
import { dirname } from "node:path/posix";
import { isWithin } from "../base/paths.ts";
import { userDirectory } from "./files.ts";
import type { Settings } from "./keys.ts";
import type { Asked, Layer, Surroundings } from "./layers.ts";
import { absolutePattern } from "./places.ts";

export interface FoundGrants {
  /** The settings file that was found. */
  readonly path: string;
  /** In words, such as `writing ~`; at least one. */
  readonly grants: readonly string[];
}

/** null: there are none, or they were named. `layers` as layersOf() gives them. */
export function foundGrants(layers: readonly Layer[], asked: Asked & Surroundings): FoundGrants | null {
  if (asked.settings !== null || asked.template !== null) return null;
  const own = userDirectory(asked.home, asked.environment);
  const found = layers.flatMap(({ source, settings }) => {
    if (source.kind !== "file" || (own !== null && isWithin(source.path, own))) return [];
    return [{ path: source.path, grants: grantsOf(settings, dirname(source.path), asked) }];
  });
  const path = found.at(-1)?.path;
  const grants = [...new Set(found.flatMap((layer) => layer.grants))];
  return path === undefined || grants.length === 0 ? null : { path, grants };
}

function grantsOf({ network, filesystem, devices, isolation }: Settings, directory: string, places: Surroundings) {
  const beyond = (filesystem.allowWrite ?? []).filter((path) => !isWithin(absolutePattern(path, places), directory));
  const ports = network.allowLocalOutboundPorts ?? [];
  return [
    ...beyond.map((path) => `writing ${path}`),
    ...((network.allowedDomains ?? []).includes("*") ? ["the host's network"] : []),
    ...(network.allowAllUnixSockets === true ? ["every Unix socket"] : []),
    ...(network.allowUnixSockets ?? []).map((path) => `the Unix socket ${path}`),
    ...(ports.length > 0 ? [`ports ${ports.join(", ")} of the host`] : []),
    ...(devices.mode === "host" || (devices.allow ?? []).length > 0 ? ["devices of the host"] : []),
    ...(filesystem.wslInterop === true ? ["Windows programs"] : []),
    ...(isolation !== null && isolation !== "strict" ? ["less isolation"] : []),
  ];
}
