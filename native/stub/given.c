/* Descriptors under the numbers that were asked for: see given.h. */
#include "given.h"

#include "descriptor.h"
#include "sys.h"

/* Gives the descriptor the number @wanted, for the program to inherit. Replaces nothing. Returns 0 or -errno. */
static long place(int *given, long wanted)
{
	long result;

	if (*given == wanted) {
		*given = NO_DESCRIPTOR; /* it stays */
		return sys_fcntl((int)wanted, F_SETFD, 0);
	}
	result = sys_fcntl(*given, F_DUPFD, wanted);
	if (result == -EINVAL)
		return -EMFILE; /* past the limit, fcntl(2) */
	if (result > wanted) {
		(void)sys_close((int)result); /* just made */
		return -EBUSY;
	}
	if (result < 0)
		return result;
	(void)sys_close(*given); /* the copy is what counts */
	*given = NO_DESCRIPTOR;
	return 0;
}

/* Moves whichever of the first @count descriptors has the number @wanted out of the way. Returns 0 or -errno. */
static long clear_place(int *descriptors, unsigned int count, long wanted)
{
	for (unsigned int i = 0; i < count; i++) {
		if (descriptors[i] != wanted)
			continue;
		descriptors[i] = (int)sys_fcntl((int)wanted, F_DUPFD_CLOEXEC, STDERR + 1);
		(void)sys_close((int)wanted); /* the copy is what counts */
		return descriptors[i] < 0 ? descriptors[i] : 0;
	}
	return 0;
}

/*
 * They came with the lowest numbers that were free, in their order, but for those that stood below 3: from the last one on
 * each finds its place free, or one of the odd ones there.
 */
long given_place(struct delivery *delivery, uint32_t *call)
{
	uint32_t first = delivery->message.index;
	long result = 0;

	*call = TAKEN_RECVMSG;
	if (delivery->message.error != 0)
		return -(long)delivery->message.error;
	if (delivery->count == 0 || delivery->count != delivery->message.value)
		return -EMFILE;
	*call = TAKEN_FCNTL;
	if (first <= STDERR || first > INT32_MAX - GIVEN_DESCRIPTORS) /* fcntl(2) takes an int */
		return -EBADF;
	for (unsigned int i = delivery->count; result >= 0 && i > 0; i--) {
		result = clear_place(delivery->descriptors, i - 1, (long)first + i - 1);
		if (result >= 0)
			result = place(&delivery->descriptors[i - 1], (long)first + i - 1);
	}
	return result;
}
