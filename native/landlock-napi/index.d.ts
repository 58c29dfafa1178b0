/**
 * Landlock for Node: the kernel's calls as they are, and the constants they take.
 *
 * Every call is synchronous and returns its result, 0 or more, or -errno (a value of `os.constants.errno`).
 * Only an argument of the wrong type or outside 32 bits throws (a TypeError). Every restriction concerns the
 * **calling thread** and what it starts afterwards: see the README before restricting a running Node.
 *
 * Source: landlock(7), https://docs.kernel.org/userspace-api/landlock.html
 */
export interface Landlock {
  /**
   * The kernel's Landlock ABI, 1 or more: it decides which rights a ruleset may name.
   * -ENOSYS: the kernel is older than 5.13 or built without Landlock. -EOPNOTSUPP: disabled at boot (`lsm=`).
   */
  landlockAbi(): number;

  /** A bitmap of the errata that this kernel has fixed: bit N-1 for erratum N. -EINVAL: too old to say. */
  landlockErrata(): number;

  /**
   * A new ruleset, landlock_create_ruleset(2): what it handles is denied unless a rule allows it.
   * The descriptor is close-on-exec; the caller closes it.
   * -EINVAL: a bit that this ABI does not know. -ENOMSG: nothing is handled.
   *
   * @param handledAccessFs  `LANDLOCK_ACCESS_FS_*` bits
   * @param handledAccessNet `LANDLOCK_ACCESS_NET_*` bits
   * @param scoped           `LANDLOCK_SCOPE_*` bits
   * @param quietAccessFs    of `handledAccessFs`, what the audit log leaves out where a rule is quiet; 0 by default
   * @param quietAccessNet   the same of `handledAccessNet`
   * @param quietScoped      of `scoped`, what the audit log leaves out everywhere; 0 by default
   */
  landlockCreateRuleset(
    handledAccessFs: number,
    handledAccessNet: number,
    scoped: number,
    quietAccessFs?: number,
    quietAccessNet?: number,
    quietScoped?: number,
  ): number;

  /**
   * Allows `LANDLOCK_ACCESS_FS_*` beneath a directory, or on one file, landlock_add_rule(2).
   * -EINVAL: a right that the ruleset does not handle, or a directory right on another kind of file.
   *
   * @param parentFd a descriptor of openPath(); may be closed afterwards
   * @param flags    `LANDLOCK_ADD_RULE_QUIET`, then `allowedAccess` may be 0; or 0, the default.
   *                 -EINVAL: the ruleset has no `quietAccessFs`, or the kernel has no quiet rules (ABI 10)
   */
  landlockAddPathRule(ruleset: number, parentFd: number, allowedAccess: number, flags?: number): number;

  /**
   * Allows `LANDLOCK_ACCESS_NET_*` for one port, landlock_add_rule(2). Port 0 stands for "any free port" of bind(2).
   * -EINVAL: a right that the ruleset does not handle, or a port above 65535. -EAFNOSUPPORT: a kernel without TCP/IP.
   *
   * @param flags as of landlockAddPathRule(), with `quietAccessNet`
   */
  landlockAddPortRule(ruleset: number, port: number, allowedAccess: number, flags?: number): number;

  /**
   * Enforces the ruleset on the calling thread, for ever, landlock_restrict_self(2).
   * -EPERM: neither setNoNewPrivs() nor CAP_SYS_ADMIN. -E2BIG: the thread has 16 layers already.
   *
   * @param flags `LANDLOCK_RESTRICT_SELF_*` bits, or 0
   */
  landlockRestrictSelf(ruleset: number, flags: number): number;

  /** Sets no_new_privs for the calling thread, for ever, prctl(2): set-user-ID programs gain nothing from now on. */
  setNoNewPrivs(): number;

  /**
   * A descriptor that names the file and opens nothing (O_PATH, close-on-exec), open(2). Symbolic links are followed.
   * The caller closes it. -EINVAL: the path has a NUL byte.
   *
   * @param path the path's bytes
   */
  openPath(path: Buffer): number;

  /** The file type bits of `st_mode`, shifted down to 1..15: 4 a directory, 8 a regular file, 12 a socket, inode(7). */
  fileType(fd: number): number;

  /** Closes a descriptor of this package, close(2). */
  closeDescriptor(fd: number): number;
}

export const landlockAbi: Landlock["landlockAbi"];
export const landlockErrata: Landlock["landlockErrata"];
export const landlockCreateRuleset: Landlock["landlockCreateRuleset"];
export const landlockAddPathRule: Landlock["landlockAddPathRule"];
export const landlockAddPortRule: Landlock["landlockAddPortRule"];
export const landlockRestrictSelf: Landlock["landlockRestrictSelf"];
export const setNoNewPrivs: Landlock["setNoNewPrivs"];
export const openPath: Landlock["openPath"];
export const fileType: Landlock["fileType"];
export const closeDescriptor: Landlock["closeDescriptor"];

/** The kernel's names and bits up to ABI 10. The table in the README says since which ABI each may be used. */
export const constants: Readonly<Record<ConstantName, number>>;

export type ConstantName =
  | `LANDLOCK_ACCESS_FS_${FsRight}`
  | `LANDLOCK_ACCESS_NET_${"BIND_TCP" | "CONNECT_TCP" | "BIND_UDP" | "CONNECT_SEND_UDP"}`
  | `LANDLOCK_SCOPE_${"ABSTRACT_UNIX_SOCKET" | "SIGNAL"}`
  | "LANDLOCK_ADD_RULE_QUIET"
  | `LANDLOCK_RESTRICT_SELF_${"LOG_SAME_EXEC_OFF" | "LOG_NEW_EXEC_ON" | "LOG_SUBDOMAINS_OFF" | "TSYNC"}`;

type FsRight =
  | "EXECUTE"
  | "WRITE_FILE"
  | "READ_FILE"
  | "READ_DIR"
  | "REMOVE_DIR"
  | "REMOVE_FILE"
  | "MAKE_CHAR"
  | "MAKE_DIR"
  | "MAKE_REG"
  | "MAKE_SOCK"
  | "MAKE_FIFO"
  | "MAKE_BLOCK"
  | "MAKE_SYM"
  | "REFER"
  | "TRUNCATE"
  | "IOCTL_DEV"
  | "RESOLVE_UNIX";
