/**
 * What a sandbox may do: the configuration, read, merged and made absolute.
 *
 * Runs:     host. Pure: types alone.
 * Promises: nothing is optional: what the user left out has its default here.
 * Source:   docs/configuration.md
 */

/** An absolute path, normalised, without `~`; may hold the wildcards `*`, `?`, `[...]` and `**`. */
export type PathPattern = string;

export type Requirement = "required" | "best-effort" | "off";

/** What keeps the program in, layer by layer. */
export const isolationLayers = [
  "mount",
  "user",
  "pid",
  "network",
  "ipc",
  "uts",
  "cgroup",
  "nested-user", // whether user namespaces inside the sandbox are denied: --disable-userns
  "landlock",
  "seccomp",
] as const;
export type IsolationLayer = (typeof isolationLayers)[number];
export type IsolationPolicy = Readonly<Record<IsolationLayer, Requirement>>;

export interface NetworkPolicy {
  /** Host patterns: `example.com`, `*.example.com`; `*` alone: the host's network, directly. */
  readonly allowedDomains: readonly string[];
  /** Wins over allowedDomains. */
  readonly deniedDomains: readonly string[];
  readonly defaultAction: "deny" | "proxy";
  readonly allowUnixSockets: readonly PathPattern[];
  readonly allowAllUnixSockets: boolean;
  /** Whether servers inside may be reached from the host (--publish needs no such word). */
  readonly allowLocalBinding: boolean;
  /** Every port of the host's loopback. */
  readonly allowLocalOutbound: boolean;
  /** Ports of the host's loopback that are reached at the same port of the sandbox's loopback. */
  readonly allowLocalOutboundPorts: readonly number[];
  /** Ports of proxies that run on the host's loopback already; null: none. */
  readonly httpProxyPort: number | null;
  readonly socksProxyPort: number | null;
  /** A URL; may hold a password. */
  readonly upstreamProxy: string | null;
}

/** A file with made-up credentials in the place of real ones. */
export interface Decoy {
  readonly path: string;
  readonly kind: DecoyKind;
}
export const decoyKinds = ["ssh-key", "aws-credentials", "npmrc", "netrc", "token"] as const;
export type DecoyKind = (typeof decoyKinds)[number];

export interface FilesystemPolicy {
  /** Only the usual system directories and allowRead can be read, instead of the whole host. */
  readonly defaultDenyRead: boolean;
  /** Only allowRead can be read, not even the usual system directories. */
  readonly strictDenyRead: boolean;
  /** null: no. Windows programs run outside of the sandbox. */
  readonly wslInterop: boolean | null;
  readonly allowRead: readonly PathPattern[];
  readonly allowExecute: readonly PathPattern[];
  readonly denyRead: readonly PathPattern[];
  readonly allowWrite: readonly PathPattern[];
  readonly denyWrite: readonly PathPattern[];
  readonly allowGitConfig: boolean;
  /** An empty regular file or an empty directory stands in each one's place. */
  readonly mask: readonly PathPattern[];
  readonly decoys: readonly Decoy[];
  /** Directories that something above them hides (a tmpfs, a mask) and that are shown again, read-only. */
  readonly restore: readonly string[];
}

export interface DevicePolicy {
  /** auto: minimal, unless `allow` names devices. */
  readonly mode: "auto" | "minimal" | "host";
  readonly allow: readonly PathPattern[];
}

export interface CommandPolicy {
  /** Command lines, by their first words: `git push`. */
  readonly deny: readonly string[];
  readonly allow: readonly string[];
  readonly useDefaults: boolean;
  /** Names of multicall binaries whose names are denied only before the start, knowingly. */
  readonly acceptSharedBinaryCannotRuntimeDeny: readonly string[];
  readonly runtimeExecPolicy: "path" | "argv";
}

export interface SshPolicy {
  readonly allowedHosts: readonly string[];
  readonly deniedHosts: readonly string[];
  readonly allowedCommands: readonly string[];
  readonly deniedCommands: readonly string[];
  readonly allowAllCommands: boolean;
  readonly inheritDeny: boolean;
}

export interface Policy {
  readonly allowPty: boolean;
  readonly forceNewSession: boolean;
  readonly network: NetworkPolicy;
  readonly filesystem: FilesystemPolicy;
  readonly devices: DevicePolicy;
  readonly command: CommandPolicy;
  readonly ssh: SshPolicy;
  readonly isolation: IsolationPolicy;
}
