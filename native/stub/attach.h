/*
 * `fence attach PATH ID`: the front of a command that a service launches.
 *
 * Runs:     on the host, in the process that the user's program has started.
 * Promises: as the front of `fence run`; starts no Node: what its launcher would have goes to whoever listens on the socket PATH,
 *           if that is this user's, or root's.
 * Source:   docs/launch.md; unix(7), SO_PEERCRED
 */
#ifndef FENCE_STUB_ATTACH_H
#define FENCE_STUB_ATTACH_H

#include "start.h"

_Noreturn void attach(const struct start *start);

#endif
