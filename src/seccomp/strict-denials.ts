/**
 * What the strict filter denies beside what the default one does, and why.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: npm, node, python, go, git, make and compilers work under it.
 * Source:   clone(2), socket(2), netlink(7), raw(7), the calls' pages; docs/seccomp.md has what was left alone and why
 *
 * What a kernel may be without, and what programs have something else for, answers as such a kernel does: programs fall
 * back. All else answers EPERM.
 */
import type { Condition, Denial } from "./denials.ts";
import { withSocketFlags } from "./host-sockets.ts";

const always: Condition = { kind: "always" };

const namespaces = {
  CLONE_NEWNS: 0x2_0000,
  CLONE_NEWCGROUP: 0x200_0000,
  CLONE_NEWUTS: 0x400_0000,
  CLONE_NEWIPC: 0x800_0000,
  CLONE_NEWUSER: 0x1000_0000,
  CLONE_NEWPID: 0x2000_0000,
  CLONE_NEWNET: 0x4000_0000,
};
/** In clone(2) this bit belongs to the signal that the child ends with. */
const timeNamespace = { CLONE_NEWTIME: 0x80 };

/** Files that are made with it lose it as soon as they are written to, inode(7). Set-group-ID is common on directories. */
const setUserId = { S_ISUID: 0o4000 };

const internet = { AF_INET: 2, AF_INET6: 10 };
const families = { AF_UNIX: 1, ...internet, AF_NETLINK: 16 };
const types = withSocketFlags({ SOCK_STREAM: 1, SOCK_DGRAM: 2 });
const protocols = { default: 0, IPPROTO_ICMP: 1, IPPROTO_TCP: 6, IPPROTO_UDP: 17, IPPROTO_ICMPV6: 58 };

const ofInternet: Condition = { kind: "argument-is", argument: 0, values: internet };
const ofNetlink: Condition = { kind: "argument-is", argument: 0, values: { AF_NETLINK: 16 } };

export const strictDenials = (): readonly Denial[] => [
  {
    syscalls: ["io_uring_setup", "io_uring_enter", "io_uring_register"],
    when: always,
    errno: "EPERM",
    because: "does what other calls do where no filter sees it",
  },
  {
    syscalls: ["unshare"],
    when: { kind: "argument-has", argument: 0, values: { ...namespaces, ...timeNamespace } },
    errno: "EPERM",
    because: "makes namespaces, whose root may try much more of the kernel",
  },
  {
    syscalls: ["clone"],
    when: { kind: "argument-has", argument: 0, values: namespaces },
    errno: "EPERM",
    because: "makes namespaces, whose root may try much more of the kernel",
  },
  {
    syscalls: ["clone3"],
    when: always,
    errno: "ENOSYS",
    because: "has its flags in memory, where a filter cannot see them: C libraries then take clone",
  },
  { syscalls: ["setns"], when: always, errno: "EPERM", because: "enters the namespaces of others" },
  {
    syscalls: ["socket", "socketpair"],
    when: { kind: "argument-is-not", argument: 0, values: families },
    errno: "EAFNOSUPPORT",
    because: "leaves the network namespace (AF_VSOCK) or loads rarely tried code of the kernel",
  },
  {
    syscalls: ["socket", "socketpair"],
    when: {
      kind: "all-of",
      conditions: [ofNetlink, { kind: "argument-is-not", argument: 2, values: { NETLINK_ROUTE: 0 } }],
    },
    errno: "EPROTONOSUPPORT",
    because: "configures the kernel; only the list of addresses and routes is of use",
  },
  {
    syscalls: ["socket", "socketpair"],
    when: { kind: "all-of", conditions: [ofInternet, { kind: "argument-is-not", argument: 1, values: types }] },
    errno: "EPERM",
    because: "makes raw and packet sockets, which forge and hear what others send",
  },
  {
    syscalls: ["socket", "socketpair"],
    when: { kind: "all-of", conditions: [ofInternet, { kind: "argument-is-not", argument: 2, values: protocols }] },
    errno: "EPROTONOSUPPORT",
    because: "loads rarely tried code of the kernel (SCTP, DCCP, L2TP, SMC, Multipath TCP)",
  },
  {
    // What its second argument points to, the filter cannot see.
    syscalls: ["socketcall"],
    when: { kind: "argument-is", argument: 0, values: { SYS_SOCKET: 1, SYS_SOCKETPAIR: 8 } },
    errno: "EPERM",
    because: "makes sockets where the filter cannot see which",
  },
  {
    syscalls: ["ioctl"],
    when: { kind: "argument-is", argument: 1, values: { TIOCSETD: 0x5423, TIOCCONS: 0x541d } },
    errno: "EPERM",
    because: "changes the terminal's line discipline, or takes the console's output",
  },
  {
    syscalls: ["open_by_handle_at"],
    when: always,
    errno: "EPERM",
    because: "opens files by number, past directories and mounts",
  },
  {
    syscalls: ["kcmp", "process_madvise", "move_pages", "migrate_pages"],
    when: always,
    errno: "EPERM",
    because: "looks into other processes or moves their memory; for its own memory a program has other calls",
  },
  {
    syscalls: ["vmsplice"],
    when: always,
    errno: "ENOSYS",
    because: "shares a program's pages with a pipe, often a way to write what is only readable; write is as good",
  },
  {
    syscalls: ["fanotify_init"],
    when: always,
    errno: "EPERM",
    because: "watches the files of others; inotify is as good",
  },
  { syscalls: ["chroot"], when: always, errno: "EPERM", because: "is no protection, and for its root a way out" },
  {
    syscalls: ["chmod", "fchmod"],
    when: { kind: "argument-has", argument: 1, values: setUserId },
    errno: "EPERM",
    because:
      "leaves files in shared directories that give whoever starts them this user's rights, outside of the sandbox",
  },
  {
    syscalls: ["fchmodat", "fchmodat2"],
    when: { kind: "argument-has", argument: 2, values: setUserId },
    errno: "EPERM",
    because:
      "leaves files in shared directories that give whoever starts them this user's rights, outside of the sandbox",
  },
  { syscalls: ["quotactl", "quotactl_fd"], when: always, errno: "EPERM", because: "changes the host's set-up" },
  {
    syscalls: ["modify_ldt"],
    when: always,
    errno: "EPERM",
    because: "makes segments for 16-bit code, often a way into the kernel",
  },
  {
    syscalls: ["uselib", "ustat", "sysfs", "lookup_dcookie"],
    when: always,
    errno: "EPERM",
    because: "is made by no program of today",
  },
];
