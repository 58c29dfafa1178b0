/*
 * `fence attach PATH PROCESS ID`: the front of a command that a service launches.
 *
 * Runs:     on the host, in the process that the user's program has started.
 * Promises: as the front of `fence run`; starts no Node: what its launcher would have goes to PROCESS, which listens on the
 *           socket PATH, and to nobody else: whoever has it decides what this process becomes, on the host. A program in a
 *           sandbox that may write beside the socket can put its own there, as the same user.
 * Source:   docs/launch.md; unix(7), SO_PEERCRED
 */
#ifndef FENCE_STUB_ATTACH_H
#define FENCE_STUB_ATTACH_H

#include "start.h"

_Noreturn void attach(const struct start *start);

#endif
