/**
 * What `createSandbox({ settings })` takes: the keys of fence.json.
 *
 * Runs:     in the user's own Node: a type alone. The service reads and checks the value.
 * Source:   docs/configuration.md explains the keys; a test compares them with src/config/keys.ts
 */
export type Requirement = "required" | "best-effort" | "off";

export interface Settings {
  /** What these settings build on: a template, a file such as `./base.json`, or `@base`. */
  readonly extends?: string;
  /** Which layers must hold: all (`strict`, the default), as many as there can be, or layer by layer. */
  readonly isolation?: "strict" | "best-effort" | { readonly [layer in Layer]?: Requirement };
  readonly allowPty?: boolean;
  readonly forceNewSession?: boolean | null;
  /** What the program can reach. */
  readonly network?: NetworkSettings;
  /** What the program can read and write. */
  readonly filesystem?: FilesystemSettings;
  /** What is in /dev. */
  readonly devices?: { readonly mode?: "auto" | "minimal" | "host"; readonly allow?: readonly string[] };
  /** Which commands may run. */
  readonly command?: CommandSettings;
  /** What ssh may do. */
  readonly ssh?: SshSettings;
  /** Without meaning on Linux. */
  readonly macos?: { readonly [key: string]: unknown };
  /** For editors. */
  readonly $schema?: string;
}

export type Layer =
  | "mount"
  | "user"
  | "pid"
  | "network"
  | "ipc"
  | "uts"
  | "cgroup"
  | "nested-user"
  | "landlock"
  | "seccomp";

export interface NetworkSettings {
  /** Hosts that can be reached: `example.com`, `*.example.com`; `*` is the host's network, directly. */
  readonly allowedDomains?: readonly string[];
  readonly deniedDomains?: readonly string[];
  readonly defaultAction?: "deny" | "proxy";
  /** Unix sockets of the host that the program can connect to. */
  readonly allowUnixSockets?: readonly string[];
  readonly allowAllUnixSockets?: boolean;
  readonly allowLocalBinding?: boolean;
  readonly allowLocalOutbound?: boolean | null;
  /** Ports of the host's loopback that are reached on the sandbox's own. */
  readonly allowLocalOutboundPorts?: readonly number[];
  readonly httpProxyPort?: number | null;
  readonly socksProxyPort?: number | null;
  readonly upstreamProxy?: string | null;
}

export interface FilesystemSettings {
  /** Whether only system directories and `allowRead` can be read, instead of the whole host. */
  readonly defaultDenyRead?: boolean;
  readonly strictDenyRead?: boolean;
  readonly wslInterop?: boolean | null;
  /** What can be read, listed and executed. */
  readonly allowRead?: readonly string[];
  readonly allowExecute?: readonly string[];
  readonly denyRead?: readonly string[];
  /** What can be written, and read and executed. */
  readonly allowWrite?: readonly string[];
  readonly denyWrite?: readonly string[];
  readonly allowGitConfig?: boolean;
  readonly mask?: readonly string[];
  readonly decoys?: readonly { readonly path: string; readonly kind: string }[];
  readonly restore?: readonly string[];
}

export interface CommandSettings {
  /** Commands that must not run, by their first words: `git push`. */
  readonly deny?: readonly string[];
  readonly allow?: readonly string[];
  readonly useDefaults?: boolean | null;
  readonly acceptSharedBinaryCannotRuntimeDeny?: readonly string[];
  readonly runtimeExecPolicy?: "path" | "argv";
}

export interface SshSettings {
  readonly allowedHosts?: readonly string[];
  readonly deniedHosts?: readonly string[];
  readonly allowedCommands?: readonly string[];
  readonly deniedCommands?: readonly string[];
  readonly allowAllCommands?: boolean;
  readonly inheritDeny?: boolean;
}
