/*
 * The kernel's Landlock interface up to ABI 10 (Linux 7.2): constants, structures, system call numbers.
 *
 * Runs:     compiled into the addon, and into fence's stub, in place of the system's <linux/landlock.h>, which
 *           knows only the ABI of the distribution's kernel headers (2 on Debian 12).
 * Promises: needs nothing but <linux/types.h>, so that freestanding code can include it.
 * Source:   landlock(7), https://docs.kernel.org/userspace-api/landlock.html
 *           src/landlock/abi.ts says the same for TypeScript; a test holds the two together.
 */
#ifndef FENCE_UAPI_LANDLOCK_H
#define FENCE_UAPI_LANDLOCK_H

#include <linux/types.h>

/* The same on x86-64 and arm64. */
#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset	444
#define __NR_landlock_add_rule		445
#define __NR_landlock_restrict_self	446
#endif

/* Flags of landlock_create_ruleset(2): these two ask a question and create nothing. */
#define LANDLOCK_CREATE_RULESET_VERSION	(1U << 0)
#define LANDLOCK_CREATE_RULESET_ERRATA	(1U << 1)

struct landlock_ruleset_attr {
	__u64 handled_access_fs;
	__u64 handled_access_net;	/* ABI 4 */
	__u64 scoped;			/* ABI 6 */
	__u64 quiet_access_fs;		/* ABI 10, as the next two */
	__u64 quiet_access_net;
	__u64 quiet_scoped;
};

_Static_assert(sizeof(struct landlock_ruleset_attr) == 48, "landlock_ruleset_attr is 48 bytes at ABI 10");

enum landlock_rule_type {
	LANDLOCK_RULE_PATH_BENEATH = 1,
	LANDLOCK_RULE_NET_PORT = 2,	/* ABI 4 */
};

struct landlock_path_beneath_attr {
	__u64 allowed_access;
	__s32 parent_fd;
} __attribute__((packed));

_Static_assert(sizeof(struct landlock_path_beneath_attr) == 12, "landlock_path_beneath_attr is packed");

struct landlock_net_port_attr {
	__u64 allowed_access;
	__u64 port;	/* host byte order */
};

_Static_assert(sizeof(struct landlock_net_port_attr) == 16, "landlock_net_port_attr is 16 bytes");

/* Flags of landlock_add_rule(2). */
#define LANDLOCK_ADD_RULE_QUIET			(1U << 0)	/* ABI 10 */

/* Flags of landlock_restrict_self(2). */
#define LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF	(1U << 0)	/* ABI 7 */
#define LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON		(1U << 1)	/* ABI 7 */
#define LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF	(1U << 2)	/* ABI 7 */
#define LANDLOCK_RESTRICT_SELF_TSYNC			(1U << 3)	/* ABI 8 */

#define LANDLOCK_ACCESS_FS_EXECUTE	(1ULL << 0)
#define LANDLOCK_ACCESS_FS_WRITE_FILE	(1ULL << 1)
#define LANDLOCK_ACCESS_FS_READ_FILE	(1ULL << 2)
#define LANDLOCK_ACCESS_FS_READ_DIR	(1ULL << 3)
#define LANDLOCK_ACCESS_FS_REMOVE_DIR	(1ULL << 4)
#define LANDLOCK_ACCESS_FS_REMOVE_FILE	(1ULL << 5)
#define LANDLOCK_ACCESS_FS_MAKE_CHAR	(1ULL << 6)
#define LANDLOCK_ACCESS_FS_MAKE_DIR	(1ULL << 7)
#define LANDLOCK_ACCESS_FS_MAKE_REG	(1ULL << 8)
#define LANDLOCK_ACCESS_FS_MAKE_SOCK	(1ULL << 9)
#define LANDLOCK_ACCESS_FS_MAKE_FIFO	(1ULL << 10)
#define LANDLOCK_ACCESS_FS_MAKE_BLOCK	(1ULL << 11)
#define LANDLOCK_ACCESS_FS_MAKE_SYM	(1ULL << 12)
#define LANDLOCK_ACCESS_FS_REFER	(1ULL << 13)	/* ABI 2 */
#define LANDLOCK_ACCESS_FS_TRUNCATE	(1ULL << 14)	/* ABI 3 */
#define LANDLOCK_ACCESS_FS_IOCTL_DEV	(1ULL << 15)	/* ABI 5 */
#define LANDLOCK_ACCESS_FS_RESOLVE_UNIX	(1ULL << 16)	/* ABI 9 */

#define LANDLOCK_ACCESS_NET_BIND_TCP		(1ULL << 0)	/* ABI 4 */
#define LANDLOCK_ACCESS_NET_CONNECT_TCP		(1ULL << 1)	/* ABI 4 */
#define LANDLOCK_ACCESS_NET_BIND_UDP		(1ULL << 2)	/* ABI 10 */
#define LANDLOCK_ACCESS_NET_CONNECT_SEND_UDP	(1ULL << 3)	/* ABI 10 */

#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET	(1ULL << 0)	/* ABI 6 */
#define LANDLOCK_SCOPE_SIGNAL			(1ULL << 1)	/* ABI 6 */

#endif
