/*
 * The Landlock system calls, and the few others that setting a ruleset up takes.
 *
 * Runs:     wherever the addon is loaded. Needs libc only; knows nothing of N-API.
 * Promises: every call returns 0 or more, or -errno; none prints, exits or allocates.
 * Source:   landlock(7), landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2)
 */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library has no functions for these calls. */
static int create_ruleset(const struct landlock_ruleset_attr *attr, size_t size, uint32_t flags)
{
	long result = syscall(__NR_landlock_create_ruleset, attr, size, flags);

	return result == -1 ? -errno : (int)result;
}

static int add_rule(int ruleset_fd, enum landlock_rule_type type, const void *attr, uint32_t flags)
{
	if (syscall(__NR_landlock_add_rule, ruleset_fd, type, attr, flags) == -1)
		return -errno;
	return 0;
}

int fence_landlock_abi(void)
{
	return create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

int fence_landlock_errata(void)
{
	return create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_ERRATA);
}

int fence_landlock_create_ruleset(const struct fence_landlock_masks *masks)
{
	const struct landlock_ruleset_attr attr = {
		.handled_access_fs = masks->handled_fs,
		.handled_access_net = masks->handled_net,
		.scoped = masks->scoped,
		.quiet_access_fs = masks->quiet_fs,
		.quiet_access_net = masks->quiet_net,
		.quiet_scoped = masks->quiet_scoped,
	};
	/* An older kernel knows a shorter structure: stop before the first field that only says 0. */
	size_t size = offsetof(struct landlock_ruleset_attr, handled_access_net);

	if (masks->handled_net != 0)
		size = offsetof(struct landlock_ruleset_attr, scoped);
	if (masks->scoped != 0)
		size = offsetof(struct landlock_ruleset_attr, quiet_access_fs);
	if ((masks->quiet_fs | masks->quiet_net | masks->quiet_scoped) != 0)
		size = sizeof(attr);
	return create_ruleset(&attr, size, 0);
}

int fence_landlock_add_path_rule(int ruleset_fd, int parent_fd, uint32_t allowed_access, uint32_t flags)
{
	const struct landlock_path_beneath_attr attr = {
		.allowed_access = allowed_access,
		.parent_fd = parent_fd,
	};

	return add_rule(ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &attr, flags);
}

int fence_landlock_add_port_rule(int ruleset_fd, uint32_t port, uint32_t allowed_access, uint32_t flags)
{
	const struct landlock_net_port_attr attr = {
		.allowed_access = allowed_access,
		.port = port,
	};

	return add_rule(ruleset_fd, LANDLOCK_RULE_NET_PORT, &attr, flags);
}

int fence_landlock_restrict_self(int ruleset_fd, uint32_t flags)
{
	if (syscall(__NR_landlock_restrict_self, ruleset_fd, flags) == -1)
		return -errno;
	return 0;
}

int fence_set_no_new_privs(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -errno;
	return 0;
}

int fence_open_path(const char *bytes, size_t length)
{
	char path[PATH_MAX];
	int fd;

	if (length == 0)
		return -ENOENT;
	if (length >= sizeof(path))
		return -ENAMETOOLONG;
	/* The kernel would open a shorter path than the caller meant. */
	if (memchr(bytes, '\0', length) != NULL)
		return -EINVAL;
	memcpy(path, bytes, length);
	path[length] = '\0';

	do {
		fd = open(path, O_PATH | O_CLOEXEC);
	} while (fd == -1 && errno == EINTR);
	return fd == -1 ? -errno : fd;
}

int fence_file_type(int fd)
{
	struct stat status;

	if (fstat(fd, &status) == -1)
		return -errno;
	return (int)((status.st_mode & S_IFMT) >> 12);
}

int fence_close(int fd)
{
	/* On Linux the descriptor is gone also after EINTR, close(2). */
	if (close(fd) == -1 && errno != EINTR)
		return -errno;
	return 0;
}
