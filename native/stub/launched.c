/* `fence launched`: see launched.h. */
#include "launched.h"

#include "bootstrap.h"
#include "descriptor.h"
#include "fail.h"
#include "sys.h"
#include "text.h"

#define STEP "launched"

_Noreturn static void die_wrong(const char *message, const char *syscall, long result)
{
	const struct failure failure = {
		.message = message,
		.syscall = syscall,
		.error = (int)-result,
		.step = STEP,
		.hint = "fence starts this by itself: fence run -- PROGRAM",
		.code = "FENCE_USAGE",
	};

	die(&failure);
}

/* The descriptor that the one argument names: a socket of messages, close-on-exec from now on. */
static int setup_of(const struct start *start)
{
	uint32_t number = 0;
	const char *end = start->argc == 3 ? text_read_number(start->argv[2], 10, &number) : NULL;
	long result;

	if (end == NULL || *end != '\0' || number <= STDERR || number > INT32_MAX)
		die_wrong("launched must be given one descriptor above 2", NULL, 0);
	result = sys_socket_number((int)number, SO_TYPE);
	if (result < 0)
		die_wrong("launched must be given a socket to the launcher", "getsockopt", result);
	if (result != SOCK_SEQPACKET)
		die_wrong("launched must be given a socket of messages (SOCK_SEQPACKET)", NULL, 0);
	result = sys_fcntl((int)number, F_SETFD, FD_CLOEXEC);
	if (result >= 0)
		result = sys_fcntl((int)number, F_SETFL, O_RDWR); /* whoever made both ends may not want to wait itself */
	if (result < 0)
		die_wrong("cannot take the launcher's socket over", "fcntl", result);
	return (int)number;
}

_Noreturn void launched(const struct start *start)
{
	struct own own = {
		.start = start,
		.face = SET_UP_LAUNCHED,
		.setup = setup_of(start),
		.life = NO_DESCRIPTOR,
	};
	/* Nobody in here looks into this process, nor into its reaper; execve(2) resets it for the program. */
	long result = sys_prctl(PR_SET_DUMPABLE, 0);

	if (result < 0)
		die_call(STEP, "cannot protect this process", "prctl", result);
	bootstrap_obey(&own);
}
