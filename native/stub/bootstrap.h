/*
 * `fence bootstrap`: this process becomes the program, a detached child becomes Node and sets the sandbox up.
 *
 * Runs:     as the first program in the sandbox.
 * Promises: the program gets this process's PID, parent, session, terminal, limits, signal dispositions and
 *           environment bytes; it never starts half-protected.
 * Source:   docs/bootstrap.md
 */
#ifndef FENCE_STUB_BOOTSTRAP_H
#define FENCE_STUB_BOOTSTRAP_H

#include "start.h"

/* @file is the executable. */
_Noreturn void bootstrap(const struct start *start, int file);

#endif
