/*
 * The keeper (P1): holds the bridges' listening sockets while the program runs, and starts the bridge process (P2) when
 * somebody connects.
 *
 * Runs:     in the sandbox, a detached process of a few pages: no heap, no thread, outside of the program's session and
 *           Landlock domain.
 * Promises: has no capabilities, is not dumpable, shows nothing of its caller's arguments and environment, holds none
 *           of the caller's descriptors. A bridge process that crashes is reported and started again, a few times. When
 *           the program has ended and everything is delivered, nothing of it is left.
 * Source:   docs/bootstrap.md
 */
#ifndef FENCE_STUB_KEEPER_H
#define FENCE_STUB_KEEPER_H

#include "start.h"

/* What it has from P0. */
struct keeper_inheritance {
	int executable;
	int setup;	 /* to the set-up Node */
	int life;	 /* to P0, which holds the other end until it is the program; as the reaper until that has ended */
	int program;	 /* pidfd of P0 */
	long program_id; /* PID of P0 */
};

_Noreturn void keeper(const struct start *start, const struct keeper_inheritance *inheritance);

#endif
