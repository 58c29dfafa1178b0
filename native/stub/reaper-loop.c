/* Waits for the program, and for all else that a reaper hears meanwhile: see reaper-parts.h. */
#include "reaper-parts.h"

#include "channel.h"
#include "descriptor.h"
#include "fail.h"

#define CONTINUED(status) ((status) == 0xffff)
/* The keeper ends by itself before that. */
#define DRAIN_MILLISECONDS 65000
#define MAX_FAILURES 10 /* of wait4(2), one after the other */

int reaper_has_ended(int descriptor)
{
	struct sys_poll poll = { .fd = descriptor, .events = POLLIN };

	return sys_poll(&poll, 1, 0) == 1;
}

/* PID 1 cannot stop: the front does. bubblewrap, which the front waits for, is nobody's job. */
static void on_stopped(const struct reaper *reaper, int signal)
{
	if (reaper->ends.place == REAPER_ALONE)
		reaper_take_signal(signal);
	else if (reaper->ends.place == REAPER_INSIDE)
		reaper_tell(reaper, MESSAGE_STOPPED, signal);
}

long reaper_reap(struct reaper *reaper, int *status)
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

/* Waits for a signal, or a word of the other end. @patience as of poll(2). */
static void await_event(struct reaper *reaper, long patience)
{
	struct sys_poll polls[] = {
		{ .fd = reaper->signals, .events = POLLIN },
		{ .fd = reaper->ends.control, .events = POLLIN },
		{ .fd = reaper->ends.place == REAPER_FRONT ? reaper->ends.life : NO_DESCRIPTOR, .events = POLLIN },
		{ .fd = reaper->factory.socket, .events = reaper->factory.awaits },
	};

	(void)sys_poll(polls, sizeof(polls) / sizeof(polls[0]), patience); /* interrupted: the caller looks again */
	/*
	 * A signal to the whole process group reaches its youngest members first: inside, this process has its own when the
	 * front passes its on. The front must know first whether the sandbox has its program.
	 */
	if (reaper->ends.place == REAPER_INSIDE)
		(void)reaper_forward_signals(reaper);
	if (polls[1].happened != 0)
		reaper_hear(reaper);
	if (polls[2].happened != 0)
		front_hear_launcher(reaper);
	socket_factory_serve(&reaper->factory, polls[3].happened);
	(void)reaper_forward_signals(reaper);
}

int reaper_await_program(struct reaper *reaper)
{
	int status = 0, failures = 0;
	long result;

	while ((result = reaper_reap(reaper, &status)) <= 0) {
		inside_answer_front(reaper);
		failures = result < 0 ? failures + 1 : 0;
		if (failures > MAX_FAILURES && reaper_has_ended(reaper->program_pidfd))
			return EXIT_FENCE_FAILED << 8; /* nobody can tell how */
		await_event(reaper, result < 0 ? LOOK_AGAIN_MILLISECONDS : -1); /* SIGCHLD is among the signals */
	}
	return status;
}

uint32_t reaper_await_drain(struct reaper *reaper, struct message *message)
{
	struct sys_poll polls[] = {
		{ .fd = reaper->signals, .events = POLLIN },
		{ .fd = reaper->ends.life, .events = POLLIN },
	};
	long end = sys_now() + DRAIN_MILLISECONDS;
	struct delivery delivery;
	long result;
	int status;

	message->kind = MESSAGE_DRAIN;
	result = channel_send(reaper->ends.life, message, NO_DESCRIPTOR);
	if (result < 0 && result != -EPIPE && result != -ECONNRESET)
		return 0; /* whoever is not told does not answer; whoever has gone may have left a word */
	while (polls[1].happened == 0 && sys_now() < end) {
		(void)sys_poll(polls, sizeof(polls) / sizeof(polls[0]), end - sys_now());
		if (reaper_forward_signals(reaper))
			return 0;
		(void)reaper_reap(reaper, &status);
	}
	if (polls[1].happened == 0 || channel_receive(reaper->ends.life, &delivery, NULL, 0) < 0)
		return 0;
	*message = delivery.message;
	return message->kind;
}
