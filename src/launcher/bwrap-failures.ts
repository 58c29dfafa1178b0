/**
 * The table of known failures of bwrap.
 *
 * Runs:     host, once bwrap has failed. Pure: data.
 * Promises: the first entry whose pattern matches and whose `when` holds is the cause; the narrower come first.
 * Source:   bubblewrap.c, network.c, bind-mount.c and utils.c of bubblewrap 0.8 to 0.11; docs/check.md
 */
import type { IsolationLayer } from "../plan/policy.ts";
import type { FailureGround } from "./bwrap-failure.ts";

type Details = Readonly<Record<string, string>>;

export interface KnownFailure {
  readonly id: string;
  /** Which layer would have to be left out; null: leaving layers out does not help. */
  readonly layer: IsolationLayer | null;
  /** On the line that bwrap printed. */
  readonly pattern: RegExp;
  /** What must hold beside. */
  readonly when?: (ground: FailureGround) => boolean;
  readonly says: (details: Details, ground: FailureGround) => string;
  readonly remedies: (details: Details, ground: FailureGround) => readonly string[];
}

const landlockBackend = "--backend landlock confines files and TCP ports without bwrap";
const dockerFilter =
  "docker and podman run: --security-opt seccomp=unconfined, or a profile that allows clone, unshare, mount, umount2 and pivot_root";
const podFilter = "Kubernetes: securityContext.seccompProfile.type: Unconfined";
const unmask =
  "docker run --security-opt systempaths=unconfined, podman run --security-opt unmask=ALL, Kubernetes procMount: Unmasked";
const refusedMount =
  "Failed to make / slave|Failed to mount tmpfs|pivot_root|setting up newroot bind|Failed to make old root rprivate|unmount old root";

