/* Makes the process that becomes the set-up Node fit for it: see setup-limits.h. */
#include "setup-limits.h"

#include "fail.h"
#include "sys.h"

#define STEP "load-node"
#define NEEDED_FILES 24
#define NEEDED_FILES_HINT "raise it to at least 64: ulimit -n, RLIMIT_NOFILE; each bridge takes one more"
#define NEEDED_FILE_BYTES (8UL << 20)
/* Below these Node ends with a stack trace, or never: it reserves addresses, and its heap is data, getrlimit(2). */
#define NEEDED_ADDRESS_BYTES (1280UL << 20)
#define NEEDED_DATA_BYTES (640UL << 20)
#define NEEDED_STACK_BYTES (2UL << 20)
/* A Node that cannot make its threads waits for ever. src/main.ts takes the alarm back as soon as it runs. */
#define START_SECONDS 30

/* The limit as it is. */
static struct rlimit64 limit_on(uint32_t resource)
{
	struct rlimit64 limit = { 0, 0 };
	long result = sys_getrlimit(resource, &limit);

	if (result < 0)
		die_call(STEP, "cannot read a resource limit", "prlimit", result);
	return limit;
}

/* Raises the soft limit to @needed, as far as the hard one lets it. */
static void raise_limit(uint32_t resource, uint64_t needed)
{
	struct rlimit64 limit = limit_on(resource);
	long result;

	if (limit.rlim_cur >= needed)
		return;
	limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
	result = sys_setrlimit(resource, &limit);
	if (result < 0)
		die_call(STEP, "cannot raise a resource limit", "prlimit", result);
}

static void need(uint32_t resource, uint64_t needed, const char *message, const char *hint)
{
	const struct failure failure = { .message = message, .step = STEP, .hint = hint, .code = "FENCE_STUB" };

	if (limit_on(resource).rlim_max < needed)
		die(&failure);
}

_Noreturn void die_open_files(const char *syscall)
{
	const struct failure failure = {
		.message = "the limit on open files is too low for fence",
		.syscall = syscall,
		.error = EMFILE,
		.step = STEP,
		.hint = NEEDED_FILES_HINT,
		.code = "FENCE_STUB",
	};

	die(&failure);
}

void setup_limits_check(void)
{
	need(RLIMIT_NOFILE, NEEDED_FILES, "the limit on open files is too low for fence", NEEDED_FILES_HINT);
	need(RLIMIT_FSIZE, NEEDED_FILE_BYTES, "the limit on the size of files is too low for fence",
	     "raise it to at least 8 MiB: ulimit -f, RLIMIT_FSIZE");
	need(RLIMIT_AS, NEEDED_ADDRESS_BYTES, "the limit on address space is too low for fence",
	     "Node reserves much memory and uses little: raise it to at least 1280 MiB: ulimit -v, RLIMIT_AS");
	need(RLIMIT_DATA, NEEDED_DATA_BYTES, "the limit on data is too low for fence",
	     "Node reserves much memory and uses little: raise it to at least 640 MiB: ulimit -d, RLIMIT_DATA");
}

void setup_limits(void)
{
	/* These cannot fail with their arguments, sigprocmask(2), sigaction(2), setitimer(2). */
	(void)sys_set_blocked_signals(0);
	(void)sys_default_action(SIGALRM);
	(void)sys_alarm(START_SECONDS);
	raise_limit(RLIMIT_NOFILE, NEEDED_FILES);
	raise_limit(RLIMIT_FSIZE, NEEDED_FILE_BYTES);
	raise_limit(RLIMIT_AS, NEEDED_ADDRESS_BYTES);
	raise_limit(RLIMIT_DATA, NEEDED_DATA_BYTES);
	raise_limit(RLIMIT_STACK, NEEDED_STACK_BYTES); /* less is enough for a few arguments */
}
