/**
 * What /proc and the environment say of the ground that fence stands on: limits, settings, containers.
 *
 * Runs:     host. Read only where something failed, and by `fence check`.
 * Promises: a file that is missing or unreadable is no error; what is not known is null.
 * Source:   proc(5), proc_sys_kernel(5), proc_sys_user(5), namespaces(7), capabilities(7)
 */
import type { HostFiles } from "../sys/host-files.ts";

export interface Ground {
  /** uname -r. */
  readonly kernel: string | null;
  readonly uid: number;
  /** CAP_SETFCAP, which the kernel wants of root who maps user 0 into a user namespace. */
  readonly mayMapRoot: boolean;
  readonly hasCapabilities: boolean;
  readonly noNewPrivs: boolean;
  /** A seccomp filter is on this process already. */
  readonly filtered: boolean;
  /** The kind, or what makes us think so. */
  readonly container: string | null;
  readonly wsl: string | null;
  /** Ubuntu 23.10 and newer: an unconfined process may make user namespaces, but has no capability in them. */
  readonly apparmorRestrictsUserns: boolean;
  /** Debian's own setting; null: this kernel does not have it. */
  readonly unprivilegedUserns: boolean | null;
  readonly maxUserNamespaces: number | null;
  readonly mountMax: number | null;
  readonly memfdNoexec: number | null;
  /** The soft limits, ulimit -n and -u; null is no limit. */
  readonly openFiles: number | null;
  readonly processes: number | null;
  /** The cgroup that we are in, of version 2. */
  readonly cgroup: string | null;
}

/** The inode of the host's own PID namespace, include/linux/proc_ns.h. */
const firstPidNamespace = "pid:[4026531836]";
const capSetfcap = 31n;

/** `environment`: the user's, which says of some containers what they are. */
export function readGround(files: HostFiles, environment: Readonly<Record<string, string | undefined>>): Ground {
  const status = files.text("/proc/self/status") ?? "";
  const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1] ?? null;
  const capabilities = BigInt(`0x${field("CapEff") ?? "0"}`);
  const kernel = word(files, "/proc/sys/kernel/osrelease");
  const limits = files.text("/proc/self/limits") ?? "";
  return {
    kernel,
    uid: Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1] ?? 0),
    mayMapRoot: (capabilities & (1n << capSetfcap)) !== 0n,
    hasCapabilities: capabilities !== 0n,
    noNewPrivs: field("NoNewPrivs") === "1",
    filtered: field("Seccomp") === "2",
    container: containerOf(files, environment),
    wsl: /WSL2/i.test(kernel ?? "") ? "WSL 2" : /microsoft/i.test(kernel ?? "") ? "WSL" : null,
    apparmorRestrictsUserns: word(files, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns") === "1",
    unprivilegedUserns: flag(word(files, "/proc/sys/kernel/unprivileged_userns_clone")),
    maxUserNamespaces: number(word(files, "/proc/sys/user/max_user_namespaces")),
    mountMax: number(word(files, "/proc/sys/fs/mount-max")),
    memfdNoexec: number(word(files, "/proc/sys/vm/memfd_noexec")),
    openFiles: softLimit(limits, "Max open files"),
    processes: softLimit(limits, "Max processes"),
    cgroup: /^0::(.*)$/m.exec(files.text("/proc/self/cgroup") ?? "")?.[1] ?? null,
  };
}

/** Whether the kernel has seccomp filters: for IsolationRequest.seccomp. */
export function hasSeccomp(files: HostFiles): boolean {
  if (files.facts("/proc/sys/kernel/seccomp/actions_avail") !== null) return true;
  return /^Seccomp_filters:/m.test(files.text("/proc/self/status") ?? "");
}

function containerOf(files: HostFiles, environment: Readonly<Record<string, string | undefined>>): string | null {
  if (environment["NIX_BUILD_TOP"] !== undefined && environment["NIX_STORE"] !== undefined) return "Nix build";
  if (environment["KUBERNETES_SERVICE_HOST"] !== undefined) return "Kubernetes";
  const marked = markers.find(([path]) => files.facts(path) !== null);
  if (marked !== undefined) return marked[1];
  const manager = word(files, "/run/host/container-manager") ?? environment["container"];
  if (manager !== undefined && manager !== "") return manager;
  const groups = /\b(docker|kubepods|libpod|lxc|crio)\b/.exec(files.text("/proc/1/cgroup") ?? "")?.[1];
  if (groups !== undefined) return groups;
  const namespace = files.link("/proc/self/ns/pid");
  return namespace === null || namespace === firstPidNamespace ? null : "a PID namespace of its own";
}

const markers = [
  ["/run/.containerenv", "Podman"],
  ["/.dockerenv", "Docker"],
  ["/.flatpak-info", "Flatpak"],
] as const;

function word(files: HostFiles, path: string): string | null {
  return files.text(path)?.trim() ?? null;
}

function number(text: string | null): number | null {
  return text === null || !/^\d+$/.test(text) ? null : Number(text);
}

function flag(text: string | null): boolean | null {
  return text === null ? null : text !== "0";
}

function softLimit(limits: string, name: string): number | null {
  const line = limits.split("\n").find((each) => each.startsWith(name));
  return number(line?.slice(name.length).trim().split(/\s+/)[0] ?? null);
}
