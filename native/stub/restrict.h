/*
 * What a process can only do to itself and never take back.
 *
 * Runs:     in P0 before it becomes the program, in the keeper, and in the bridge process before Node is mapped.
 * Promises: each returns 0 or -errno.
 * Source:   capset(2), seccomp(2); no_new_privs must be set before either
 */
#ifndef FENCE_STUB_RESTRICT_H
#define FENCE_STUB_RESTRICT_H

#include "sys.h"

/* Keeps those of @kept, a bit each, that the process has. With no_new_privs execve(2) brings none back, not even for root. */
static inline long restrict_capabilities(uint32_t kept)
{
	const struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	long result = sys_capget(&header, sets);

	if (result < 0)
		return result;
	sets[0].effective &= kept;
	sets[0].permitted &= kept;
	sets[0].inheritable = sets[1].effective = sets[1].permitted = sets[1].inheritable = 0;
	return sys_capset(&header, sets);
}

static inline long restrict_no_new_privs(void)
{
	return sys_prctl(PR_SET_NO_NEW_PRIVS, 1);
}

/* @bytes is an array of struct sock_filter; the kernel checks it. An empty one installs nothing. */
static inline long restrict_system_calls(const void *bytes, size_t length)
{
	const struct sock_fprog filter = {
		.len = (unsigned short)(length / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(uintptr_t)bytes, /* the kernel only reads it */
	};

	return filter.len == 0 ? 0 : sys_seccomp_filter(&filter);
}

#endif
