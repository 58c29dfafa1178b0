/*
 * Makes the process that becomes the set-up Node fit for it, or says what it lacks.
 *
 * Runs:     in the detached child of P0 only: limits and signals of the program stay as they are.
 * Promises: Node gets what it dies without, with no word or a misleading one; a Node that hangs at its start is ended.
 * Source:   setrlimit(2), setitimer(2); the figures were found by trying
 */
#ifndef FENCE_STUB_SETUP_LIMITS_H
#define FENCE_STUB_SETUP_LIMITS_H

void setup_limits(void);

/* For whoever has met EMFILE before that. */
_Noreturn void die_open_files(void);

#endif
