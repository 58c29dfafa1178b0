/**
 * What fence's Landlock options mean: the rights each grants, what it denies, and the ABI it needs.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: an option needs exactly what its words say: unix sockets, UDP, quiet and audit only when it names them.
 * Source:   docs/landlock.md; the rights are those of abi.ts
 */
import { linuxOf, type RightName, rightOf, rights } from "./abi.ts";

/** The word of a `--scope` option. */
export const scopeWords = ["signal", "abstract-unix"] as const;
export type ScopeWord = (typeof scopeWords)[number];

/** The word of a `--landlock-log` option: the flag of landlock_restrict_self(2) without its `LOG_`. */
export const logWords = ["same-exec-off", "new-exec-on", "subdomains-off"] as const;
export type LogWord = (typeof logWords)[number];

/** What is denied as a whole as soon as an option names a part of it; `quiet` and the logs deny nothing. */
export type Area = "files" | "unix-sockets" | "tcp" | "udp" | ScopeWord | "quiet" | LogWord;

/** A file right that came later needs an option of its own: it would make every `--ro` fail on older kernels. */
const newestAbiOfFiles = 8;

export const areaRights: Readonly<Record<Area, readonly RightName[]>> = {
  files: rights.filter(({ kind, firstAbi }) => kind === "fs" && firstAbi <= newestAbiOfFiles).map(({ name }) => name),
  "unix-sockets": ["RESOLVE_UNIX"],
  tcp: ["BIND_TCP", "CONNECT_TCP"],
  udp: ["BIND_UDP", "CONNECT_SEND_UDP"],
  signal: ["SIGNAL"],
  "abstract-unix": ["ABSTRACT_UNIX_SOCKET"],
  quiet: ["QUIET"],
  "same-exec-off": ["LOG_SAME_EXEC_OFF"],
  "new-exec-on": ["LOG_NEW_EXEC_ON"],
  "subdomains-off": ["LOG_SUBDOMAINS_OFF"],
};

const read = ["READ_FILE", "READ_DIR"] as const;
const write = [
  "WRITE_FILE",
  "TRUNCATE",
  "MAKE_CHAR",
  "MAKE_DIR",
  "MAKE_REG",
  "MAKE_SOCK",
  "MAKE_FIFO",
  "MAKE_BLOCK",
  "MAKE_SYM",
  "REMOVE_DIR",
  "REMOVE_FILE",
  "REFER",
  "IOCTL_DEV",
] as const;

interface Option {
  readonly area: Area;
  readonly grants: readonly RightName[];
}

export const options = {
  "--ro": { area: "files", grants: read },
  "--rox": { area: "files", grants: [...read, "EXECUTE"] },
  "--rw": { area: "files", grants: [...read, ...write] },
  "--rwx": { area: "files", grants: [...read, ...write, "EXECUTE"] },
  "--unix": { area: "unix-sockets", grants: ["RESOLVE_UNIX"] },
  "--bind-tcp": { area: "tcp", grants: ["BIND_TCP"] },
  "--connect-tcp": { area: "tcp", grants: ["CONNECT_TCP"] },
  "--bind-udp": { area: "udp", grants: ["BIND_UDP"] },
  "--connect-udp": { area: "udp", grants: ["CONNECT_SEND_UDP"] },
  "--scope signal": { area: "signal", grants: [] },
  "--scope abstract-unix": { area: "abstract-unix", grants: [] },
  "--quiet": { area: "quiet", grants: [] },
  "--landlock-log same-exec-off": { area: "same-exec-off", grants: [] },
  "--landlock-log new-exec-on": { area: "new-exec-on", grants: [] },
  "--landlock-log subdomains-off": { area: "subdomains-off", grants: [] },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof options;

/** The word of a file option: `ro` of `--ro`. */
export const accessWords = ["ro", "rox", "rw", "rwx"] as const;
export type AccessWord = (typeof accessWords)[number];

interface Need {
  readonly abi: number;
  /** The first Linux version with that ABI. */
  readonly linux: string;
}

/** The ABI that each option needs under `--landlock=required`: the published table. */
export const optionNeeds: Readonly<Record<OptionName, Need>> = {
  "--ro": needOf("--ro"),
  "--rox": needOf("--rox"),
  "--rw": needOf("--rw"),
  "--rwx": needOf("--rwx"),
  "--unix": needOf("--unix"),
  "--bind-tcp": needOf("--bind-tcp"),
  "--connect-tcp": needOf("--connect-tcp"),
  "--bind-udp": needOf("--bind-udp"),
  "--connect-udp": needOf("--connect-udp"),
  "--scope signal": needOf("--scope signal"),
  "--scope abstract-unix": needOf("--scope abstract-unix"),
  "--quiet": needOf("--quiet"),
  "--landlock-log same-exec-off": needOf("--landlock-log same-exec-off"),
  "--landlock-log new-exec-on": needOf("--landlock-log new-exec-on"),
  "--landlock-log subdomains-off": needOf("--landlock-log subdomains-off"),
};

/** What an option grants is part of what it denies elsewhere, so the area alone decides. */
function needOf(option: OptionName): Need {
  const abi = Math.max(...areaRights[options[option].area].map((right) => rightOf(right).firstAbi));
  return { abi, linux: linuxOf(abi) };
}
