/**
 * What leads out of a sandbox that has no network namespace and that Landlock does not check: datagrams, and the sockets of
 * services.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: TCP, which Landlock checks, and pairs of connected Unix sockets are left.
 * Source:   socket(2), socketpair(2), unix(7); docs/backend-landlock.md
 */
import type { Condition, Denial, NamedValues } from "./denials.ts";

/** Each with SOCK_NONBLOCK and SOCK_CLOEXEC, which stand in the same argument: a filter compares whole words. */
export function withSocketFlags(values: NamedValues): NamedValues {
  const flags = [0, 0x800, 0x8_0000, 0x8_0800];
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      flags.map((flag) => [flag === 0 ? name : `${name}|0x${flag.toString(16)}`, value | flag]),
    ),
  );
}

const ofInternet: Condition = { kind: "argument-is", argument: 0, values: { AF_INET: 2, AF_INET6: 10 } };
const ofUnix: Condition = { kind: "argument-is", argument: 0, values: { AF_UNIX: 1 } };

function typeIsNot(values: NamedValues): Condition {
  return { kind: "argument-is-not", argument: 1, values: withSocketFlags(values) };
}

/** i386 only, for old C libraries. What its second argument points to, the filter cannot see. */
const socketcall: Denial = {
  syscalls: ["socketcall"],
  when: { kind: "argument-is", argument: 0, values: { SYS_SOCKET: 1, SYS_SOCKETPAIR: 8 } },
  errno: "EPERM",
  because: "makes sockets where the filter cannot see which",
};

export const datagrams: readonly Denial[] = [
  {
    syscalls: ["socket", "socketpair"],
    when: { kind: "all-of", conditions: [ofInternet, typeIsNot({ SOCK_STREAM: 1 })] },
    errno: "EPERM",
    because: "sends datagrams (DNS, QUIC), which no proxy sees and Landlock does not check",
  },
  socketcall,
];

export const unixSockets: readonly Denial[] = [
  {
    syscalls: ["socket"],
    when: ofUnix,
    errno: "EPERM",
    because: "connects to the sockets of services (D-Bus, Docker, ssh-agent), which act with their own rights",
  },
  {
    // A pair of datagram sockets can be connected anew, connect(2).
    syscalls: ["socketpair"],
    when: { kind: "all-of", conditions: [ofUnix, typeIsNot({ SOCK_STREAM: 1, SOCK_SEQPACKET: 5 })] },
    errno: "EPERM",
    because: "makes sockets that send to the sockets of services",
  },
  socketcall,
];
