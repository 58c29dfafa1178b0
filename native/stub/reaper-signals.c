/* Signals: those that reach the reaper, and those that it sends. See reaper-parts.h. */
#include "reaper-parts.h"

#define SI_KERNEL 0x80 /* sigaction(2) */

void reaper_take_signal(int signal)
{
	/* These cannot fail with their arguments; PID 1 stays as it is, pid_namespaces(7). */
	(void)sys_default_action(signal);
	(void)sys_kill(sys_getpid(), signal); /* blocked: together with one that is pending it is taken once */
	(void)sys_set_blocked_signals(~(1UL << (signal - 1)));
	(void)sys_set_blocked_signals(~0UL);
}

/* Not by its PID, which is another process's when it has ended. */
void reaper_signal_program(const struct reaper *reaper, int signal)
{
	(void)sys_pidfd_send_signal(reaper->program_pidfd, signal);
}

/* The signals that ask to end at once, whatever is still being delivered. */
static int asks_to_end(uint32_t signal)
{
	return signal == SIGHUP || signal == SIGINT || signal == SIGQUIT || signal == SIGTERM;
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

/*
 * Inside, what comes from without is the front's to pass on: its sender meant the front, or the whole group, and then the
 * program has it. PID 1 sees senders of its own namespace alone.
 */
static void pass_on(struct reaper *reaper, const struct sys_signal *signal)
{
	int is_inside = reaper->ends.place == REAPER_INSIDE;

	if (reaper->ends.place == REAPER_FRONT) {
		front_pass_on(reaper, (int)signal->number, was_for_group(signal));
		return;
	}
	if (is_inside)
		reaper->received_at[signal->number] = sys_now();
	if (was_for_group(signal) || (long)signal->pid == reaper->program)
		return;
	if (!is_inside || (signal->pid != 0 && sys_getpid() == 1))
		reaper_signal_program(reaper, (int)signal->number);
}

int reaper_forward_signals(struct reaper *reaper)
{
	struct sys_signal signal;
	int ends = 0;

	while (sys_read(reaper->signals, &signal, sizeof(signal)) == sizeof(signal)) {
		if (signal.number == SIGCHLD || signal.number > LAST_SIGNAL)
			continue;
		ends |= asks_to_end(signal.number) && (reaper->ignored & BIT(signal.number)) == 0;
		pass_on(reaper, &signal);
	}
	return ends;
}

_Noreturn void reaper_end_as(int status)
{
	if (SIGNAL_OF(status) == 0)
		sys_exit(EXIT_OF(status));
	reaper_take_signal(SIGNAL_OF(status));
	sys_exit(128 + SIGNAL_OF(status));
}
