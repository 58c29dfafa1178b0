/**
 * What passes Landlock's TCP rights and its signal scope by, and what passes seccomp itself by.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: what is denied answers as a kernel without it does, so that programs fall back to plain TCP.
 * Source:   https://docs.kernel.org/userspace-api/landlock.html; linux/in.h, linux/socket.h; docs/landlock.md
 *
 * Landlock checks bind(2) and connect(2) of TCP sockets. listen(2) without bind(2) takes any free port: a filter does not
 * see which socket it is called for, so that stays possible.
 */
import type { Denial } from "./denials.ts";

/** Its rings carry out socket, connect and send without the calls that a filter sees. */
export const ioUring: readonly Denial[] = [
  {
    syscalls: ["io_uring_setup"],
    when: { kind: "always" },
    errno: "ENOSYS",
    because: "does what other calls do where no filter sees it",
  },
];

/** To be used with `ioUring`. */
export const tcpDetours: readonly Denial[] = [
  {
    syscalls: ["socket"],
    when: { kind: "argument-is", argument: 2, values: { IPPROTO_SMC: 256, IPPROTO_MPTCP: 262 } },
    errno: "EPROTONOSUPPORT",
    because: "makes a socket that uses TCP past Landlock's TCP rights",
  },
  {
    syscalls: ["socket"],
    when: { kind: "argument-is", argument: 0, values: { AF_SMC: 43 } },
    errno: "EAFNOSUPPORT",
    because: "makes a socket that uses TCP past Landlock's TCP rights",
  },
  {
    syscalls: ["sendto", "sendmmsg"],
    when: { kind: "argument-has", argument: 3, values: { MSG_FASTOPEN: 0x2000_0000 } },
    errno: "EOPNOTSUPP",
    because: "connects without connect(2), where Landlock would check the port",
  },
  {
    syscalls: ["sendmsg"],
    when: { kind: "argument-has", argument: 2, values: { MSG_FASTOPEN: 0x2000_0000 } },
    errno: "EOPNOTSUPP",
    because: "connects without connect(2), where Landlock would check the port",
  },
  {
    // i386 only, for old C libraries. What its second argument points to, the filter cannot see.
    syscalls: ["socketcall"],
    when: {
      kind: "argument-is",
      argument: 0,
      values: { SYS_SOCKET: 1, SYS_SENDTO: 11, SYS_SENDMSG: 16, SYS_SENDMMSG: 20 },
    },
    errno: "EPERM",
    because: "makes sockets and connects where the filter cannot see which",
  },
];

/** A CPU limit of 0 kills; permissions allow it to every process of the same user, and Landlock does not look. */
export const otherLimits: readonly Denial[] = [
  {
    syscalls: ["prlimit64"],
    when: { kind: "argument-is-not", argument: 0, values: { self: 0 } },
    errno: "EPERM",
    because: "sets the limits of other processes, which can end them",
  },
];
