/* The program's reaper: see reaper.h. */
#include "reaper.h"

#include "arguments.h"
#include "channel.h"
#include "descriptor.h"
#include "fail.h"
#include "restrict.h"
#include "standard-error.h"
#include "sys.h"

#define STEP "init"
#define SI_KERNEL 0x80 /* sigaction(2) */
#define STOPPED(status) (((status) & 0xff) == 0x7f)
#define CONTINUED(status) ((status) == 0xffff)
#define SIGNAL_OF(status) ((status) & 0x7f)
#define EXIT_OF(status) (((status) >> 8) & 0xff)
/* The keeper ends by itself before that. */
#define DRAIN_MILLISECONDS 65000
#define LOOK_AGAIN_MILLISECONDS 100
#define MAX_FAILURES 10 /* of wait4(2), one after the other */
/* What reaches both the front and the sandbox within this time was sent to the whole process group. */
#define SAME_SIGNAL_MILLISECONDS 500
#define BIT(signal) (1UL << ((signal) - 1))
/* How long killed processes may take to be gone; one that waits for a disk can take longer than anybody waits. */
#define END_MILLISECONDS 5000

/* What was changed for a moment and is the program's again. */
struct inherited {
	uint64_t blocked;
	struct sys_action on_child;
};

struct reaper {
	struct reaper_ends ends;
	long program;
	int program_pidfd;
	int signals;
	int standard_error;		      /* front: for its last words */
	uint64_t ignored;		      /* by the caller: a bit for each signal */
	long received_at[LAST_SIGNAL + 1];    /* inside: when this process got the signal itself; 0: never */
	int is_stopped;			      /* the program */
	uint32_t stops;			      /* how many the program has made; front: as it was told last */
	uint32_t stopped_after;		      /* front: the stop with which it stopped itself, until it was continued; 0: none */
	uint32_t goes_on_after;		      /* inside: the stop after which the front was continued; 0: it was not */
	int stop_asked;			      /* inside: the front wants to know whether that is still so, this signal */
	int asks_stop;			      /* front: it has asked, and awaits the answer */
	int has_started;		      /* front: the sandbox has its program */
	int ended_by;			      /* front: the signal that came before it had */
	long asked_at;			      /* front: when somebody last asked it to end */
	int ends_alone;			      /* front: the sandbox ends all of itself when it loses us */
	int adopts;			      /* inside: this process is no PID 1, but gets orphans as one does */
	int exits_with;			      /* front: when the launcher does not see the sandbox's end */
	int has_status;			      /* front: the program has ended, with this */
	int status;
};

/* The signals that ask to end at once, whatever is still being delivered. */
static int asks_to_end(uint32_t signal)
{
	return signal == SIGHUP || signal == SIGINT || signal == SIGQUIT || signal == SIGTERM;
}

