/*
 * The Landlock system calls, and the few others that setting a ruleset up takes.
 *
 * Runs:     wherever the addon is loaded. Needs libc only; knows nothing of N-API.
 * Promises: every call returns 0 or more, or -errno; none prints, exits or allocates.
 * Source:   landlock(7), landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2)
 */
#ifndef LANDLOCK_NAPI_LANDLOCK_H
#define LANDLOCK_NAPI_LANDLOCK_H

#include <stddef.h>
#include <stdint.h>

/* The kernel's Landlock ABI, 1 or more. -ENOSYS: not built in. -EOPNOTSUPP: disabled at boot. */
int fence_landlock_abi(void);

/* Bit N-1 is set when erratum N is fixed. -EINVAL: the kernel is too old to say. */
int fence_landlock_errata(void);

/* The masks of struct landlock_ruleset_attr; the rights of every ABI so far fit into 32 bits. */
struct fence_landlock_masks {
	uint32_t handled_fs;
	uint32_t handled_net;
	uint32_t scoped;
	uint32_t quiet_fs;
	uint32_t quiet_net;
	uint32_t quiet_scoped;
};

/* A new ruleset's descriptor, close-on-exec. */
int fence_landlock_create_ruleset(const struct fence_landlock_masks *masks);

int fence_landlock_add_path_rule(int ruleset_fd, int parent_fd, uint32_t allowed_access, uint32_t flags);
int fence_landlock_add_port_rule(int ruleset_fd, uint32_t port, uint32_t allowed_access, uint32_t flags);

/* Restricts the calling thread and what it starts from now on. Cannot be undone. */
int fence_landlock_restrict_self(int ruleset_fd, uint32_t flags);

/* Sets no_new_privs for the calling thread, prctl(2). Cannot be undone. */
int fence_set_no_new_privs(void);

/* An O_PATH descriptor, close-on-exec, of the path in @length bytes at @bytes; symbolic links are followed. */
int fence_open_path(const char *bytes, size_t length);

/* The file type bits of st_mode, shifted down: 4 a directory, 8 a regular file, 12 a socket, inode(7). */
int fence_file_type(int fd);

int fence_close(int fd);

#endif
