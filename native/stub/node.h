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

/* Descriptors that the set-up Node inherits from the stub; NO_DESCRIPTOR when it runs no bootstrap. */
struct node_descriptors {
	int socket;  /* to the process that becomes the program */
	int program; /* pidfd of that process */
};

_Noreturn void node_become(const struct start *start, int file, const struct node_descriptors *descriptors);

#endif
