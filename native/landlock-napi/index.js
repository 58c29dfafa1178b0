/**
 * The public face of the package: the Landlock calls and the constants they take.
 *
 * Runs:     in Node, on Linux.
 * Source:   index.d.ts documents each name.
 */
import addon from "./addon.js";

export const {
  landlockAbi,
  landlockErrata,
  landlockCreateRuleset,
  landlockAddPathRule,
  landlockAddPortRule,
  landlockRestrictSelf,
  setNoNewPrivs,
  openPath,
  fileType,
  closeDescriptor,
} = addon;

export const constants = Object.freeze({
  LANDLOCK_ACCESS_FS_EXECUTE: 1 << 0,
  LANDLOCK_ACCESS_FS_WRITE_FILE: 1 << 1,
  LANDLOCK_ACCESS_FS_READ_FILE: 1 << 2,
  LANDLOCK_ACCESS_FS_READ_DIR: 1 << 3,
  LANDLOCK_ACCESS_FS_REMOVE_DIR: 1 << 4,
  LANDLOCK_ACCESS_FS_REMOVE_FILE: 1 << 5,
  LANDLOCK_ACCESS_FS_MAKE_CHAR: 1 << 6,
  LANDLOCK_ACCESS_FS_MAKE_DIR: 1 << 7,
  LANDLOCK_ACCESS_FS_MAKE_REG: 1 << 8,
  LANDLOCK_ACCESS_FS_MAKE_SOCK: 1 << 9,
  LANDLOCK_ACCESS_FS_MAKE_FIFO: 1 << 10,
  LANDLOCK_ACCESS_FS_MAKE_BLOCK: 1 << 11,
  LANDLOCK_ACCESS_FS_MAKE_SYM: 1 << 12,
  LANDLOCK_ACCESS_FS_REFER: 1 << 13,
  LANDLOCK_ACCESS_FS_TRUNCATE: 1 << 14,
  LANDLOCK_ACCESS_FS_IOCTL_DEV: 1 << 15,
  LANDLOCK_ACCESS_FS_RESOLVE_UNIX: 1 << 16,
  LANDLOCK_ACCESS_NET_BIND_TCP: 1 << 0,
  LANDLOCK_ACCESS_NET_CONNECT_TCP: 1 << 1,
  LANDLOCK_ACCESS_NET_BIND_UDP: 1 << 2,
  LANDLOCK_ACCESS_NET_CONNECT_SEND_UDP: 1 << 3,
  LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET: 1 << 0,
  LANDLOCK_SCOPE_SIGNAL: 1 << 1,
  LANDLOCK_ADD_RULE_QUIET: 1 << 0,
  LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF: 1 << 0,
  LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON: 1 << 1,
  LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF: 1 << 2,
  LANDLOCK_RESTRICT_SELF_TSYNC: 1 << 3,
});
