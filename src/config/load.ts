/**
 * Makes the policy: what the settings say, merged and absolute.
 *
 * Runs:     host. Pure: files are read through a door.
 * Promises: what is said and cannot be done is an error or a note, never nothing; the settings that were read cannot be
 *           written from inside.
 * Source:   docs/configuration.md
 */
import { FenceError } from "../base/errors.ts";
import { quoted } from "../base/quote.ts";
import type { PlanNote } from "../plan/mounts.ts";
import type { Decoy, FilesystemPolicy, NetworkPolicy, PathPattern, Policy } from "../plan/policy.ts";
import { type SettingsDoors, userDirectory } from "./files.ts";
import { type FoundGrants, foundGrants } from "./found-grants.ts";
import {
  type ConfigKey,
  commandKeys,
  deviceKeys,
  each,
  filesystemKeys,
  generalKeys,
  networkKeys,
  sshKeys,
} from "./keys.ts";
import { type Asked, type Layer, layersOf, type Source, type Surroundings } from "./layers.ts";
import { notesOf } from "./notes.ts";
import { type Origin, originsOf } from "./origins.ts";
import { absolutePath, absolutePattern, literally, type Places } from "./places.ts";

export interface LoadedPolicy {
  readonly policy: Policy;
  readonly notes: readonly PlanNote[];
  /** What was read, what is built upon first; none: nothing was found, and everything has its default. */
  readonly sources: readonly Source[];
  /** What settings that nobody named let out of their own directory. */
  readonly found: FoundGrants | null;
  /** Who said what, for `fence config show`. */
  readonly origins: readonly Origin[];
}

/** Throws FENCE_CONFIG. */
export function loadPolicy(doors: SettingsDoors, asked: Asked & Surroundings): LoadedPolicy {
  const layers = layersOf(doors, asked, asked);
  const policy = settled(layers, asked);
  return {
    policy: withProtectedSettings(doors, policy, layers, asked),
    notes: notesOf(layers, policy),
    sources: layers.map(({ source }) => source),
    found: foundGrants(layers, asked),
    get origins() {
      return originsOf(layers);
    },
  };
}

function settled(layers: readonly Layer[], places: Places): Policy {
  const all = layers.map(({ settings }) => settings);
  const command = settle(
    commandKeys,
    all.map((said) => said.command),
  );
  const general = settle(generalKeys, all);
  const devices = settle(
    deviceKeys,
    all.map((said) => said.devices),
  );
  return {
    allowPty: general.allowPty,
    forceNewSession: general.forceNewSession ?? false,
    network: network(layers, places),
    filesystem: filesystem(layers, places),
    devices: { ...devices, allow: each(devices.allow.map((path) => absolutePattern(path, places))) },
    command: { ...command, useDefaults: command.useDefaults ?? true },
    ssh: settle(
      sshKeys,
      all.map((said) => said.ssh),
    ),
    isolation: general.isolation,
  };
}

type Settled<K> = { readonly [N in keyof K]: K[N] extends ConfigKey<infer _, infer R> ? R : never };
type SaidOf<K> = { readonly [N in keyof K]: K[N] extends ConfigKey<infer S, unknown> ? S | null : never };

/** What all of `layers` say of `keys`, as one. */
function settle<K extends object>(keys: K, layers: readonly SaidOf<K>[]): Settled<K> {
  return Object.fromEntries(
    (Object.entries(keys) as [keyof K & string, ConfigKey<unknown, unknown>][]).map(([name, key]) => {
      const said = layers.map((layer): unknown => layer[name]).filter((value) => value !== null);
      return [name, key.settle(said)];
    }),
  ) as Settled<K>;
}

function network(layers: readonly Layer[], places: Places): NetworkPolicy {
  const said = settle(
    networkKeys,
    layers.map(({ settings }) => settings.network),
  );
  if (said.defaultAction === "proxy" && said.upstreamProxy === null) {
    throw new FenceError("FENCE_CONFIG", 'network.defaultAction "proxy" must stand beside network.upstreamProxy');
  }
  return {
    ...said,
    allowUnixSockets: patterns(said.allowUnixSockets, places),
    allowLocalOutbound: said.allowLocalOutbound ?? said.allowLocalBinding,
  };
}

function filesystem(layers: readonly Layer[], places: Places): FilesystemPolicy {
  const said = settle(
    filesystemKeys,
    layers.map(({ settings }) => settings.filesystem),
  );
  return {
    ...said,
    defaultDenyRead: said.defaultDenyRead || said.strictDenyRead,
    allowRead: patterns(said.allowRead, places),
    allowExecute: patterns(said.allowExecute, places),
    denyRead: patterns(said.denyRead, places),
    allowWrite: patterns(said.allowWrite, places),
    denyWrite: patterns(said.denyWrite, places),
    mask: patterns(said.mask, places),
    decoys: decoys(said.decoys, places),
    restore: each(said.restore.map((path) => absolutePath(path, places))),
  };
}

function patterns(given: readonly string[], places: Places): readonly PathPattern[] {
  return each(given.map((path) => absolutePattern(path, places)));
}

function decoys(given: readonly Decoy[], places: Places): readonly Decoy[] {
  const all = each(given.map(({ path, kind }) => ({ path: absolutePath(path, places), kind })));
  const twice = all.find(({ path }, i) => all.findIndex((decoy) => decoy.path === path) !== i);
  if (twice === undefined) return all;
  throw new FenceError("FENCE_CONFIG", `filesystem.decoys must name each file once, got ${quoted(twice.path)} twice`);
}

/** Else the program could give the next one more rights. */
function withProtectedSettings(
  doors: SettingsDoors,
  policy: Policy,
  layers: readonly Layer[],
  around: Surroundings,
): Policy {
  const files = layers.flatMap(({ source }) => (source.kind === "file" ? [source.path] : []));
  const directory = userDirectory(around.home, around.environment);
  // What is not there cannot be mounted read-only: planning looks after who could make it.
  const own = directory !== null && doors.read(directory, 0).kind !== "absent" ? [directory] : [];
  const { filesystem: said } = policy;
  const denyWrite = each([...said.denyWrite, ...[...files, ...own].map(literally)]);
  return { ...policy, filesystem: { ...said, denyWrite } };
}