/** Made when bwrap has failed: no start is to wait for it. */
export const knownFailures = (): readonly KnownFailure[] => [
  {
    id: "apparmor-userns",
    layer: "user",
    pattern:
      /setting up uid map: Permission denied|Failed RTM_NEWADDR|Failed to make \/ slave: Permission denied|Dropping capability \d+ from bounds: Operation not permitted|No permissions to creat|unshare user ns: Permission denied/,
    when: ({ apparmorRestrictsUserns, uid }) => apparmorRestrictsUserns && uid !== 0,
    says: () => "AppArmor lets unprivileged programs have no rights in user namespaces (Ubuntu 23.10 and newer)",
    remedies: () => [
      "give bwrap an AppArmor profile with the rule `userns,` (docs/check.md has one to copy; on Ubuntu 24.04 and newer the package apparmor-profiles has bwrap-userns-restrict)",
      "for the whole system: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
      landlockBackend,
    ],
  },
  {
    id: "root-without-setfcap",
    layer: "user",
    pattern: /setting up uid map: Operation not permitted/,
    when: ({ uid, mayMapRoot }) => uid === 0 && !mayMapRoot,
    says: () =>
      "root without CAP_SETFCAP cannot be mapped into a user namespace (Linux 5.12), as in a container without it or in a sandbox around this one",
    remedies: () => [
      "run as another user than root (docker run --user 1000:1000)",
      "give the container CAP_SETFCAP (docker run --cap-add SETFCAP)",
      landlockBackend,
    ],
  },
  {
    id: "uid-not-mapped",
    layer: "user",
    pattern: /setting up [ug]id map: Operation not permitted|error writing to setgroups/,
    says: (_, { container }) =>
      `this user cannot be mapped into another user namespace${container === null ? "" : ` (in: ${container})`}`,
    remedies: () => [
      "run as a user whom /proc/self/uid_map of the container or build around fence names",
      "start the container without user namespace remapping",
      landlockBackend,
    ],
  },
  {
    id: "uid-map-denied",
    layer: "user",
    pattern: /setting up [ug]id map: Permission denied/,
    says: () =>
      "the user namespace was made but cannot be set up: this process is under Landlock (a sandbox around this one) or a security module such as AppArmor or SELinux denies it",
    remedies: () => [
      "run fence outside of the sandbox around it",
      "look for the denial in the kernel's log (journalctl -k --grep denied) and allow it to bwrap",
      landlockBackend,
    ],
  },
  {
    id: "userns-turned-off",
    layer: "user",
    pattern: /Creating new namespace failed: (?:nesting depth|No space left)/,
    when: ({ maxUserNamespaces }) => maxUserNamespaces === 0,
    says: () => "user namespaces are turned off (user.max_user_namespaces is 0)",
    remedies: () => [
      "sudo sysctl user.max_user_namespaces=15000, and a file in /etc/sysctl.d to keep it",
      landlockBackend,
    ],
  },
  {
    id: "namespace-limit",
    layer: "user",
    pattern: /(?:Creating new namespace failed|unshare user ns): (?:nesting depth|No space left)/,
    says: () =>
      "a limit on namespaces is reached (/proc/sys/user/max_*_namespaces, or 32 of them nested), or a sandbox around this one denies new ones, as fence's own does",
    remedies: () => [
      "run fence outside of the sandbox around it",
      "raise the limit that is too low: grep . /proc/sys/user/max_*_namespaces",
      "isolation.nested-user: off for the fence around this one",
    ],
  },
  {
    id: "userns-clone-off",
    layer: "user",
    pattern: /No permissions to creat/,
    when: ({ unprivilegedUserns }) => unprivilegedUserns === false,
    says: () => "user namespaces are kept for root (kernel.unprivileged_userns_clone is 0)",
    remedies: () => [
      "sudo sysctl kernel.unprivileged_userns_clone=1, and a file in /etc/sysctl.d to keep it",
      landlockBackend,
    ],
  },
  {
    id: "namespace-filtered",
    layer: "user",
    pattern: /No permissions to creat|(?:Creating new namespace failed|unshare user ns): Operation not permitted/,
    when: ({ filtered }) => filtered,
    says: () => "the seccomp filter of the container or sandbox around fence denies new namespaces",
    remedies: () => [dockerFilter, podFilter, landlockBackend],
  },
  {
    id: "unshare-denied",
    layer: "user",
    pattern: /unshare user ns: (?:Operation not permitted|Permission denied)/,
    says: () => "the second user namespace, which bwrap needs for --dev and --disable-userns, is denied",
    remedies: () => [dockerFilter, podFilter, landlockBackend],
  },
  {
    id: "namespace-refused",
    layer: "user",
    pattern: /No permissions to creat/,
    says: () =>
      "the kernel lets this process make no user namespace: it is in a chroot, or a security module denies it",
    remedies: () => [
      "leave the chroot, or make it with pivot_root as container runtimes do",
      "SELinux: sudo setsebool -P user_namespace_create on; grsecurity and hardened kernels have settings of their own",
      landlockBackend,
    ],
  },
  {
    id: "needs-sys-admin",
    layer: "user",
    pattern: /Creating new namespace failed: Operation not permitted/,
    says: () => "without a user namespace bwrap needs CAP_SYS_ADMIN, which this process does not have",
    remedies: () => ["leave isolation.user on", "give the container CAP_SYS_ADMIN", landlockBackend],
  },
  {
    id: "no-user-namespaces",
    layer: "user",
    pattern: /the kernel does not support user namespaces|Creating new namespace failed: Invalid argument/,
    says: () => "this kernel has not all kinds of namespaces (CONFIG_USER_NS and the others)",
    remedies: () => [
      "use a kernel with them, as distributions' are",
      "run fence as root with isolation.user: best-effort",
      landlockBackend,
    ],
  },
  {
    id: "too-many-processes",
    layer: null,
    pattern: /: Resource temporarily unavailable/,
    says: () => "the limit on processes is reached",
    remedies: () => ["raise ulimit -u", "raise the pids limit of the container (docker run --pids-limit) or cgroup"],
  },
  {
    id: "out-of-memory",
    layer: null,
    pattern: /Cannot allocate memory|error while loading shared libraries: .*(?:failed to map|cannot allocate)/,
    says: () => "there is not enough memory, or a limit on it is too low",
    remedies: () => ["raise ulimit -v and -d, or the memory limit of the cgroup", "end other programs"],
  },
  {
    id: "too-many-files",
    layer: null,
    pattern: /Too many open files|error while loading shared libraries: .*Error (?:23|24)$/,
    says: () => "the limit on open files is too low",
    remedies: () => ["raise ulimit -n", "for the whole system: fs.file-max"],
  },
  {
    id: "broken-bwrap",
    layer: null,
    pattern: /error while loading shared libraries/,
    says: () => "a library of bwrap is missing",
    remedies: () => ["install the package bubblewrap again"],
  },
  {
    id: "proc-masked",
    layer: "pid",
    pattern: /Can't mount proc on/,
    says: () =>
      "the kernel mounts no new /proc because parts of the present one are hidden or read-only, as containers do it",
    remedies: () => [
      unmask,
      "isolation.pid: best-effort shows the /proc of the container instead, read-only",
      landlockBackend,
    ],
  },
  {
    id: "userns-limit-read-only",
    layer: "nested-user",
    pattern: /max_user_namespaces: Read-only file system/,
    says: () =>
      "/proc/sys is read-only, as in containers, so the limit on user namespaces cannot be set for the sandbox",
    remedies: () => [unmask, "isolation.nested-user: best-effort"],
  },
  {
    id: "userns-limit-setuid",
    layer: "nested-user",
    pattern: /max_user_namespaces: Permission denied/,
    when: ({ setUserId }) => setUserId,
    says: () => "this bwrap is set-user-ID root, and cannot keep the program from making user namespaces",
    remedies: () => [
      "where unprivileged users may make user namespaces (`fence check`), take the bit away: sudo chmod u-s on bwrap",
      "isolation.nested-user: best-effort",
    ],
  },
  {
    id: "userns-limit-denied",
    layer: "nested-user",
    pattern: /max_user_namespaces|creation of new user namespaces was not disabled/,
    says: () => "the limit on user namespaces cannot be set for the sandbox",
    remedies: () => ["isolation.nested-user: best-effort"],
  },
  {
    id: "loopback",
    layer: "network",
    pattern: /loopback: Failed (?:RTM_|to )/,
    says: () => "the loopback interface of the sandbox's network cannot be brought up: netlink sockets are denied",
    remedies: () => [
      "allow socket(AF_NETLINK) in the seccomp filter, or CAP_NET_ADMIN in user namespaces in the security module, around fence",
      landlockBackend,
    ],
  },
  {
    id: "cgroup-namespace",
    layer: "cgroup",
    pattern: /cgroup namespace|\/proc\/self\/ns\/cgroup/,
    says: () => "this kernel has no cgroup namespaces",
    remedies: () => ["use Linux 4.6 or newer with CONFIG_CGROUPS", "isolation.cgroup: best-effort"],
  },
  {
    id: "caller-capabilities",
    layer: null,
    pattern: /Unexpected capabilities but not setuid/,
    says: () => "bwrap refuses to run with capabilities of another user than root",
    remedies: () => [
      "take the ambient capabilities away: setpriv --ambient-caps -all --inh-caps -all fence …, or AmbientCapabilities= in the unit",
      "if bwrap has file capabilities (getcap), take them away: sudo setcap -r on bwrap",
    ],
  },
  {
    id: "setuid-owner",
    layer: null,
    pattern: /Unexpected setuid user/,
    says: () => "bwrap is set-user-ID for another user than root",
    remedies: () => ["chmod u-s on bwrap"],
  },
  {
    id: "too-many-arguments",
    layer: null,
    pattern: /maximum number of arguments (?<limit>\d+)/,
    says: ({ limit }) => `the plan has more mounts than bwrap takes arguments (${limit})`,
    remedies: () => [
      "name directories instead of the files in them",
      "name fewer paths: `fence run --dry-run` lists all mounts",
    ],
  },
  {
    id: "too-many-mounts",
    layer: null,
    // 0.8 has strerror(3)'s words, newer ones their own.
    pattern:
      /Limit exceeded \(ENOSPC\)|(?:Can't (?:bind )?mount|Failed to mount|setting up newroot bind|Unable to mount).*No space left on device/,
    says: (_, { mountMax }) => `there are too many mounts (fs.mount-max is ${mountMax ?? "not known"})`,
    remedies: () => ["sudo sysctl fs.mount-max=200000", "unmount what is not needed: wc -l /proc/self/mountinfo"],
  },
  {
    id: "no-space",
    layer: null,
    pattern: /No space left on device|Disk quota exceeded/,
    says: () => "there is no space for what the sandbox needs",
    remedies: () => ["free space where the mount points and temporary files are (df, df -i)"],
  },
  {
    id: "missing-source",
    layer: null,
    pattern: /Can't (?:find source path|get type of source) (?<path>.*?): (?<reason>[^:]+)$/,
    says: ({ path, reason }) => `${path}, which is to be mounted, cannot be had: ${reason}`,
    remedies: () => [
      "was it removed meanwhile, or may this user not reach it? Start again, or take it out of the configuration",
    ],
  },
  {
    id: "mount-point",
    layer: null,
    pattern:
      /Can't (?:mkdir parents for|mkdir|create file at|create file|make symlink at|create symlink|create) (?<path>.*?): (?<reason>[^:]+)$/,
    says: ({ path, reason }) => `the mount point ${path} cannot be made in the sandbox: ${reason}`,
    remedies: () => [
      "make it on the host, or take the mount out of the configuration",
      "let a directory above it be writable or a tmpfs",
    ],
  },
  {
    id: "submount",
    layer: null,
    pattern:
      /(?:Can't remount readonly on|Can't bind mount|Unable to (?:mount source|remount destination|apply mount flags)[^"]*) ?"?(?<path>\/?[^":]*)/,
    says: ({ path = "" }) => `what is mounted ${path === "" ? "" : `at ${path} `}cannot be brought into the sandbox`,
    remedies: () => [
      "is it a network or FUSE file system that this user may not reach? Unmount it, or deny it: filesystem.denyRead",
      "grant what is needed instead of the whole host: filesystem.defaultDenyRead and allowRead",
    ],
  },
  {
    id: "root-is-initramfs",
    layer: null,
    pattern: /pivot_root: Invalid argument/,
    says: () => "the root file system is the kernel's first one (initramfs), which cannot be left by pivot_root",
    remedies: () => ["start the system with switch_root, or in a chroot made by a container runtime", landlockBackend],
  },
  {
    id: "mount-refused",
    layer: "mount",
    pattern: new RegExp(`(?:${refusedMount}).*: (?:Operation not permitted|Permission denied)`),
    says: (_, { filtered }) =>
      filtered
        ? "the seccomp filter of the container or sandbox around fence denies mounting"
        : "mounting is denied: this process is under Landlock (a sandbox around this one) or under a security module",
    remedies: (_, { filtered }) =>
      filtered
        ? [dockerFilter, podFilter, landlockBackend]
        : [
            "run fence outside of the sandbox around it",
            "AppArmor in containers: docker run --security-opt apparmor=unconfined; SELinux: --security-opt label=disable",
            landlockBackend,
          ],
  },
  {
    id: "root-read-only",
    layer: null,
    pattern: /(?:Creating root mountpoint|Creating newroot|Creating oldroot|Failed to mount tmpfs).*/,
    says: () => "bwrap finds no place for the new root: it needs /tmp",
    remedies: () => ["make /tmp a directory, also where it is read-only"],
  },
  {
    id: "no-proc",
    layer: null,
    pattern: /\/proc\/sys\/kernel\/overflow|Can't open \/proc|open \/proc\/\S+ failed/,
    says: () => "/proc is not mounted here",
    remedies: () => ["mount it: mount -t proc proc /proc"],
  },
  {
    id: "capabilities-refused",
    layer: null,
    pattern: /prctl|capset|capget|Dropping capability|unable to (?:drop|switch)|Unable to (?:re-)?set fsuid/,
    says: () => "dropping capabilities is denied, by the seccomp filter or security module around fence",
    remedies: () => [dockerFilter, landlockBackend],
  },
  {
    id: "unknown-option",
    layer: null,
    pattern: /Unknown option (?<option>\S+)|usage: /,
    says: ({ option = "an option" }) => `this bwrap does not know ${option}`,
    remedies: () => ["use bubblewrap 0.8.0 or newer, put first in PATH"],
  },
  {
    id: "missing-directory",
    layer: null,
    pattern: /Can't chdir to (?<path>.*?): (?<reason>[^:]+)$/,
    says: ({ path, reason }) => `the working directory ${path} cannot be entered in the sandbox: ${reason}`,
    remedies: () => ["start fence in a directory that the sandbox has, or grant this one"],
  },
  {
    id: "missing-program",
    layer: null,
    pattern: /execvp (?<path>.*?): (?<reason>[^:]+)$/,
    says: ({ path, reason }) => `${path} cannot be executed in the sandbox: ${reason}`,
    remedies: () => [
      "are programs denied there (noexec), or is something mounted over it? `fence run --dry-run` lists the mounts",
    ],
  },
  {
    id: "no-answer",
    layer: null,
    pattern: /no answer within \d+ ms$/, // tryStarts() says so
    says: () => "it does not end, as when something that is mounted does not answer",
    remedies: () => [
      "is a network or FUSE file system stuck? Unmount it: umount --lazy",
      "start again when there is less load",
    ],
  },
  {
    id: "not-started",
    layer: null,
    pattern: /execve: (?<errno>E[A-Z0-9]+)$/, // tryStarts() says so
    says: ({ errno }) => `bwrap cannot be executed: ${errno}`,
    remedies: () => [
      "is its file system mounted noexec, or does a security module deny it? Install the package bubblewrap again",
    ],
  },
  {
    id: "killed-by-filter",
    layer: "mount",
    pattern: /^ended by SIGSYS$/,
    says: () => "a seccomp filter around fence ends whoever makes namespaces or mounts",
    remedies: () => [dockerFilter, podFilter, landlockBackend],
  },
  {
    id: "killed",
    layer: null,
    pattern: /^ended by /,
    says: () => "something ended it",
    remedies: () => ["was there too little memory? journalctl -k --grep oom", "start again"],
  },
];
