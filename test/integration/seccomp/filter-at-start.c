/*
 * A library to preload: installs the seccomp filter of a file before the program's main(), while there is one thread.
 *
 * Runs:     in the tests of filters that deny execve, which cannot be installed before it.
 * Promises: the program starts with no_new_privs and the filter, or ends with 99.
 * Source:   seccomp(2), ld.so(8)
 *
 * Build:    cc -shared -fPIC -O2 -o filter-at-start.so filter-at-start.c
 * Use:      LD_PRELOAD=./filter-at-start.so FENCE_TEST_FILTER=FILE PROGRAM
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((constructor)) static void install(void)
{
	static struct sock_filter instructions[BPF_MAXINSNS];
	struct sock_fprog program = { .filter = instructions };
	const char *path = getenv("FENCE_TEST_FILTER");
	int descriptor = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = descriptor == -1 ? -1 : read(descriptor, instructions, sizeof(instructions));

	if (length <= 0 || close(descriptor) == -1)
		_exit(99);
	program.len = (unsigned short)((size_t)length / sizeof(instructions[0]));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == -1)
		_exit(99);
}
