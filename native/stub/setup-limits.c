/* Makes the process that becomes the set-up Node fit for it: see setup-limits.h. */
#include "setup-limits.h"

#include "fail.h"
#include "sys.h"

#define STEP "load-node"
#define NEEDED_FILES 24
#define NEEDED_FILE_BYTES (8UL << 20)
#define NEEDED_STACK_BYTES (2UL << 20)
/* A Node that cannot make its threads waits for ever. src/main.ts takes the alarm back as soon as it runs. */
#define START_SECONDS 30

/* Raises the soft limit to @needed, as far as the hard one lets it. Returns whether that was enough. */
static int raise_limit(uint32_t resource, uint64_t needed)
{
	struct rlimit64 limit = { 0, 0 };
	uint64_t allowed;
	long result = sys_getrlimit(resource, &limit);

	if (result < 0)
		die_call(STEP, "cannot read a resource limit", "prlimit", result);
	if (limit.rlim_cur >= needed)
		return 1;
	allowed = limit.rlim_max < needed ? limit.rlim_max : needed;
	limit.rlim_cur = allowed;
	result = sys_setrlimit(resource, &limit);
	if (result < 0)
		die_call(STEP, "cannot raise a resource limit", "prlimit", result);
	return allowed == needed;
}

_Noreturn static void die_limit(const char *message, const char *hint)
{
	const struct failure failure = { .message = message, .step = STEP, .hint = hint, .code = "FENCE_STUB" };

	die(&failure);
}

_Noreturn void die_open_files(void)
{
	die_limit("the limit on open files is too low for fence", "raise it to at least 24: ulimit -n, RLIMIT_NOFILE");
}

void setup_limits(void)
{
	/* These cannot fail with their arguments, sigprocmask(2), sigaction(2), setitimer(2). */
	(void)sys_set_blocked_signals(0);
	(void)sys_default_action(SIGALRM);
	(void)sys_alarm(START_SECONDS);
	if (!raise_limit(RLIMIT_NOFILE, NEEDED_FILES))
		die_open_files();
	if (!raise_limit(RLIMIT_FSIZE, NEEDED_FILE_BYTES))
		die_limit("the limit on the size of files is too low for fence",
			  "raise it to at least 8 MiB: ulimit -f, RLIMIT_FSIZE");
	(void)raise_limit(RLIMIT_STACK, NEEDED_STACK_BYTES); /* less is enough for a few arguments */
}