static void tell(const struct reaper *reaper, enum message_kind kind, int value)
{
	struct message message = { .kind = kind, .value = (uint32_t)value, .index = reaper->stops };

	/*
	 * Whoever is gone needs no telling; its end is seen elsewhere. Whoever does not listen, having been stopped, is waited
	 * for with the end alone: this process has its program to look after, and each might wait for the other.
	 */
	if (kind == MESSAGE_ENDED)
		(void)channel_send(reaper->ends.control, &message, NO_DESCRIPTOR);
	else
		(void)channel_offer(reaper->ends.control, &message, NO_DESCRIPTOR);
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

/* Not by its PID, which is another process's when it has ended. */
static void send_program(const struct reaper *reaper, int signal)
{
	(void)sys_pidfd_send_signal(reaper->program_pidfd, signal);
}

/*
 * Whoever is PID 1 in the sandbox takes all of it along. Without a PID namespace the reaper there has to end what the program
 * left behind, and must not be killed: it sees that control is closed.
 */
static void end_sandbox(struct reaper *reaper)
{
	if (!reaper->ends_alone || reaper->ends.control == NO_DESCRIPTOR) {
		send_program(reaper, SIGKILL);
		return;
	}
	(void)sys_close(reaper->ends.control);
	reaper->ends.control = NO_DESCRIPTOR;
}

/*
 * The front as long as the sandbox has no program: a wish to end ends it at once, a wish to stop stops this process, so
 * that the shell takes the terminal back. What becomes bubblewrap may have stopped as well.
 */
static void answer_for_sandbox(struct reaper *reaper, int signal)
{
	if ((reaper->ignored & BIT(signal)) != 0)
		return;
	switch (signal) {
	case SIGHUP:
	case SIGINT:
	case SIGQUIT:
	case SIGTERM:
		reaper->ended_by = signal;
		send_program(reaper, SIGKILL); /* the program has not run yet: nothing is left behind */
		break;
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		take_signal(signal);
		break;
	case SIGCONT:
		send_program(reaper, SIGCONT);
		break;
	default:
		break;
	}
}

/* The front's part: it is the program's to answer, and who asks it to end again is not to wait for it. */
static void pass_to_sandbox(struct reaper *reaper, const struct sys_signal *signal)
{
	int number = (int)signal->number;
	int was_there = was_for_group(signal);
	long now = sys_now();

	if (!reaper->has_started) {
		answer_for_sandbox(reaper, number);
		return;
	}
	if (was_there)
		return;
	/* Whoever continues a stopped job means all of it, so the program may be running, or have stopped once more. */
	if (number == SIGCONT && reaper->stopped_after != 0) {
		tell(reaper, MESSAGE_GO_ON, (int)reaper->stopped_after);
		reaper->stopped_after = 0;
		return;
	}
	tell(reaper, MESSAGE_SIGNAL, number);
	if (number != SIGINT && number != SIGTERM)
		return;
	if (reaper->asked_at != 0 && now - reaper->asked_at > SAME_SIGNAL_MILLISECONDS)
		end_sandbox(reaper);
	else if (reaper->asked_at == 0)
		reaper->asked_at = now;
}

/*
 * Inside, what comes from without is the front's to pass on: its sender meant the front, or the whole group, and then the
 * program has it. PID 1 sees senders of its own namespace alone.
 */
static void pass_on(struct reaper *reaper, const struct sys_signal *signal)
{
	int is_inside = reaper->ends.place == REAPER_INSIDE;

	if (reaper->ends.place == REAPER_FRONT) {
		pass_to_sandbox(reaper, signal);
		return;
	}
	if (is_inside)
		reaper->received_at[signal->number] = sys_now();
	if (was_for_group(signal) || (long)signal->pid == reaper->program)
		return;
	if (!is_inside || (signal->pid != 0 && sys_getpid() == 1))
		send_program(reaper, (int)signal->number);
}

/* Passes the signals that were sent to this process alone on to the program. Returns whether one asked to end. */
static int forward_signals(struct reaper *reaper)
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

/* Whose pidfd it is, or who had the other end alone. */
static int has_ended(int descriptor)
{
	struct sys_poll poll = { .fd = descriptor, .events = POLLIN };

	return sys_poll(&poll, 1, 0) == 1;
}

/* What the sandbox tells the front. */
static void on_sandbox(struct reaper *reaper, const struct message *message)
{
	switch (message->kind) {
	case MESSAGE_STARTED:
		reaper->has_started = 1;
		reaper->ends_alone = message->value != 0;
		break;
	case MESSAGE_STOPPED:
		/*
		 * The terminal's signal may have stopped this process before it heard that, in the moment after an earlier
		 * stop: then the program goes on by now, and nobody would continue this process a second time.
		 */
		if (message->value < 1 || message->value > LAST_SIGNAL)
			break;
		reaper->stops = message->index;
		if (!reaper->asks_stop)
			tell(reaper, MESSAGE_STOPPED, (int)message->value);
		reaper->asks_stop = 1;
		break;
	case MESSAGE_STOP:
		reaper->asks_stop = 0;
		/* The shell that waits for this process sees the stop; nobody would continue it after the end. */
		if (message->value < 1 || message->value > LAST_SIGNAL || has_ended(reaper->program_pidfd))
			break;
		reaper->stopped_after = reaper->stops;
		take_signal((int)message->value);
		break;
	case MESSAGE_ENDED:
		if (SIGNAL_OF(message->value) > LAST_SIGNAL)
			break;
		reaper->has_status = 1;
		reaper->status = (int)message->value;
		break;
	default:
		break;
	}
}

/* A message of the other end of control, which poll(2) has announced. */
static void hear_control(struct reaper *reaper)
{
	struct delivery delivery;
	uint32_t number;
	long at;

	if (channel_receive(reaper->ends.control, &delivery, NULL, 0) < 0) {
		(void)sys_close(reaper->ends.control);
		reaper->ends.control = NO_DESCRIPTOR;
		if (reaper->ends.place == REAPER_INSIDE)
			send_program(reaper, SIGKILL); /* nobody is left to run it for */
		return;
	}
	if (reaper->ends.place == REAPER_FRONT) {
		on_sandbox(reaper, &delivery.message);
		return;
	}
	number = delivery.message.value;
	if (delivery.message.kind == MESSAGE_GO_ON) {
		reaper->goes_on_after = number; /* likewise */
		return;
	}
	if (number < 1 || number > LAST_SIGNAL)
		return;
	if (delivery.message.kind == MESSAGE_STOPPED)
		reaper->stop_asked = (int)number; /* answered when it is known, see answer_front() */
	if (delivery.message.kind != MESSAGE_SIGNAL)
		return;
	at = reaper->received_at[number];
	if (at == 0 || sys_now() - at > SAME_SIGNAL_MILLISECONDS)
		send_program(reaper, (int)number);
}

/* PID 1 cannot stop: the front does. bubblewrap, which the front waits for, is nobody's job. */
static void on_stopped(const struct reaper *reaper, int signal)
{
	if (reaper->ends.place == REAPER_ALONE)
		take_signal(signal);
	else if (reaper->ends.place == REAPER_INSIDE)
		tell(reaper, MESSAGE_STOPPED, signal);
}

/* Reaps whoever has ended. Returns 1 with the program's @status when it was the program, 0 when not, -errno. */
static long reap(struct reaper *reaper, int *status)
{
	int found = 0, ended = 0;
	long pid;

	while ((pid = sys_wait_any(&found)) > 0) {
		if (pid != reaper->program)
			continue;
		reaper->is_stopped = STOPPED(found);
		if (STOPPED(found)) {
			reaper->stops++;
			on_stopped(reaper, EXIT_OF(found));
		} else if (!CONTINUED(found)) {
			*status = found;
			ended = 1;
		}
	}
	return ended ? 1 : pid;
}

/*
 * After reap(), which knows whether the program has gone on. It is continued only out of the stop that the front meant: a
 * shell continues the whole job, and then the next Ctrl-Z may have come already.
 */
static void answer_front(struct reaper *reaper)
{
	if (reaper->goes_on_after != 0 && reaper->is_stopped && reaper->stops == reaper->goes_on_after)
		send_program(reaper, SIGCONT);
	reaper->goes_on_after = 0;
	if (reaper->stop_asked != 0)
		tell(reaper, MESSAGE_STOP, reaper->is_stopped ? reaper->stop_asked : 0);
	reaper->stop_asked = 0;
}

/*
 * The launcher that ends before its sandbox has crashed, or was killed: nothing serves the sandbox. That is said first: as
 * long as the program has standard error, too, whoever reads it has not seen its end.
 */
static void tell_of_launcher(const struct reaper *reaper)
{
	const struct failure failure = {
		.message = "the launcher has ended before its sandbox, which ends with it",
		.step = "serve-sandbox",
		.hint = reaper->ends.is_attached
				? "the service that has launched it ended, or was killed; the kernel's log says whether memory ran out"
				: "it was killed, or its own message stands above; the kernel's log says whether memory ran out",
		.code = "FENCE_LAUNCH",
	};

	standard_error_restore(reaper->standard_error);
	fail_print(&failure);
}

/* A word of the launcher's before the sandbox has ended, or its end. */
static void hear_launcher(struct reaper *reaper)
{
	struct delivery delivery;

	if (channel_receive(reaper->ends.life, &delivery, NULL, 0) < 0 || delivery.message.kind != MESSAGE_EXIT)
		tell_of_launcher(reaper);
	else
		reaper->exits_with = (int)delivery.message.value; /* it has failed, and said why */
	reaper->ends.life = NO_DESCRIPTOR;
	end_sandbox(reaper);
}

/* Waits for a signal, or a word of the other end. @patience as of poll(2). */
static void await_event(struct reaper *reaper, long patience)
{
	struct sys_poll polls[] = {
		{ .fd = reaper->signals, .events = POLLIN },
		{ .fd = reaper->ends.control, .events = POLLIN },
		{ .fd = reaper->ends.place == REAPER_FRONT ? reaper->ends.life : NO_DESCRIPTOR, .events = POLLIN },
	};

	(void)sys_poll(polls, sizeof(polls) / sizeof(polls[0]), patience); /* interrupted: the caller looks again */
	/*
	 * A signal to the whole process group reaches its youngest members first: inside, this process has its own when the
	 * front passes its on. The front must know first whether the sandbox has its program.
	 */
	if (reaper->ends.place == REAPER_INSIDE)
		(void)forward_signals(reaper);
	if (polls[1].happened != 0)
		hear_control(reaper);
	if (polls[2].happened != 0)
		hear_launcher(reaper);
	(void)forward_signals(reaper);
}

static int await_program(struct reaper *reaper)
{
	int status = 0, failures = 0;
	long result;

	while ((result = reap(reaper, &status)) <= 0) {
		answer_front(reaper);
		failures = result < 0 ? failures + 1 : 0;
		if (failures > MAX_FAILURES && has_ended(reaper->program_pidfd))
			return EXIT_FENCE_FAILED << 8; /* nobody can tell how */
		await_event(reaper, result < 0 ? LOOK_AGAIN_MILLISECONDS : -1); /* SIGCHLD is among the signals */
	}
	return status;
}

/* Until whoever drains has ended, which closes its end, or somebody has no patience. Returns its answer's kind or 0. */
static uint32_t await_drain(struct reaper *reaper, struct message *message)
{
	struct sys_poll polls[] = {
		{ .fd = reaper->signals, .events = POLLIN },
		{ .fd = reaper->ends.life, .events = POLLIN },
	};
	long end = sys_now() + DRAIN_MILLISECONDS;
	struct delivery delivery;
	int status;

	message->kind = MESSAGE_DRAIN;
	if (channel_send(reaper->ends.life, message, NO_DESCRIPTOR) < 0)
		return 0; /* there is nobody, or nobody any more */
	while (polls[1].happened == 0 && sys_now() < end) {
		(void)sys_poll(polls, sizeof(polls) / sizeof(polls[0]), end - sys_now());
		if (forward_signals(reaper))
			return 0;
		(void)reap(reaper, &status);
	}
	if (polls[1].happened == 0 || channel_receive(reaper->ends.life, &delivery, NULL, 0) < 0)
		return 0;
	*message = delivery.message;
	return message->kind;
}

/*
 * Gets the orphans of the program as PID 1 would, prctl(2). It is not to be killed with the front: then nobody would end them.
 * Both calls cannot fail with these arguments.
 */
static void adopt_orphans(struct reaper *reaper)
{
	if (reaper->ends.place != REAPER_INSIDE || sys_getpid() == 1)
		return;
	reaper->adopts = sys_prctl(PR_SET_CHILD_SUBREAPER, 1) >= 0;
	if (reaper->adopts)
		(void)sys_prctl(PR_SET_PDEATHSIG, 0);
}

/* Kills every child of this process, proc_pid_task_children(5). A number stays a child's until it is waited for. */
static void kill_children(void)
{
	char numbers[512];
	long pid = 0, length, fd = sys_open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return; /* a kernel without CONFIG_PROC_CHILDREN: docs/backend-landlock.md */
	while ((length = sys_read((int)fd, numbers, sizeof(numbers))) > 0) {
		for (long i = 0; i < length; i++) {
			if (numbers[i] >= '0' && numbers[i] <= '9') {
				pid = pid * 10 + (numbers[i] - '0');
				continue;
			}
			if (pid > 1)
				(void)sys_kill(pid, SIGKILL);
			pid = 0;
		}
	}
	(void)sys_close((int)fd);
}

/* What the program has left behind ends with it, as it would with a PID namespace: the children of those killed come next. */
static void end_orphans(struct reaper *reaper)
{
	long end = sys_now() + END_MILLISECONDS;
	int status;

	while (reaper->adopts && sys_now() < end) {
		struct sys_poll ended = { .fd = reaper->signals, .events = POLLIN };

		kill_children();
		if (reap(reaper, &status) < 0) /* ECHILD */
			return;
		(void)sys_poll(&ended, 1, LOOK_AGAIN_MILLISECONDS);
		(void)forward_signals(reaper);
	}
}

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
	adopt_orphans(reaper);
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

/* Ends as the program did: whoever waits sees the same. No core, this process is not dumpable. */
_Noreturn static void end_as(int status)
{
	if (SIGNAL_OF(status) == 0)
		sys_exit(EXIT_OF(status));
	take_signal(SIGNAL_OF(status));
	sys_exit(128 + SIGNAL_OF(status));
}

/*
 * A shell in the sandbox that made a process group of its own the foreground one cannot give the terminal back: the group
 * that had it before has no number in there. When nobody has it, it is this process's group's again.
 */
static void take_terminal_back(void)
{
	int terminal = (int)sys_open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC), foreground = 0;
	const int own = (int)sys_getpgrp();

	if (terminal < 0)
		return; /* there is none */
	if (sys_get_foreground(terminal, &foreground) >= 0 && foreground > 0 && sys_kill(-foreground, 0) == -ESRCH)
		(void)sys_set_foreground(terminal, &own); /* SIGTTOU is blocked, so that this is allowed, tcsetpgrp(3) */
	(void)sys_close(terminal);
}

