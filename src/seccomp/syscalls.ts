/**
 * The numbers of the system calls that our filters name.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: a call that an ABI does not have is null there. A test compares all with the kernel's headers.
 * Source:   linux/arch/x86/entry/syscalls/*.tbl, linux/include/uapi/asm-generic/unistd.h
 */

/** One set of system call numbers. i386 is also what `int 0x80` reaches from a 64-bit program. */
export type Abi = "x86_64" | "i386" | "aarch64";

export const syscallNumbers = {
  acct: { x86_64: 163, i386: 51, aarch64: 89 },
  add_key: { x86_64: 248, i386: 286, aarch64: 217 },
  bpf: { x86_64: 321, i386: 357, aarch64: 280 },
  delete_module: { x86_64: 176, i386: 129, aarch64: 106 },
  finit_module: { x86_64: 313, i386: 350, aarch64: 273 },
  fsconfig: { x86_64: 431, i386: 431, aarch64: 431 },
  fsmount: { x86_64: 432, i386: 432, aarch64: 432 },
  fsopen: { x86_64: 430, i386: 430, aarch64: 430 },
  fspick: { x86_64: 433, i386: 433, aarch64: 433 },
  init_module: { x86_64: 175, i386: 128, aarch64: 105 },
  ioctl: { x86_64: 16, i386: 54, aarch64: 29 },
  ioperm: { x86_64: 173, i386: 101, aarch64: null },
  iopl: { x86_64: 172, i386: 110, aarch64: null },
  kexec_file_load: { x86_64: 320, i386: null, aarch64: 294 },
  kexec_load: { x86_64: 246, i386: 283, aarch64: 104 },
  keyctl: { x86_64: 250, i386: 288, aarch64: 219 },
  mount: { x86_64: 165, i386: 21, aarch64: 40 },
  mount_setattr: { x86_64: 442, i386: 442, aarch64: 442 },
  move_mount: { x86_64: 429, i386: 429, aarch64: 429 },
  open_tree: { x86_64: 428, i386: 428, aarch64: 428 },
  open_tree_attr: { x86_64: 467, i386: 467, aarch64: 467 },
  perf_event_open: { x86_64: 298, i386: 336, aarch64: 241 },
  personality: { x86_64: 135, i386: 136, aarch64: 92 },
  pidfd_getfd: { x86_64: 438, i386: 438, aarch64: 438 },
  pivot_root: { x86_64: 155, i386: 217, aarch64: 41 },
  process_vm_readv: { x86_64: 310, i386: 347, aarch64: 270 },
  process_vm_writev: { x86_64: 311, i386: 348, aarch64: 271 },
  ptrace: { x86_64: 101, i386: 26, aarch64: 117 },
  reboot: { x86_64: 169, i386: 88, aarch64: 142 },
  request_key: { x86_64: 249, i386: 287, aarch64: 218 },
  setdomainname: { x86_64: 171, i386: 121, aarch64: 162 },
  sethostname: { x86_64: 170, i386: 74, aarch64: 161 },
  swapoff: { x86_64: 168, i386: 115, aarch64: 225 },
  swapon: { x86_64: 167, i386: 87, aarch64: 224 },
  syslog: { x86_64: 103, i386: 103, aarch64: 116 },
  umount: { x86_64: null, i386: 22, aarch64: null },
  umount2: { x86_64: 166, i386: 52, aarch64: 39 },
  userfaultfd: { x86_64: 323, i386: 374, aarch64: 282 },
} as const satisfies Record<string, Readonly<Record<Abi, number | null>>>;

export type SyscallName = keyof typeof syscallNumbers;
