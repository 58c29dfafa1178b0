/*
 * Standard error for a process that gives it up and may still have something to say.
 *
 * Runs:     in the front of `fence run`.
 * Promises: a pipe is not held open meanwhile: its reader sees its end when all others have closed it.
 * Source:   open(2), O_PATH; proc_pid_fd(5)
 */
#ifndef FENCE_STUB_STANDARD_ERROR_H
#define FENCE_STUB_STANDARD_ERROR_H

/* Returns a descriptor for standard_error_restore(), or NO_DESCRIPTOR when there is nothing to keep. */
int standard_error_keep(void);

/* Descriptor 2 is what it was when @kept was made, when there is still a reader. */
void standard_error_restore(int kept);

#endif