/* bubblewrap has ended; the sandbox may have told what its program ended with, and the launcher knows what that means. */
_Noreturn static void end_front(struct reaper *reaper, int status)
{
	struct sys_poll said = { .fd = reaper->ends.control, .events = POLLIN };
	struct message message = { .kind = 0 };
	int is_explained;

	while (reaper->ends.control != NO_DESCRIPTOR && sys_poll(&said, 1, 0) > 0) /* what it said last */
		hear_control(reaper);
	take_terminal_back();
	message.index = (uint32_t)reaper->has_status;
	message.value = (uint32_t)(reaper->has_status ? reaper->status : status);
	if (reaper->ends.life == NO_DESCRIPTOR)
		sys_exit(reaper->exits_with);
	if (reaper->ended_by != 0)
		message.value = (uint32_t)reaper->ended_by, message.index = 1;
	status = (int)message.value;
	is_explained = message.index != 0 || reaper->has_started;
	if (await_drain(reaper, &message) == MESSAGE_EXIT)
		sys_exit((int)message.value);
	if (!is_explained && !has_ended(reaper->ends.life)) /* nobody waited for who tells bubblewrap's end from the program's */
		sys_exit(EXIT_FENCE_FAILED);
	end_as(status);
}

_Noreturn static void serve(const struct start *start, struct reaper *reaper)
{
	struct message drain = { .kind = MESSAGE_DRAIN };
	int status;

	become_reaper(start, reaper);
	if (reaper->ends.place == REAPER_INSIDE)
		tell(reaper, MESSAGE_STARTED, reaper->adopts);
	status = await_program(reaper);
	if (reaper->ends.place == REAPER_FRONT)
		end_front(reaper, status);
	if (reaper->ends.place == REAPER_INSIDE)
		tell(reaper, MESSAGE_ENDED, status);
	if (reaper->ends.life != NO_DESCRIPTOR)
		(void)await_drain(reaper, &drain);
	end_orphans(reaper);
	end_as(status);
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

long reaper_fork(const struct start *start, const struct reaper_ends *ends)
{
	struct reaper reaper = {
		.ends = *ends,
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
	reaper.program = sys_fork(&reaper.program_pidfd);
	if (reaper.program == 0)
		return go_on_as_program(&inherited, self);
	if (reaper.program > 0)
		serve(start, &reaper);
	give_back(&inherited);
	return reaper.program;
}
