/**
 * Decides what is denied of the host's own network, where a sandbox has no namespace of its own.
 *
 * Runs:     host. Pure.
 * Promises: a denial that the kernel cannot give is FENCE_ISOLATION when the layer `network` is required, else a note;
 *           nothing is allowed that the policy does not name.
 * Source:   docs/backend-landlock.md; landlock(7), the ABI of each right in src/landlock/abi.ts
 */
import { FenceError } from "../base/errors.ts";
import { optionNeeds } from "../landlock/options.ts";
import type { PlanNote } from "../plan/mounts.ts";
import type { Policy } from "../plan/policy.ts";
import type { HostNetworkDenials } from "./inside-plan.ts";
import type { PublishedPort } from "./request.ts";

export interface NetworkQuestion {
  readonly policy: Pick<Policy, "network" | "isolation">;
  /** The policy grants the host's network itself. */
  readonly hostNetwork: boolean;
  readonly publish: readonly PublishedPort[];
  /** landlockAbi()'s answer. */
  readonly landlockAbi: number;
  /** Whether the program gets a system call filter. */
  readonly hasFilter: boolean;
}

export interface NetworkAnswer {
  readonly denials: HostNetworkDenials;
  /** Whether connecting by TCP is denied but for ports that are named. */
  readonly deniesTcp: boolean;
  readonly notes: readonly PlanNote[];
}

const abiOf = {
  tcp: optionNeeds["--connect-tcp"],
  udp: optionNeeds["--connect-udp"],
  unixSockets: optionNeeds["--unix"],
} as const;

/** Throws FENCE_ISOLATION, and FENCE_USAGE for a published port that would need a bridge. */
export function decideHostNetwork(question: NetworkQuestion): NetworkAnswer {
  const { policy, hostNetwork, publish, landlockAbi: abi, hasFilter } = question;
  publish.forEach(refuseMapping);
  const { network, isolation } = policy;
  const isRestricted = !hostNetwork && isolation.network !== "off";
  const denied = new Set<HostNetworkDenials["denied"][number]>();
  const sockets = new Set<HostNetworkDenials["deniedSockets"][number]>();
  const gaps: Gap[] = [];
  if (isRestricted) {
    if (abi >= abiOf.tcp.abi) denied.add("tcp");
    else gaps.push({ where: "network", says: "TCP is not restricted", needs: needs(abi, abiOf.tcp) });
    if (abi >= abiOf.udp.abi) denied.add("udp");
    sockets.add("datagrams");
  }
  if (!network.allowAllUnixSockets) {
    if (abi >= abiOf.unixSockets.abi) denied.add("unix-sockets");
    else if (network.allowUnixSockets.length === 0) sockets.add("unix-sockets");
    else {
      const says = "every Unix socket of the host can be connected to, not only these";
      gaps.push({ where: "network.allowUnixSockets", says, needs: needs(abi, abiOf.unixSockets) });
    }
  }
  if (sockets.size > 0 && !hasFilter)
    gaps.push({
      where: "network",
      says: `${[...sockets].join(" and ")} are not denied`,
      needs: "there is no seccomp filter",
    });
  return {
    denials: {
      denied: [...denied],
      deniedSockets: [...sockets],
      bindTcp: denied.has("tcp") ? publish.map(({ port }) => port) : [],
      bindsAnyPort: network.allowLocalBinding,
    },
    deniesTcp: denied.has("tcp"),
    notes: gaps.map((gap) => noteOrRefuse(gap, isolation.network === "required")),
  };
}

interface Gap {
  readonly where: string;
  readonly says: string;
  readonly needs: string;
}

function needs(abi: number, { abi: needed, linux }: { readonly abi: number; readonly linux: string }): string {
  return `this kernel has Landlock ABI ${abi}, it needs ABI ${needed} (Linux ${linux})`;
}

function noteOrRefuse({ where, says, needs: why }: Gap, isRequired: boolean): PlanNote {
  if (!isRequired) return { where, says: `${says}: ${why}` };
  throw new FenceError("FENCE_ISOLATION", `isolation layer network is required and ${says}: ${why}`, {
    step: "isolation",
    hint: `use a newer kernel, --backend bwrap, or accept it with isolation.network "best-effort" (${where})`,
  });
}

/** The program listens on the host's loopback itself. */
function refuseMapping({ host, hostPort, port }: PublishedPort): void {
  if (hostPort === port) return;
  throw new FenceError(
    "FENCE_USAGE",
    `--publish ${host}:${hostPort}:${port} must name one port with --backend landlock`,
    {
      step: "isolation",
      hint: "without a network namespace the program listens on the host itself: -p PORT lets it listen on that port",
    },
  );
}
