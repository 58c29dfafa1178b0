/*
 * `fence bootstrap`: this process becomes the program, a detached child becomes Node and sets the sandbox up.
 * `fence run`: the same on the host; what it becomes is bubblewrap, in a child.
 * `fence launched`: the same in the sandbox of a launcher, which sets it up from outside.
 *
 * Runs:     as the first program in the sandbox, and as the process that `fence run` started.
 * Promises: the program gets this process's PID, parent, session, terminal, limits, signal dispositions and
 *           environment bytes; it never starts half-protected.
 * Source:   docs/bootstrap.md
 */
#ifndef FENCE_STUB_BOOTSTRAP_H
#define FENCE_STUB_BOOTSTRAP_H

#include "set-up.h"

/* @file is the executable. */
_Noreturn void bootstrap(const struct start *start, int file, enum set_up_face face);

/* Does what the set-up says, until this process becomes the program or ends. */
_Noreturn void bootstrap_obey(struct own *own);

#endif
