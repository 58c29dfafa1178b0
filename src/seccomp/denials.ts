/**
 * What the default filter, and so every filter, denies to the program, and why.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: the filter and the report of it are made from this one table; what it lists answers EPERM.
 * Source:   the calls' pages in section 2 of the manual, ioctl_tty(2), linux/userfaultfd.h
 *
 * A filter sees numbers, not what pointers point to: /proc/PID/mem, /dev/kmsg or /proc/sys give some of the same powers
 * and are the business of Landlock and of the mounts.
 */
import type { SyscallName } from "./syscalls.ts";

/** What denied calls answer, by number. */
export const errnos = { EPERM: 1, ENOSYS: 38, EPROTONOSUPPORT: 93, EOPNOTSUPP: 95, EAFNOSUPPORT: 97 } as const;

export type Condition =
  | { readonly kind: "always" }
  /** The kernel itself reads only the low 32 bits of these arguments, so only they are compared. */
  | { readonly kind: "argument-is" | "argument-is-not"; readonly argument: number; readonly values: NamedValues }
  /** Whether any of these bits, or none, is set. */
  | { readonly kind: "argument-has" | "argument-lacks"; readonly argument: number; readonly values: NamedValues }
  | { readonly kind: "all-of"; readonly conditions: readonly Condition[] };

export type NamedValues = Readonly<Record<string, number>>;

export interface Denial {
  readonly syscalls: readonly SyscallName[];
  readonly when: Condition;
  readonly errno: keyof typeof errnos;
  readonly because: string;
}

const always: Condition = { kind: "always" };

const withoutErrno: readonly Omit<Denial, "errno">[] = [
  {
    // pidfd_getfd(2) takes a descriptor out of another process with the same rights as ptrace.
    syscalls: ["ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd"],
    when: always,
    because: "reads or steers other processes",
  },
  {
    syscalls: ["keyctl", "add_key", "request_key"],
    when: always,
    because: "uses the kernel's keyrings, which are shared with the host",
  },
  {
    // 0 is the default and 0xffffffff only asks (is ASLR on?): neither weakens anything.
    syscalls: ["personality"],
    when: { kind: "argument-is-not", argument: 0, values: { PER_LINUX: 0, query: 0xffff_ffff } },
    because: "weakens the memory protections of the program",
  },
  {
    syscalls: ["userfaultfd", "perf_event_open", "bpf"],
    when: always,
    because: "opens much of the kernel to attack and is rarely needed",
  },
  {
    syscalls: ["kexec_load", "kexec_file_load", "reboot"],
    when: always,
    because: "stops or replaces the kernel",
  },
  {
    syscalls: ["init_module", "finit_module", "delete_module"],
    when: always,
    because: "loads or removes code of the kernel",
  },
  {
    syscalls: ["syslog", "acct"],
    when: always,
    because: "reads or steers the logs of the host",
  },
  {
    // umount is the older umount2 of i386.
    syscalls: ["mount", "umount", "umount2", "pivot_root"],
    when: always,
    because: "changes the mounts that make the sandbox",
  },
  {
    syscalls: ["open_tree", "open_tree_attr", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr"],
    when: always,
    because: "does in steps what mount(2) does at once",
  },
  {
    syscalls: ["swapon", "swapoff", "sethostname", "setdomainname"],
    when: always,
    because: "changes the host's set-up",
  },
  {
    syscalls: ["ioperm", "iopl"],
    when: always,
    because: "gives access to the machine's I/O ports",
  },
  {
    syscalls: ["ioctl"],
    when: {
      kind: "argument-is",
      argument: 1,
      // USERFAULTFD_IOC_NEW on /dev/userfaultfd does what userfaultfd(2) does.
      values: { TIOCSTI: 0x5412, TIOCLINUX: 0x541c, USERFAULTFD_IOC_NEW: 0xaa00 },
    },
    because: "types into the terminal as if the user did, or makes a userfaultfd",
  },
];

export const denials: readonly Denial[] = withoutErrno.map((denial) => ({ ...denial, errno: "EPERM" }));
