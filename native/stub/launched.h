/*
 * `fence launched FD`: the first process in the sandbox of a launcher, which becomes the program.
 *
 * Runs:     in the sandbox. FD is a socket to the launcher, which has sent its messages before this process was started.
 * Promises: as bootstrap.h; starts no Node, opens nothing, and waits for no answer before it has its plan.
 * Source:   docs/launch.md
 */
#ifndef FENCE_STUB_LAUNCHED_H
#define FENCE_STUB_LAUNCHED_H

#include "start.h"

_Noreturn void launched(const struct start *start);

#endif
