/*
 * Makes the process that becomes the set-up Node fit for it, or says what it lacks.
 *
 * Runs:     setup_limits_check() in P0; the rest in its detached child only: limits and signals of the program stay as
 *           they are.
 * Promises: Node gets what it dies without, with no word or a misleading one; a Node that hangs at its start is ended.
 * Source:   setrlimit(2), setitimer(2); the figures were found by trying
 */
#ifndef FENCE_STUB_SETUP_LIMITS_H
#define FENCE_STUB_SETUP_LIMITS_H

/* Ends this process with a message when a hard limit is too low for a Node. */
void setup_limits_check(void);

/* In the process that becomes Node. */
void setup_limits(void);

/* For whoever has met EMFILE in @syscall before that. */
_Noreturn void die_open_files(const char *syscall);

#endif
