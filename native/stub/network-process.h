/*
 * The network part of a launcher: the Node that talks to sandboxes, on the host, with least privilege.
 *
 * Runs:     on the host, `fence network`, started by src/network/network-child.ts; descriptor 3 leads to it.
 * Promises: no capabilities, no_new_privs, not dumpable, no core file, bounded memory, a session of its own; of the caller's
 *           descriptors, arguments and environment nothing; the Landlock ruleset and the seccomp filter that the launcher
 *           sends. It never outlives the launcher.
 * Source:   docs/network-part.md
 */
#ifndef FENCE_STUB_NETWORK_PROCESS_H
#define FENCE_STUB_NETWORK_PROCESS_H

#include "start.h"

_Noreturn void network_process(const struct start *start, int executable);

#endif
