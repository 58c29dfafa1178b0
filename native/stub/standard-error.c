/* Standard error, kept: see standard-error.h. */
#include "standard-error.h"

#include "descriptor.h"
#include "sys.h"
#include "text.h"

#define DIRECTORY "/proc/self/fd/"
#define PATH_ROOM (sizeof(DIRECTORY) + 12)

static long open_again(int descriptor, int flags)
{
	char path[PATH_ROOM];
	struct text text = text_in(path, sizeof(path));

	text_add(&text, DIRECTORY);
	text_add_number(&text, descriptor);
	return sys_open(path, flags | O_CLOEXEC);
}

/* A file has a position of its own then, a pipe without a reader is an error, and a socket cannot be opened. */
static long open_for_writing(int kept)
{
	return open_again(kept, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
}

int standard_error_keep(void)
{
	int kept = descriptor_above_stdio(open_again(STDERR, O_PATH));
	long again = kept < 0 ? kept : open_for_writing(kept);

	if (kept < 0)
		return NO_DESCRIPTOR; /* the caller had closed it */
	(void)sys_close(again >= 0 ? (int)again : kept); /* nothing was written */
	if (again >= 0)
		return kept;
	kept = (int)sys_fcntl(STDERR, F_DUPFD_CLOEXEC, STDERR + 1);
	return kept < 0 ? NO_DESCRIPTOR : kept;
}

void standard_error_restore(int kept)
{
	long again = kept == NO_DESCRIPTOR ? -EBADF : open_for_writing(kept);

	if (kept != NO_DESCRIPTOR && again != STDERR)
		(void)sys_duplicate(again < 0 ? kept : (int)again, STDERR); /* what cannot be told stays untold */
}
