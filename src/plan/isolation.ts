/**
 * What each layer of isolation gives, and what the program can do where it is missing.
 *
 * Runs:     host. Pure.
 * Promises: a layer that is not in force as asked has a sentence here, and so has the report.
 * Source:   docs/isolation.md has the same tables; a test holds the two together
 */
import { type IsolationLayer, type IsolationPolicy, isolationLayers, type Requirement } from "./policy.ts";

export type Backend = "bwrap" | "landlock";

/** applied: in force. weaker: partly. missing: not, though it was asked for. off: not asked for. */
export type LayerState = "applied" | "weaker" | "missing" | "off";

export interface LayerReport {
  readonly layer: IsolationLayer;
  readonly requirement: Requirement;
  readonly state: LayerState;
  /** What the program can do therefore; null: the layer is in force. */
  readonly says: string | null;
  /** Why it is not in force; null: it is. */
  readonly why: string | null;
}

/** Plain data: it goes out as JSON as it is. */
export interface EffectiveIsolation {
  readonly backend: Backend;
  /** Whether something that was asked for is weaker or missing. */
  readonly reduced: boolean;
  /** Every layer, in the order of policy.ts. */
  readonly layers: readonly LayerReport[];
}

/** What each layer is for. */
export const layerPurposes: Readonly<Record<IsolationLayer, string>> = {
  mount: "a file system of its own, in which only what is granted is there",
  user: "a user namespace: no capability on the host, whoever starts fence",
  pid: "a PID namespace and a /proc of its own: no other process can be seen, and none outlives the sandbox",
  network: "a network namespace: nothing is reached but what is granted",
  ipc: "an IPC namespace: no shared memory or message queue of the host",
  uts: "a UTS namespace: the name of the host cannot be changed",
  cgroup: "a cgroup namespace: the host's control groups have no names",
  "nested-user": "no further user namespaces in the sandbox, in which more of the kernel could be attacked",
  landlock: "the kernel's own check of every path, also where a mount is got wrong",
  seccomp: "the filter of system calls that no usual program needs, TIOCSTI among them",
};

/** Under bubblewrap: what the program can do without a layer. */
export const missingUnderBwrap: Readonly<Record<Exclude<IsolationLayer, "mount">, string>> = {
  user: "the program is in the user namespace of who started fence: that it has no capabilities is all that keeps root in",
  pid: "the program sees and can signal the processes of its user, as root without a user namespace it can also look into those without capabilities; what it leaves behind outlives the sandbox",
  network: "the program reaches the host's network past every proxy, its loopback and its abstract Unix sockets too",
  ipc: "the program reaches System V IPC and POSIX message queues of its user on the host",
  uts: "the program sees when the name of the host changes; to change it needs a capability that it does not have",
  cgroup: "the program sees the names of the host's control groups",
  "nested-user": "the program can make user namespaces, and so reach more of the kernel",
  landlock: "only the mounts decide which files the program can open",
  seccomp: "the program can make every system call; with TIOCSTI it can type into the terminal",
};

/** Under bubblewrap: what the program can do where a layer is only partly there. */
export const weakerUnderBwrap = {
  pid: "/proc shows the processes around the sandbox with their command lines; they cannot be signalled, but as root without a user namespace the files of those without capabilities can be opened",
  landlock: "Landlock does not check what came with a later ABI than the kernel's",
} as const satisfies Partial<Record<IsolationLayer, string>>;

/** With --backend landlock, which makes no namespaces and mounts nothing: everything but Landlock and seccomp. */
export const underLandlock: Readonly<
  Record<
    Exclude<IsolationLayer, "landlock" | "seccomp">,
    { readonly state: Exclude<LayerState, "applied" | "off">; readonly says: string }
  >
> = {
  mount: {
    state: "weaker",
    says: "Landlock denies opening files and changing directories: that files are there, their sizes, owners and times can be seen, and modes, owners and times of the user's own can be changed; masks and decoys are not possible",
  },
  user: {
    state: "missing",
    says: "the program is the user who started fence, without capabilities; no_new_privs keeps it from gaining rights",
  },
  pid: {
    state: "missing",
    says: "the program sees the processes of the host with their command lines; below ABI 6 it can signal those of its user, also fence's own",
  },
  network: {
    state: "weaker",
    says: "TCP is denied by port, not by address: whoever listens on an allowed port, anywhere, is reached; sockets for datagrams and Unix sockets are denied by the system call filter; listen(2) without bind(2) takes a free port",
  },
  ipc: { state: "missing", says: missingUnderBwrap.ipc },
  uts: { state: "missing", says: missingUnderBwrap.uts },
  cgroup: { state: "missing", says: missingUnderBwrap.cgroup },
  "nested-user": {
    state: "weaker",
    says: "only the system call filter denies user namespaces; the program could not mount in them",
  },
};

/** Put together from what is said of each layer; `off` layers say so themselves. */
export function effectiveIsolation(
  backend: Backend,
  isolation: IsolationPolicy,
  report: (layer: IsolationLayer) => Pick<LayerReport, "state" | "says" | "why">,
): EffectiveIsolation {
  const layers = isolationLayers.map((layer): LayerReport => {
    const requirement = isolation[layer];
    if (requirement === "off") return { layer, requirement, state: "off", says: null, why: "the policy turns it off" };
    return { layer, requirement, ...report(layer) };
  });
  return { backend, reduced: layers.some(({ state }) => state === "weaker" || state === "missing"), layers };
}

export const applied = { state: "applied", says: null, why: null } as const;
