/* Descriptors of the stub's own: see descriptor.h. */
#include "descriptor.h"

#include "sys.h"

int descriptor_above_stdio(long result)
{
	long moved;

	if (result < 0 || result > STDERR)
		return (int)result;
	moved = sys_fcntl((int)result, F_DUPFD_CLOEXEC, STDERR + 1);
	/* The copy is what counts; closing a descriptor just made cannot lose data. */
	(void)sys_close((int)result);
	return (int)moved;
}

int descriptor_close_others(int *keep, unsigned int count)
{
	unsigned int first = STDERR + 1;

	for (unsigned int i = 1; i < count; i++) {
		for (unsigned int j = i; j > 0 && keep[j] < keep[j - 1]; j--) {
			int swapped = keep[j];

			keep[j] = keep[j - 1];
			keep[j - 1] = swapped;
		}
	}
	for (unsigned int i = 0; i < count; i++) {
		unsigned int kept = (unsigned int)keep[i];

		if (kept > first) {
			long result = sys_close_range(first, kept - 1);

			if (result < 0)
				return (int)result;
		}
		if (kept >= first)
			first = kept + 1;
	}
	return (int)sys_close_range(first, ~0U);
}

int descriptor_keep_only(int *keep, unsigned int count)
{
	int result = descriptor_close_others(keep, count);

	return result < 0 ? result : (int)sys_close_range(0, STDERR);
}
