/**
 * What a settings file says: the one source of its types, its validation, how files merge, the JSON Schema and the tables
 * of docs/configuration.md.
 *
 * Runs:     host. Pure.
 * Promises: every key says how it merges and what its absence means.
 * Source:   docs/configuration.md
 */
import {
  decoyKinds,
  type IsolationLayer,
  type IsolationPolicy,
  isolationLayers,
  type Requirement,
} from "../plan/policy.ts";
import {
  type Field,
  flag,
  type Infer,
  integer,
  type Json,
  type JsonSchema,
  list,
  mismatch,
  optional,
  orNone,
  record,
  required,
  type Schema,
  text,
  unsaid,
  word,
} from "../plan/schema.ts";
import {
  command as commandText,
  devicePath,
  domain,
  extended,
  maxItems,
  pathPattern,
  plainPath,
  sshHost,
  upstreamProxy,
} from "./values.ts";

/** How the sayings of several files, the one that is built upon first, become one. */
export type MergeRule = "appended" | "or" | "last" | "by layer";

export interface ConfigKey<Said, Settled> {
  readonly field: Field<Said | null>;
  readonly merge: MergeRule;
  readonly settle: (said: readonly Said[]) => Settled;
}

function appended<T>(item: Schema<T>, description: string): ConfigKey<readonly T[], readonly T[]> {
  return {
    field: unsaid(list(item, maxItems), [], description),
    merge: "appended",
    settle: (said) => each(said.flat()),
  };
}

/** The first of equal ones. */
export function each<T>(items: readonly T[]): readonly T[] {
  if (items.length < 2) return items;
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}

function either(description: string): ConfigKey<boolean, boolean> {
  return { field: unsaid(flag, false, description), merge: "or", settle: (said) => said.includes(true) };
}

function last<T, const N extends Json>(schema: Schema<T>, absent: N, description: string): ConfigKey<T, T | N> {
  return { field: unsaid(schema, absent, description), merge: "last", settle: (said) => said.at(-1) ?? absent };
}

const port = integer(1, 65535);
const requirement = word(["required", "best-effort", "off"]);

export const networkKeys = {
  allowedDomains: appended(
    domain,
    "Hosts that can be reached: example.com, *.example.com; * is the host's network, directly.",
  ),
  deniedDomains: appended(domain, "Hosts that cannot be reached, whatever allowedDomains says."),
  defaultAction: last(word(["deny", "proxy"]), "deny", "Hosts in neither list: denied, or left to upstreamProxy."),
  allowUnixSockets: appended(pathPattern, "Unix sockets of the host that the program can connect to."),
  allowAllUnixSockets: either("Whether the program can connect to every Unix socket that it sees."),
  allowLocalBinding: either(
    "What allowLocalOutbound is where it is null. On its own loopback the program can always listen.",
  ),
  allowLocalOutbound: last(
    orNone(flag),
    null,
    "Whether allowLocalOutboundPorts lead to the host's loopback; null: as allowLocalBinding.",
  ),
  allowLocalOutboundPorts: appended(port, "Ports of the host's loopback that are reached on the sandbox's own."),
  httpProxyPort: last(orNone(port), null, "The port of an HTTP proxy on the host's loopback, instead of fence's own."),
  socksProxyPort: last(
    orNone(port),
    null,
    "The port of a SOCKS5 proxy on the host's loopback, instead of fence's own.",
  ),
  upstreamProxy: last(
    orNone(upstreamProxy),
    null,
    "An HTTP proxy for hosts in neither list, with defaultAction proxy; its password is never shown.",
  ),
} as const;

const decoy = record({
  path: required(plainPath, "The file in whose place the decoy stands."),
  kind: required(word(decoyKinds), "What it looks like."),
});

export const filesystemKeys = {
  defaultDenyRead: either("Whether only system directories and allowRead can be read, instead of the whole host."),
  strictDenyRead: either("Whether only allowRead can be read, system directories neither; implies defaultDenyRead."),
  wslInterop: last(
    orNone(flag),
    null,
    "Whether Windows programs can be started, which run outside of the sandbox; null: no.",
  ),
  allowRead: appended(pathPattern, "What can be read, listed and executed."),
  allowExecute: appended(pathPattern, "What can be executed, without listing its directory."),
  denyRead: appended(pathPattern, "What cannot be read, whatever else allows it."),
  allowWrite: appended(pathPattern, "What can be written, and read and executed."),
  denyWrite: appended(pathPattern, "What cannot be written, whatever else allows it."),
  allowGitConfig: either("Whether .git/config can be written where its directory can."),
  mask: appended(pathPattern, "What an empty file or an empty directory stands in the place of."),
  decoys: appended(decoy, "Files with made-up credentials in the place of real ones."),
  restore: appended(plainPath, "Directories that something above them hides and that are shown again, read-only."),
} as const;

export const deviceKeys = {
  mode: last(word(["auto", "minimal", "host"]), "auto", "What /dev holds: a few harmless devices, or the host's."),
  allow: appended(devicePath, "Devices beside the harmless ones."),
} as const;

