/*
 * The bridge process (P2): Node, restricted before its first byte is mapped.
 *
 * Runs:     in a child of the keeper.
 * Promises: no capabilities, no_new_privs, the Landlock ruleset and the seccomp filter that the set-up made, of the
 *           caller's descriptors, arguments and environment nothing. What cannot be enforced ends it.
 * Source:   landlock_restrict_self(2) and seccomp(2) act on one thread; a Node that runs has several
 */
#ifndef FENCE_STUB_BRIDGE_PROCESS_H
#define FENCE_STUB_BRIDGE_PROCESS_H

#include "restricted-node.h"

/* All that the bridge process is made of; descriptors are NO_DESCRIPTOR where there is none. */
struct bridge_process {
	int executable;
	int relay_plan;
	int ruleset;
	int status;
	int debug; /* where its messages go */
	int listeners[MAX_LISTENERS];
	uint32_t listener_count;
	uint32_t filter_bytes;
	char filter[MAX_FILTER_BYTES];
};

/* Starts it. @control is given its end of a pair to the keeper. Returns its PID, or -errno. */
long bridge_process_start(const struct start *start, const struct bridge_process *parts, int *control);

#endif
