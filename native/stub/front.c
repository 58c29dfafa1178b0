/* The front of `fence run`: see front.h. */
#include "front.h"

#include "channel.h"
#include "descriptor.h"
#include "reaper.h"
#include "sys.h"

/* Returns a bit for each standard stream that was closed, or -errno. */
static long open_closed_streams(void)
{
	long closed = 0;

	for (int stream = 0; stream <= STDERR; stream++) {
		long opened;

		if (sys_fcntl(stream, F_GETFD, 0) >= 0)
			continue;
		opened = sys_open("/dev/null", O_RDWR); /* the lowest that is free: this one */
		if (opened < 0)
			return opened;
		closed |= 1L << stream;
	}
	return closed;
}

long front_fork(const struct own *own, int *control, uint32_t *call)
{
	struct reaper_ends ends = {
		.place = REAPER_FRONT,
		.life = own->life,
		.is_attached = own->face == SET_UP_ATTACHED,
		.factory = NO_DESCRIPTOR,
	};
	int pair[2], keep[2];
	long result = channel_pair(pair);

	*call = TAKEN_SOCKETPAIR;
	if (result < 0)
		return result;
	ends.control = pair[0];
	*call = TAKEN_CLONE;
	result = reaper_fork(own->start, &ends);
	if (result < 0)
		return result;
	*control = pair[1];
	keep[0] = own->setup;
	keep[1] = pair[1];
	*call = TAKEN_CLOSE_RANGE;
	result = descriptor_close_others(keep, sizeof(keep) / sizeof(keep[0]));
	if (result < 0)
		return result;
	*call = TAKEN_FCNTL;
	result = sys_fcntl(pair[1], F_SETFD, 0);
	if (result < 0)
		return result;
	*call = TAKEN_OPEN;
	return open_closed_streams();
}
