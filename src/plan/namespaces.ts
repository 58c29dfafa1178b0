/**
 * Which namespaces the sandbox gets, as arguments of bwrap.
 *
 * Runs:     host. Pure.
 * Promises: only combinations that every bwrap from 0.8.0 on takes; no capability is left to the program, whoever it is.
 * Source:   bwrap(1); docs/isolation.md
 */
import type { IsolationLayer, IsolationPolicy } from "./policy.ts";

/** The layers that are arguments of bwrap, in the order in which they are tried one by one. */
export const namespaceLayers = [
  "user",
  "pid",
  "network",
  "ipc",
  "uts",
  "cgroup",
  "nested-user",
] as const satisfies readonly IsolationLayer[];
export type NamespaceLayer = (typeof namespaceLayers)[number];

/** What bwrap is asked for, beside mounts. */
export interface Namespaces {
  readonly layers: ReadonlySet<NamespaceLayer>;
  /** own: a new procfs. host: the one of whoever starts bwrap, read-only, where no new one can be mounted. */
  readonly proc: "own" | "host";
}

/** Everything that the policy does not turn off. `hostNetwork`: the policy grants the host's network directly. */
export function wantedNamespaces(isolation: IsolationPolicy, hostNetwork: boolean): Namespaces {
  const wanted = namespaceLayers.filter((layer) => isolation[layer] !== "off" && !(layer === "network" && hostNetwork));
  const layers = new Set<NamespaceLayer>(wanted);
  if (!layers.has("user")) layers.delete("nested-user"); // bwrap: --disable-userns requires --unshare-user
  return { layers, proc: layers.has("pid") ? "own" : "host" };
}

const unshareArgs: Readonly<Record<NamespaceLayer, readonly string[]>> = {
  user: ["--unshare-user"],
  // fence is PID 1 itself, with --init: bwrap's own would be one process more. It needs --unshare-pid.
  pid: ["--unshare-pid", "--as-pid-1"],
  network: ["--unshare-net"],
  ipc: ["--unshare-ipc"],
  // The name of the host stays: /etc/hosts knows it, and programs look themselves up.
  uts: ["--unshare-uts"],
  cgroup: ["--unshare-cgroup"],
  "nested-user": ["--disable-userns"],
};

/**
 * For an unprivileged user bwrap makes a user namespace even without being asked; it needs one. For root the program would
 * keep all capabilities without --cap-drop. `newSession`: the program loses its terminal, setsid(2).
 */
export function namespaceArgs({ layers }: Namespaces, newSession: boolean): readonly string[] {
  return [
    ...namespaceLayers.flatMap((layer) => (layers.has(layer) ? unshareArgs[layer] : [])),
    "--cap-drop",
    "ALL",
    "--die-with-parent",
    ...(newSession ? ["--new-session"] : []),
  ];
}

/**
 * What is the whole kernel's, not the sandbox's. bwrap covers a part of it, but not where the directory's mode lets nobody
 * write: /proc/sys, whose files root can write without any capability, so that core_pattern(5) would start programs outside.
 */
const kernelSettings = ["--ro-bind", "/proc/sys", "/proc/sys"] as const;
/** Not every kernel has them. */
const moreKernelSettings = ["acpi", "asound", "driver", "fs", "mtrr", "scsi"] as const;

/** The arguments that bring /proc in. The host's is read-only altogether. */
export function procArgs({ proc }: Pick<Namespaces, "proc">): readonly string[] {
  if (proc === "host") return ["--ro-bind", "/proc", "/proc"];
  const more = moreKernelSettings.flatMap((name) => ["--ro-bind-try", `/proc/${name}`, `/proc/${name}`]);
  return ["--proc", "/proc", ...kernelSettings, ...more];
}
