/* The program's reaper: see reaper.h. */
#include "reaper.h"

#include "arguments.h"
#include "channel.h"
#include "descriptor.h"
#include "fail.h"
#include "reaper-parts.h"
#include "restrict.h"
#include "standard-error.h"
#include "sys.h"

#define STEP "init"

/* What was changed for a moment and is the program's again. */
struct inherited {
	uint64_t blocked;
	struct sys_action on_child;
};

/* Gives up all that the program alone may have. Standard error goes last: until then it can be told what failed. */
static void become_reaper(const struct start *start, struct reaper *reaper)
{
	long result = restrict_no_new_privs();
	int keep[6];
	unsigned int kept = 0;

	if (result < 0)
		die_call(STEP, "cannot set no_new_privs", "prctl", result);
	/* A program that has changed its user is still to be told when to end. */
	result = restrict_capabilities(1U << CAP_KILL);
	if (result < 0)
		die_call(STEP, "cannot give privileges up", "capset", result);
	(void)sys_chdir("/"); /* the caller's directory is not to be kept busy; without a reason to fail */
	/* Signals that are ignored never reach the descriptor; those that cannot be changed are no loss. */
	for (int signal = 1; signal <= LAST_SIGNAL; signal++) {
		struct sys_action before = { .handler = 0 };
		const struct sys_action by_default = { .handler = 0 };

		if (sys_action(signal, &by_default, &before) >= 0 && before.handler == SYS_IGNORED)
			reaper->ignored |= BIT(signal);
	}
	reaper->program_pidfd = descriptor_above_stdio(reaper->program_pidfd);
	if (reaper->program_pidfd < 0)
		die_call(STEP, "cannot refer to the program", "fcntl", reaper->program_pidfd);
	reaper->signals = descriptor_above_stdio(sys_signal_descriptor(~0UL));
	if (reaper->signals < 0)
		die_call(STEP, "cannot read signals", "signalfd4", reaper->signals);
	keep[kept++] = reaper->program_pidfd;
	keep[kept++] = reaper->signals;
	if (reaper->ends.life != NO_DESCRIPTOR)
		keep[kept++] = reaper->ends.life;
	if (reaper->ends.control != NO_DESCRIPTOR)
		keep[kept++] = reaper->ends.control;
	if (reaper->ends.factory != NO_DESCRIPTOR)
		keep[kept++] = reaper->ends.factory;
	if (reaper->ends.place == REAPER_FRONT)
		reaper->standard_error = standard_error_keep();
	if (reaper->standard_error != NO_DESCRIPTOR)
		keep[kept++] = reaper->standard_error;
	result = descriptor_keep_only(keep, kept);
	if (result < 0)
		die_call(STEP, "cannot close inherited descriptors", "close_range", result);
	/* The front keeps its name: it is what the user started. */
	if (reaper->ends.place != REAPER_FRONT)
		arguments_replace(start, "fence: init");
}

_Noreturn static void serve(const struct start *start, struct reaper *reaper)
{
	struct message drain = { .kind = MESSAGE_DRAIN };
	int status;

	become_reaper(start, reaper);
	status = reaper_await_program(reaper);
	if (reaper->ends.place == REAPER_FRONT)
		front_end(reaper, status);
	if (reaper->ends.place == REAPER_INSIDE)
		reaper_tell(reaper, MESSAGE_ENDED, status);
	if (reaper->ends.life != NO_DESCRIPTOR)
		(void)reaper_await_drain(reaper, &drain);
	orphans_end(reaper);
	reaper_end_as(status);
}

static void give_back(const struct inherited *inherited)
{
	long result = sys_action(SIGCHLD, &inherited->on_child, NULL);

	if (result < 0)
		die_call(STEP, "cannot restore the program's signals", "rt_sigaction", result);
	result = sys_set_blocked_signals(inherited->blocked);
	if (result < 0)
		die_call(STEP, "cannot restore the program's signals", "rt_sigprocmask", result);
}

/* Without it the front takes this sandbox for one that has no program. */
static void tell_started(const struct reaper *reaper)
{
	struct message message = { .kind = MESSAGE_STARTED, .value = (uint32_t)reaper->adopts };
	long result = channel_offer(reaper->ends.control, &message, NO_DESCRIPTOR);

	if (result < 0)
		die_call(STEP, "cannot tell the front of the program", "sendmsg", result);
}

/*
 * The child is as this process was, but that it ends with it. It tells the front itself, before it is the program: a key that is
 * pressed when the program can be seen must not find a front that believes there is none.
 */
static long go_on_as_program(const struct reaper *reaper, const struct inherited *inherited, long parent)
{
	long result = sys_prctl(PR_SET_PDEATHSIG, SIGKILL);

	if (result < 0)
		die_call(STEP, "cannot bind the program to its reaper", "prctl", result);
	if (sys_getppid() != parent)
		sys_exit(EXIT_FENCE_FAILED);
	if (reaper->ends.place == REAPER_INSIDE)
		tell_started(reaper);
	give_back(inherited);
	return 0;
}

long reaper_fork(const struct start *start, const struct reaper_ends *ends)
{
	struct reaper reaper = {
		.ends = *ends,
		.factory = socket_factory_on(ends->factory),
		.program_pidfd = NO_DESCRIPTOR,
		.standard_error = NO_DESCRIPTOR,
		.exits_with = EXIT_FENCE_FAILED,
	};
	const struct sys_action by_default = { .handler = 0 };
	struct inherited inherited = { .blocked = 0 };
	long self = sys_getpid();
	long result = sys_block_signals(&inherited.blocked);

	if (result < 0)
		die_call(STEP, "cannot block signals", "rt_sigprocmask", result);
	/* Children of a process that ignores it leave no status, wait(2). */
	result = sys_action(SIGCHLD, &by_default, &inherited.on_child);
	if (result < 0)
		die_call(STEP, "cannot take signals over", "rt_sigaction", result);
	orphans_adopt(&reaper);
	reaper.program = sys_fork(&reaper.program_pidfd);
	if (reaper.program == 0)
		return go_on_as_program(&reaper, &inherited, self);
	if (reaper.program > 0)
		serve(start, &reaper);
	give_back(&inherited);
	return reaper.program;
}
