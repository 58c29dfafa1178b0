/* The front of a launcher, which waits for the sandbox: see reaper-parts.h. */
#include "reaper-parts.h"

#include "channel.h"
#include "descriptor.h"
#include "fail.h"
#include "standard-error.h"
#include "terminal.h"

/*
 * Whoever is PID 1 in the sandbox takes all of it along. Without a PID namespace the reaper there has to end what the program
 * left behind, and must not be killed: it sees that control is closed.
 */
static void end_sandbox(struct reaper *reaper)
{
	if (!reaper->ends_alone || reaper->ends.control == NO_DESCRIPTOR) {
		reaper_signal_program(reaper, SIGKILL);
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
		reaper_signal_program(reaper, SIGKILL); /* the program has not run yet: nothing is left behind */
		break;
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		reaper_take_signal(signal);
		break;
	case SIGCONT:
		reaper_signal_program(reaper, SIGCONT);
		break;
	default:
		break;
	}
}

void front_pass_on(struct reaper *reaper, int signal, int was_for_group)
{
	long now = sys_now();

	if (!reaper->has_started) {
		answer_for_sandbox(reaper, signal);
		return;
	}
	if (was_for_group)
		return;
	/*
	 * The terminal stops whoever reads it from the background, with the whole group: bubblewrap too, which could not even end
	 * then. Whoever continues this process alone means it as well. In its place there may be the reaper, which never stops.
	 */
	if (signal == SIGCONT && !reaper->ends_alone)
		reaper_signal_program(reaper, SIGCONT);
	/* Whoever continues a stopped job means all of it, so the program may be running, or have stopped once more. */
	if (signal == SIGCONT && reaper->stopped_after != 0) {
		reaper_tell(reaper, MESSAGE_GO_ON, (int)reaper->stopped_after);
		reaper->stopped_after = 0;
		return;
	}
	reaper_tell(reaper, MESSAGE_SIGNAL, signal);
	if (signal != SIGINT && signal != SIGTERM)
		return;
	/* Who asks it to end again is not to wait for it. */
	if (reaper->asked_at != 0 && now - reaper->asked_at > SAME_SIGNAL_MILLISECONDS)
		end_sandbox(reaper);
	else if (reaper->asked_at == 0)
		reaper->asked_at = now;
}

void front_hear_sandbox(struct reaper *reaper, const struct message *message)
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
			reaper_tell(reaper, MESSAGE_STOPPED, (int)message->value);
		reaper->asks_stop = 1;
		break;
	case MESSAGE_STOP:
		reaper->asks_stop = 0;
		/* The shell that waits for this process sees the stop; nobody would continue it after the end. */
		if (message->value < 1 || message->value > LAST_SIGNAL || reaper_has_ended(reaper->program_pidfd))
			break;
		reaper->stopped_after = reaper->stops;
		reaper_take_signal((int)message->value);
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

/*
 * The launcher that ends before its sandbox has crashed, or was killed: nothing serves the sandbox. That is said first: as
 * long as the program has standard error, too, whoever reads it has not seen its end.
 */
static void tell_of_launcher(const struct reaper *reaper)
{
	struct failure failure = {
		.message = "the launcher has ended before its sandbox, which ends with it",
		.step = "serve-sandbox",
		.hint = "it was killed, or its own message stands above; the kernel's log says whether memory ran out",
		.code = "FENCE_LAUNCH",
	};

	if (reaper->ends.is_attached)
		failure.hint = "the service that has launched it ended, or was killed; the kernel's log says whether memory ran out";
	if (reaper->ends.is_attached && !reaper->has_started) {
		failure.message = "the service ended before the program was started";
		failure.step = "attach";
		failure.hint = "the service was killed, was told to end, or expects no such start";
	}
	standard_error_restore(reaper->standard_error);
	fail_print(&failure);
}

void front_hear_launcher(struct reaper *reaper)
{
	struct delivery delivery;

	if (channel_receive(reaper->ends.life, &delivery, NULL, 0) < 0 || delivery.message.kind != MESSAGE_EXIT)
		tell_of_launcher(reaper);
	else
		reaper->exits_with = (int)delivery.message.value; /* it has failed, and said why */
	reaper->ends.life = NO_DESCRIPTOR;
	end_sandbox(reaper);
}

_Noreturn void front_end(struct reaper *reaper, int status)
{
	struct sys_poll said = { .fd = reaper->ends.control, .events = POLLIN };
	struct message message = { .kind = 0 };
	uint32_t answer;
	int is_explained;

	/* bubblewrap's child is bound to it only when its work is done: it would go on, or wait for ever. */
	orphans_end(reaper);
	while (reaper->ends.control != NO_DESCRIPTOR && sys_poll(&said, 1, 0) > 0) /* what it said last */
		reaper_hear(reaper);
	terminal_take_back();
	message.index = (uint32_t)reaper->has_status;
	message.value = (uint32_t)(reaper->has_status ? reaper->status : status);
	if (reaper->ends.life == NO_DESCRIPTOR)
		sys_exit(reaper->exits_with);
	if (reaper->ended_by != 0)
		message.value = (uint32_t)reaper->ended_by, message.index = 1;
	status = (int)message.value;
	/* A service has its own way to say what became of a command, and whoever has started it waits for that, too. */
	if (reaper->ends.is_attached && reaper->has_status) {
		message.kind = MESSAGE_DRAIN;
		(void)channel_offer(reaper->ends.life, &message, NO_DESCRIPTOR);
		reaper_end_as(status);
	}
	is_explained = message.index != 0 || reaper->has_started;
	answer = reaper_await_drain(reaper, &message);
	if (answer == MESSAGE_EXIT)
		sys_exit((int)message.value);
	if (!is_explained && answer != MESSAGE_DRAIN) { /* nobody has told bubblewrap's end from the program's */
		if (reaper_has_ended(reaper->ends.life))
			tell_of_launcher(reaper);
		sys_exit(EXIT_FENCE_FAILED);
	}
	reaper_end_as(status);
}
