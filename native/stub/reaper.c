/* `--init`: see reaper.h. */
#include "reaper.h"

#include "arguments.h"
#include "channel.h"
#include "descriptor.h"
#include "fail.h"
#include "restrict.h"
#include "sys.h"

#define STEP "init"
#define LAST_SIGNAL 64
#define SI_KERNEL 0x80 /* sigaction(2) */
#define STOPPED(status) (((status) & 0xff) == 0x7f)
#define SIGNAL_OF(status) ((status) & 0x7f)
#define EXIT_OF(status) (((status) >> 8) & 0xff)
/* The keeper ends by itself before that. */
#define DRAIN_MILLISECONDS 65000
#define LOOK_AGAIN_MILLISECONDS 100
#define MAX_FAILURES 10 /* of wait4(2), one after the other */

/* What was changed for a moment and is the program's again. */
struct inherited {
	uint64_t blocked;
	struct sys_action on_child;
};

struct reaper {
	long program;
	int program_pidfd;
	int signals;
	int life;
};

/* The signals that ask to end at once, whatever is still being delivered. */
static int asks_to_end(uint32_t signal)
{
	return signal == SIGHUP || signal == SIGINT || signal == SIGQUIT || signal == SIGTERM;
}

/* Lets the signal have its default effect on this process. Returns when it has none, or when it was continued. */
static void take_signal(int signal)
{
	/* These cannot fail with their arguments; PID 1 stays as it is, pid_namespaces(7). */
	(void)sys_default_action(signal);
	(void)sys_kill(sys_getpid(), signal); /* blocked: together with one that is pending it is taken once */
	(void)sys_set_blocked_signals(~(1UL << (signal - 1)));
	(void)sys_set_blocked_signals(~0UL);
}

/*
 * Whether the program has it already, because the terminal's driver has sent it to the whole process group. A hang-up
 * is for the leader of the session alone; a timer's signal is for whoever started it before it became us.
 */
static int was_for_group(const struct sys_signal *signal)
{
	if (signal->code != SI_KERNEL)
		return 0;
	switch (signal->number) {
	case SIGINT:
	case SIGQUIT:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
	case SIGWINCH:
		return 1;
	case SIGHUP:
	case SIGCONT:
		return sys_getsid() != sys_getpid();
	default:
		return 0;
	}
}

/* Passes the signals that were sent to this process alone on to the program. Returns whether one asked to end. */
static int forward_signals(const struct reaper *reaper)
{
	struct sys_signal signal;
	int ends = 0;

	while (sys_read(reaper->signals, &signal, sizeof(signal)) == sizeof(signal)) {
		ends |= asks_to_end(signal.number);
		if (signal.number == SIGCHLD || was_for_group(&signal) || (long)signal.pid == reaper->program)
			continue;
		/* Not by its PID, which is another process's when it has ended. */
		(void)sys_pidfd_send_signal(reaper->program_pidfd, (int)signal.number);
	}
	return ends;
}

/* Reaps whoever has ended. Returns 1 with the program's @status when it was the program, 0 when not, -errno. */
static long reap(const struct reaper *reaper, int *status)
{
	int found = 0, ended = 0;
	long pid;

	while ((pid = sys_wait_any(&found)) > 0) {
		if (pid != reaper->program)
			continue;
		if (STOPPED(found)) {
			take_signal(EXIT_OF(found)); /* the shell that waits for this process sees the stop */
		} else {
			*status = found;
			ended = 1;
		}
	}
	return ended ? 1 : pid;
}

static int has_ended(int pidfd)
{
	struct sys_poll poll = { .fd = pidfd, .events = POLLIN };

	return sys_poll(&poll, 1, 0) == 1;
}

static int await_program(const struct reaper *reaper)
{
	struct sys_poll poll = { .fd = reaper->signals, .events = POLLIN };
	int status = 0, failures = 0;
	long result;

	while ((result = reap(reaper, &status)) <= 0) {
		failures = result < 0 ? failures + 1 : 0;
		if (failures > MAX_FAILURES && has_ended(reaper->program_pidfd))
			return EXIT_FENCE_FAILED << 8; /* nobody can tell how */
		/* SIGCHLD is among them; interrupted: look again */
		(void)sys_poll(&poll, 1, result < 0 ? LOOK_AGAIN_MILLISECONDS : -1);
		(void)forward_signals(reaper);
	}
	return status;
}

