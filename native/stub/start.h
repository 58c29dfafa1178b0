/*
 * What the kernel gave this process on its stack.
 *
 * Runs:     wherever the stub runs.
 * Source:   execve(2), getauxval(3)
 */
#ifndef FENCE_STUB_START_H
#define FENCE_STUB_START_H

#include <elf.h>
#include <stddef.h>

struct start {
	size_t argc;
	char **argv;
	size_t envc;
	char **envp;
	Elf64_auxv_t *auxv;
	size_t auxc; /* without AT_NULL */
	size_t page_size;
	int is_secure; /* AT_SECURE: set-user-ID, file capabilities */
};

struct start start_read(unsigned long *stack);

#endif