export const commandKeys = {
  deny: appended(commandText, "Commands that must not run, by their first words: git push."),
  allow: appended(commandText, "Exceptions from deny: git push origin docs."),
  useDefaults: last(
    orNone(flag),
    null,
    "Whether commands such as reboot, mount and mkfs are denied too; null: they are.",
  ),
  acceptSharedBinaryCannotRuntimeDeny: appended(
    commandText,
    "Commands that share their binary with others, and that may be denied before the start alone.",
  ),
  runtimeExecPolicy: last(word(["path", "argv"]), "path", "How the commands of child processes are denied."),
} as const;

export const sshKeys = {
  allowedHosts: appended(sshHost, "Hosts that ssh can reach: prod-*, *.example.com."),
  deniedHosts: appended(sshHost, "Hosts that ssh cannot reach, whatever allowedHosts says."),
  allowedCommands: appended(commandText, "Commands that may run on them."),
  deniedCommands: appended(commandText, "Commands that must not run on them."),
  allowAllCommands: either("Whether all but deniedCommands may run on them."),
  inheritDeny: either("Whether command.deny holds on them too."),
} as const;

type SaidIsolation = "strict" | "best-effort" | Readonly<Partial<Record<IsolationLayer, Requirement>>>;

const isolationWord = word(["strict", "best-effort"]);
const layersRecord = record(
  Object.fromEntries(
    isolationLayers.map((layer) => [layer, unsaid(requirement, "required", `Whether the layer ${layer} is needed.`)]),
  ) as Record<IsolationLayer, Field<Requirement | null>>,
);
const isolation: Schema<SaidIsolation> = {
  parse(value, where) {
    if (typeof value === "string") return isolationWord.parse(value, where);
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw mismatch(where, '"strict", "best-effort" or an object', value);
    }
    const layers = Object.entries(layersRecord.parse(value, where)).filter(([, needed]) => needed !== null);
    return Object.fromEntries(layers) as SaidIsolation;
  },
  describe: () => ({ anyOf: [isolationWord.describe(), layersRecord.describe()] }),
};

/** A word speaks of all layers, an object of those it names. */
function settleIsolation(said: readonly SaidIsolation[]): IsolationPolicy {
  const needed = (layer: IsolationLayer) => said.map((one) => requirementOf(one, layer)).findLast((is) => is !== null);
  return Object.fromEntries(
    isolationLayers.map((layer) => [layer, needed(layer) ?? "required"]),
  ) as unknown as IsolationPolicy;
}

function requirementOf(said: SaidIsolation, layer: IsolationLayer): Requirement | null {
  if (typeof said === "object") return said[layer] ?? null;
  return said === "strict" ? "required" : "best-effort";
}

export const generalKeys = {
  isolation: {
    field: unsaid(isolation, "strict", "Which layers must hold: all, as many as there can be, or layer by layer."),
    merge: "by layer",
    settle: settleIsolation,
  } satisfies ConfigKey<SaidIsolation, IsolationPolicy>,
  allowPty: either("Terminals work without this key."),
  forceNewSession: last(
    orNone(flag),
    null,
    "Whether the program gets a session of its own: no Ctrl-C, no job control.",
  ),
} as const;

const macos = record({
  mach: optional(
    record({
      lookup: optional(list(text, maxItems), [], "Mach services to look up."),
      register: optional(list(text, maxItems), [], "Mach services to register."),
    }),
    {},
    "Mach services.",
  ),
  gpu: optional(orNone(flag), null, "The graphics processor."),
});

/** The groups of keys, in the order of the documentation. */
export const keyGroups = {
  network: networkKeys,
  filesystem: filesystemKeys,
  devices: deviceKeys,
  command: commandKeys,
  ssh: sshKeys,
} as const;

type FieldsOf<K> = { readonly [N in keyof K]: K[N] extends ConfigKey<infer S, unknown> ? Field<S | null> : never };

function fieldsOf<K extends object>(keys: K): FieldsOf<K> {
  return Object.fromEntries(Object.entries(keys).map(([name, { field }]) => [name, field])) as FieldsOf<K>;
}

export const settingsSchema = record({
  $schema: unsaid(text, null, "For editors: fence does not read it."),
  extends: unsaid(extended, null, "What this file builds on: a template, a file such as ./base.json, or @base."),
  ...fieldsOf(generalKeys),
  network: optional(record(fieldsOf(networkKeys)), {}, "What the program can reach."),
  filesystem: optional(record(fieldsOf(filesystemKeys)), {}, "What the program can read and write."),
  devices: optional(record(fieldsOf(deviceKeys)), {}, "What is in /dev."),
  command: optional(record(fieldsOf(commandKeys)), {}, "Which commands may run."),
  ssh: optional(record(fieldsOf(sshKeys)), {}, "What ssh may do."),
  macos: optional(macos, {}, "For macOS: without meaning here."),
});

/** What one settings file says; null: nothing. */
export type Settings = Infer<typeof settingsSchema>;

/** docs/fence.schema.json. */
export function settingsJsonSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "urn:fence:settings:1",
    title: "Settings of fence",
    description: "What fence.json and fence.jsonc hold. docs/configuration.md explains the keys.",
    ...settingsSchema.describe(),
  };
}