/* Until the keeper has ended, which closes its end, or somebody has no patience. */
static void await_drain(const struct reaper *reaper)
{
	struct message drain = { .kind = MESSAGE_DRAIN };
	struct sys_poll polls[] = {
		{ .fd = reaper->signals, .events = POLLIN },
		{ .fd = reaper->life, .events = POLLIN },
	};
	long end = sys_now() + DRAIN_MILLISECONDS;
	int status;

	if (channel_send(reaper->life, &drain, NO_DESCRIPTOR) < 0)
		return; /* there is no keeper, or none any more */
	while (polls[1].happened == 0 && sys_now() < end) {
		(void)sys_poll(polls, sizeof(polls) / sizeof(polls[0]), end - sys_now());
		if (forward_signals(reaper))
			return;
		(void)reap(reaper, &status);
	}
}

/* Gives up all that the program alone may have. Standard error goes last: until then it can be told what failed. */
static void become_reaper(const struct start *start, struct reaper *reaper)
{
	long result = restrict_no_new_privs();
	int keep[3];

	if (result < 0)
		die_call(STEP, "cannot set no_new_privs", "prctl", result);
	/* A program that has changed its user is still to be told when to end. */
	result = restrict_capabilities(1U << CAP_KILL);
	if (result < 0)
		die_call(STEP, "cannot give privileges up", "capset", result);
	(void)sys_chdir("/"); /* the caller's directory is not to be kept busy; without a reason to fail */
	/* Signals that are ignored never reach the descriptor; those that cannot be changed are no loss. */
	for (int signal = 1; signal <= LAST_SIGNAL; signal++)
		(void)sys_default_action(signal);
	reaper->program_pidfd = descriptor_above_stdio(reaper->program_pidfd);
	if (reaper->program_pidfd < 0)
		die_call(STEP, "cannot refer to the program", "fcntl", reaper->program_pidfd);
	reaper->signals = descriptor_above_stdio(sys_signal_descriptor(~0UL));
	if (reaper->signals < 0)
		die_call(STEP, "cannot read signals", "signalfd4", reaper->signals);
	keep[0] = reaper->life;
	keep[1] = reaper->program_pidfd;
	keep[2] = reaper->signals;
	result = descriptor_keep_only(keep, sizeof(keep) / sizeof(keep[0]));
	if (result < 0)
		die_call(STEP, "cannot close inherited descriptors", "close_range", result);
	arguments_replace(start, "fence: init");
}

_Noreturn static void serve(const struct start *start, struct reaper *reaper)
{
	int status;

	become_reaper(start, reaper);
	status = await_program(reaper);
	await_drain(reaper);
	if (SIGNAL_OF(status) == 0)
		sys_exit(EXIT_OF(status));
	take_signal(SIGNAL_OF(status)); /* whoever waits sees the same death; no core, this process is not dumpable */
	sys_exit(128 + SIGNAL_OF(status));
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

/* The child is as this process was, but that it ends with it. */
static long go_on_as_program(const struct inherited *inherited, long parent)
{
	long result = sys_prctl(PR_SET_PDEATHSIG, SIGKILL);

	if (result < 0)
		die_call(STEP, "cannot bind the program to its reaper", "prctl", result);
	if (sys_getppid() != parent)
		sys_exit(EXIT_FENCE_FAILED);
	give_back(inherited);
	return 0;
}

long reaper_fork(const struct start *start, int life)
{
	struct reaper reaper = { .life = life, .program_pidfd = NO_DESCRIPTOR };
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
	reaper.program = sys_fork(&reaper.program_pidfd);
	if (reaper.program == 0)
		return go_on_as_program(&inherited, self);
	if (reaper.program > 0)
		serve(start, &reaper);
	give_back(&inherited);
	return reaper.program;
}
