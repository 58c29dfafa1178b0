/*
 * Descriptors of the stub's own, kept out of the way of the program's.
 *
 * Runs:     wherever the stub runs.
 * Promises: descriptors 0 to 2 that the caller left closed stay closed for the program.
 */
#ifndef FENCE_STUB_DESCRIPTOR_H
#define FENCE_STUB_DESCRIPTOR_H

#define NO_DESCRIPTOR (-1)

/* @result, a new descriptor or -errno, moved above 2 and close-on-exec. Returns the descriptor or -errno. */
int descriptor_above_stdio(long result);

/* Closes every descriptor above 2 but the @count of @keep, which it sorts. Returns 0 or -errno. */
int descriptor_close_others(int *keep, unsigned int count);

/* The same, and closes 0 to 2 as well. */
int descriptor_keep_only(int *keep, unsigned int count);

#endif
