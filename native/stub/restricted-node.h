/*
 * Becomes a Node that relays: restricted before its first byte is mapped.
 *
 * Runs:     in the bridge process of a sandbox and in the network part of a launcher.
 * Promises: the Landlock ruleset and the seccomp filter are enforced, of the caller's descriptors, arguments and environment
 *           nothing is left. What cannot be enforced ends the process.
 * Source:   landlock_restrict_self(2) and seccomp(2) act on one thread; a Node that runs has several
 */
#ifndef FENCE_STUB_RESTRICTED_NODE_H
#define FENCE_STUB_RESTRICTED_NODE_H

#include "node.h"
#include "start.h"

#include <stdint.h>

#define MAX_LISTENERS 200
#define MAX_FILTER_BYTES (4096 * 8) /* BPF_MAXINSNS of struct sock_filter */
#define MAX_ROLE_DESCRIPTORS (4 + MAX_LISTENERS)

/* Descriptors are NO_DESCRIPTOR where there is none. The strings outlive the call. */
struct restricted_node {
	const char *step;  /* of messages */
	const char *title; /* what ps(1) shows */
	char *command;	   /* argument 1 of Node */
	struct node_role role;
	int executable;
	int ruleset;
	const char *filter;
	uint32_t filter_bytes;
};

/* The process has no capabilities and has set no_new_privs. */
_Noreturn void restricted_node_become(const struct start *start, const struct restricted_node *parts);

#endif
