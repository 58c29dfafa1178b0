/**
 * The seccomp filter of the bridge process, a Node that relays.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: it starts no program and no process, makes no sockets but for connections to bridges' targets, listens
 *           nowhere and changes no file's owner, mode or attributes; its threads, timers and relays work.
 * Source:   docs/landlock.md, docs/bootstrap.md
 */
import { type Denial, denials } from "./denials.ts";
import { ioUring, otherLimits, tcpDetours } from "./detours.ts";
import { type Architecture, makeFilter, nativeEntrance } from "./filter.ts";
import { unixSockets } from "./host-sockets.ts";

const because = "a bridge process has no need of it";
const always = { kind: "always" } as const;
/** SOCK_STREAM with any of SOCK_NONBLOCK and SOCK_CLOEXEC. */
const streamSockets = { plain: 1, nonblocking: 0x801, closeOnExec: 0x8_0001, both: 0x8_0801 };

export const bridgeDenials: readonly Denial[] = [
  { syscalls: ["execve", "execveat", "fork", "vfork"], when: always, errno: "EPERM", because },
  {
    syscalls: ["clone"],
    when: { kind: "argument-lacks", argument: 0, values: { CLONE_THREAD: 0x1_0000 } },
    errno: "EPERM",
    because: "makes a process; threads are allowed",
  },
  {
    // Its flags are in memory, where a filter cannot see them: C libraries then take clone.
    syscalls: ["clone3"],
    when: always,
    errno: "ENOSYS",
    because: "makes processes and threads alike",
  },
  { syscalls: ["unshare", "setns", "chroot"], when: always, errno: "EPERM", because },
  {
    syscalls: ["socket"],
    when: { kind: "argument-is-not", argument: 0, values: { AF_UNIX: 1, AF_INET: 2, AF_INET6: 10 } },
    errno: "EPERM",
    because,
  },
  {
    syscalls: ["socket"],
    when: { kind: "argument-is-not", argument: 1, values: streamSockets },
    errno: "EPERM",
    because: "only streams are relayed",
  },
  {
    syscalls: ["socket"],
    when: { kind: "argument-is-not", argument: 2, values: { default: 0, IPPROTO_TCP: 6 } },
    errno: "EPROTONOSUPPORT",
    because: "Landlock's TCP rights do not concern other protocols",
  },
  { syscalls: ["bind", "listen"], when: always, errno: "EPERM", because: "the listeners are there already" },
  {
    syscalls: [
      ...(["chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat"] as const),
      ...(["setxattr", "lsetxattr", "fsetxattr", "setxattrat", "file_setattr"] as const),
      ...(["removexattr", "lremovexattr", "fremovexattr", "removexattrat"] as const),
    ],
    when: always,
    errno: "EPERM",
    because: "Landlock does not deny it",
  },
  {
    syscalls: [
      ...(["utimensat", "utime", "utimes", "futimesat", "inotify_init", "inotify_init1", "fanotify_init"] as const),
      ...(["shmget", "shmat", "msgget", "semget", "mq_open"] as const),
    ],
    when: always,
    errno: "EPERM",
    because: "Landlock does not deny it",
  },
  ...otherLimits,
];

const relayDenials: readonly Denial[] = [...denials, ...bridgeDenials, ...tcpDetours, ...ioUring];

/** The bytes that struct sock_fprog points to. Any but the machine's own kind of calls kills the process. */
export function bridgeFilter(architecture: Architecture): Uint8Array {
  return makeFilter([nativeEntrance[architecture]], relayDenials);
}

/**
 * The same for a part on the host that has no Unix socket to connect to: nothing else keeps it from those of services, which
 * act with all of the user's rights, before Landlock's ABI 9.
 */
export function networkFilter(architecture: Architecture): Uint8Array {
  return makeFilter([nativeEntrance[architecture]], [...unixSockets, ...relayDenials]);
}
