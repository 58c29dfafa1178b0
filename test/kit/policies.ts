/**
 * Policies for tests of the launcher: the defaults with what a test is about.
 *
 * Runs:     in tests.
 */
import {
  type FilesystemPolicy,
  type IsolationPolicy,
  isolationLayers,
  type NetworkPolicy,
  type Policy,
  type Requirement,
} from "../../src/plan/policy.ts";

export interface PolicyParts {
  readonly filesystem?: Partial<FilesystemPolicy>;
  readonly network?: Partial<NetworkPolicy>;
  readonly devices?: Partial<Policy["devices"]>;
  readonly command?: Partial<Policy["command"]>;
  /** Of all layers. */
  readonly isolation?: Requirement;
}

export function policyOf({ filesystem, network, devices, command, isolation = "required" }: PolicyParts = {}): Policy {
  return {
    allowPty: false,
    forceNewSession: false,
    network: {
      allowedDomains: [],
      deniedDomains: [],
      defaultAction: "deny",
      allowUnixSockets: [],
      allowAllUnixSockets: false,
      allowLocalBinding: false,
      allowLocalOutbound: false,
      allowLocalOutboundPorts: [],
      httpProxyPort: null,
      socksProxyPort: null,
      upstreamProxy: null,
      ...network,
    },
    filesystem: {
      defaultDenyRead: false,
      strictDenyRead: false,
      wslInterop: null,
      allowRead: [],
      allowExecute: [],
      denyRead: [],
      allowWrite: [],
      denyWrite: [],
      allowGitConfig: false,
      mask: [],
      decoys: [],
      restore: [],
      ...filesystem,
    },
    devices: { mode: "auto", allow: [], ...devices },
    command: {
      deny: [],
      allow: [],
      useDefaults: false,
      acceptSharedBinaryCannotRuntimeDeny: [],
      runtimeExecPolicy: "path",
      ...command,
    },
    ssh: {
      allowedHosts: [],
      deniedHosts: [],
      allowedCommands: [],
      deniedCommands: [],
      allowAllCommands: false,
      inheritDeny: false,
    },
    isolation: Object.fromEntries(isolationLayers.map((layer) => [layer, isolation])) as unknown as IsolationPolicy,
  };
}
