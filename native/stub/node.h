/*
 * Becomes Node: a userland execve(2) of the packed Node, its loader and its libraries.
 *
 * Runs:     in the process that becomes Node, never in the one that becomes the program.
 * Promises: nothing outside the packed file is executed; variables that steer the loader, the C library, OpenSSL
 *           or Node have no effect.
 * Source:   docs/packed-format.md; ld.so(8)
 */
#ifndef FENCE_STUB_NODE_H
#define FENCE_STUB_NODE_H

#include "start.h"

/* What Node is to be, and the descriptors it inherits for that; Node reads both from FENCE_STUB. */
struct node_role {
	const char *name; /* "command", "set-up" or "bridges", as in src/sys/stub.ts */
	const int *descriptors;
	size_t count;
};

_Noreturn void node_become(const struct start *start, int file, const struct node_role *role);

#endif
