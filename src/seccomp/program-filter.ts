/**
 * The seccomp filters of the program: the default one and the strict one.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: what their tables list, and what is asked for in addition, is denied by every way into the kernel that the
 *           machine has; all else is allowed. The strict filter denies all that the default one does.
 * Source:   docs/seccomp.md
 */
import { type Denial, denials } from "./denials.ts";
import { ioUring, otherLimits, tcpDetours } from "./detours.ts";
import { type Architecture, type Entrance, i386Entrance, makeFilter, nativeEntrance } from "./filter.ts";
import { datagrams, unixSockets } from "./host-sockets.ts";
import { strictDenials } from "./strict-denials.ts";

export type { Architecture } from "./filter.ts";

export type FilterProfile = "default" | "strict";

/**
 * `tcp-detours`: what passes Landlock's TCP rights by, for a program whose TCP ports are restricted; io_uring is among
 * it. `io-uring`: only that. `other-limits`: what passes the signal scope by. `datagrams` and `unix-sockets`: what leads out
 * where there is no network namespace.
 */
export type FilterAddition = "tcp-detours" | "io-uring" | "other-limits" | "datagrams" | "unix-sockets";

const entrances: Readonly<Record<Architecture, readonly Entrance[]>> = {
  x64: [nativeEntrance.x64, i386Entrance],
  arm64: [nativeEntrance.arm64],
};

/** The bytes that struct sock_fprog points to. */
export function programFilter(
  profile: FilterProfile,
  architecture: Architecture,
  additions: readonly FilterAddition[] = [],
): Uint8Array {
  return makeFilter(entrances[architecture], programDenials(profile, additions));
}

/** What the filter does, for reports. */
export function describeProgramFilter(profile: FilterProfile, additions: readonly FilterAddition[] = []) {
  return { denied: programDenials(profile, additions), x32: "ENOSYS", otherArchitectures: "kill-process" } as const;
}

function programDenials(profile: FilterProfile, additions: readonly FilterAddition[]): readonly Denial[] {
  const has = (addition: FilterAddition) => additions.includes(addition);
  return [
    ...denials,
    ...(profile === "strict" ? strictDenials() : []),
    ...(has("tcp-detours") ? tcpDetours : []),
    ...(has("tcp-detours") || has("io-uring") ? ioUring : []),
    ...(has("other-limits") ? otherLimits : []),
    ...(has("datagrams") ? datagrams : []),
    ...(has("unix-sockets") ? unixSockets : []),
  ];
}
