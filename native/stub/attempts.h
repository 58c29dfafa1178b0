/*
 * `--verify`: system calls that a throw-away child makes under the final restrictions, to prove them.
 *
 * Runs:     in a child of P0, which has carried out the exec plan up to execve(2) and ends after the last attempt.
 * Promises: reports the result of every attempt and judges none; nothing outlives the child but what a call that should
 *           have been denied has done.
 * Source:   docs/verify.md; src/plan/attempts.ts writes the bytes
 */
#ifndef FENCE_STUB_ATTEMPTS_H
#define FENCE_STUB_ATTEMPTS_H

#include <stddef.h>
#include <stdint.h>

#define ATTEMPTS_MAX_BYTES 65536
#define ATTEMPTS_MAX_COUNT 256
#define ATTEMPT_ARGUMENTS 6

enum attempt_argument {
	ARGUMENT_VALUE = 0,
	ARGUMENT_DATA = 1,   /* an offset from the start of the bytes: the call gets a pointer */
	ARGUMENT_RESULT = 2, /* the number of an earlier attempt: the call gets its result */
	ARGUMENT_VECTOR = 3, /* the call gets this process's own argument vector */
};

/* Followed by count attempts, and these by the data. */
struct attempts_header {
	uint32_t count;
	uint32_t reserved;
};
_Static_assert(sizeof(struct attempts_header) == 8, "written by src/plan/attempts.ts");

struct attempt {
	uint32_t number; /* of the system call */
	uint32_t kinds;	 /* enum attempt_argument, two bits for each argument, the lowest for the first */
	uint64_t arguments[ATTEMPT_ARGUMENTS];
};
_Static_assert(sizeof(struct attempt) == 56, "written by src/plan/attempts.ts");

/* Whether the @size bytes, 8-aligned, are attempts with arguments in range. */
int attempts_check(const void *bytes, size_t size);

/* Makes checked attempts, and sends a MESSAGE_TRIED for each to @socket. Returns 0 or -errno of the sending. */
long attempts_make(const void *bytes, char **argv, int socket);

#endif
