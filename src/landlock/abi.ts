/**
 * The one table of what each Landlock ABI knows: rights, scopes, flags, and the Linux version of each ABI.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: whoever asks what a kernel can do asks this table; nothing compares kernel versions.
 * Source:   landlock(7), https://docs.kernel.org/userspace-api/landlock.html
 *           native/landlock-napi/uapi/linux/landlock.h says the same for C; a test holds the two together.
 */
import { bug } from "../base/errors.ts";

export type RightKind = "fs" | "net" | "scope" | "restrict-flag" | "rule-flag";

interface Right {
  readonly kind: RightKind;
  /** As in the kernel's header, without the prefix of the kind. */
  readonly name: string;
  /** One bit of the kind's mask. */
  readonly bit: number;
  readonly firstAbi: number;
  /** What a rule that grants the right may name; the kernel refuses a directory's right on another kind of file. */
  readonly rule: "any-file" | "directory" | "port" | "none";
}

export const rights = [
  { kind: "fs", name: "EXECUTE", bit: 1 << 0, firstAbi: 1, rule: "any-file" },
  { kind: "fs", name: "WRITE_FILE", bit: 1 << 1, firstAbi: 1, rule: "any-file" },
  { kind: "fs", name: "READ_FILE", bit: 1 << 2, firstAbi: 1, rule: "any-file" },
  { kind: "fs", name: "READ_DIR", bit: 1 << 3, firstAbi: 1, rule: "directory" },
  { kind: "fs", name: "REMOVE_DIR", bit: 1 << 4, firstAbi: 1, rule: "directory" },
  { kind: "fs", name: "REMOVE_FILE", bit: 1 << 5, firstAbi: 1, rule: "directory" },
  { kind: "fs", name: "MAKE_CHAR", bit: 1 << 6, firstAbi: 1, rule: "directory" },
  { kind: "fs", name: "MAKE_DIR", bit: 1 << 7, firstAbi: 1, rule: "directory" },
  { kind: "fs", name: "MAKE_REG", bit: 1 << 8, firstAbi: 1, rule: "directory" },
  { kind: "fs", name: "MAKE_SOCK", bit: 1 << 9, firstAbi: 1, rule: "directory" },
  { kind: "fs", name: "MAKE_FIFO", bit: 1 << 10, firstAbi: 1, rule: "directory" },
  { kind: "fs", name: "MAKE_BLOCK", bit: 1 << 11, firstAbi: 1, rule: "directory" },
  { kind: "fs", name: "MAKE_SYM", bit: 1 << 12, firstAbi: 1, rule: "directory" },
  { kind: "fs", name: "REFER", bit: 1 << 13, firstAbi: 2, rule: "directory" },
  { kind: "fs", name: "TRUNCATE", bit: 1 << 14, firstAbi: 3, rule: "any-file" },
  { kind: "fs", name: "IOCTL_DEV", bit: 1 << 15, firstAbi: 5, rule: "any-file" },
  { kind: "fs", name: "RESOLVE_UNIX", bit: 1 << 16, firstAbi: 9, rule: "any-file" },
  { kind: "net", name: "BIND_TCP", bit: 1 << 0, firstAbi: 4, rule: "port" },
  { kind: "net", name: "CONNECT_TCP", bit: 1 << 1, firstAbi: 4, rule: "port" },
  { kind: "net", name: "BIND_UDP", bit: 1 << 2, firstAbi: 10, rule: "port" },
  { kind: "net", name: "CONNECT_SEND_UDP", bit: 1 << 3, firstAbi: 10, rule: "port" },
  { kind: "scope", name: "ABSTRACT_UNIX_SOCKET", bit: 1 << 0, firstAbi: 6, rule: "none" },
  { kind: "scope", name: "SIGNAL", bit: 1 << 1, firstAbi: 6, rule: "none" },
  { kind: "restrict-flag", name: "LOG_SAME_EXEC_OFF", bit: 1 << 0, firstAbi: 7, rule: "none" },
  { kind: "restrict-flag", name: "LOG_NEW_EXEC_ON", bit: 1 << 1, firstAbi: 7, rule: "none" },
  { kind: "restrict-flag", name: "LOG_SUBDOMAINS_OFF", bit: 1 << 2, firstAbi: 7, rule: "none" },
  { kind: "restrict-flag", name: "TSYNC", bit: 1 << 3, firstAbi: 8, rule: "none" },
  { kind: "rule-flag", name: "QUIET", bit: 1 << 0, firstAbi: 10, rule: "none" },
] as const satisfies readonly Right[];

export type RightName = (typeof rights)[number]["name"];
export type RightNameOf<Kind extends RightKind> = Extract<(typeof rights)[number], { readonly kind: Kind }>["name"];

/** The Linux version that brought each ABI; the kernels of distributions may know more. */
const linuxVersions = ["5.13", "5.19", "6.2", "6.7", "6.10", "6.12", "6.15", "7.0", "7.1", "7.2"] as const;

/** The newest ABI of the table. */
export const newestAbi: number = linuxVersions.length;

/** The first Linux version with this ABI, such as `6.12`. */
export function linuxOf(abi: number): string {
  const version = linuxVersions[abi - 1];
  if (version === undefined) throw bug(`there is no Landlock ABI ${abi} in the table`);
  return version;
}

const byName: ReadonlyMap<string, Right> = new Map(rights.map((right) => [right.name, right]));

export function rightOf(name: RightName): Right {
  const right = byName.get(name);
  if (right === undefined) throw bug(`there is no Landlock right ${name} in the table`);
  return right;
}

/** The names' bits of one kind, as the kernel wants them; names of other kinds do not count. */
export function maskOf(kind: RightKind, names: Iterable<RightName>): number {
  let mask = 0;
  for (const name of names) {
    const right = rightOf(name);
    if (right.kind === kind) mask |= right.bit;
  }
  return mask;
}
