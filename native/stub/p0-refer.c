/* What P0 answers: descriptors, and who becomes the program. See p0.h. */
#include "p0.h"

#include "descriptor.h"
#include "front.h"
#include "given.h"
#include "reaper.h"
#include "sys.h"

static void answer_with(const struct own *own, struct message *taken, int descriptor, const struct message_signals *signals)
{
	size_t size = signals == NULL ? 0 : sizeof(*signals);
	long result = channel_send_more(own->setup, taken, descriptor, signals, size);

	if (result < 0 && descriptor != NO_DESCRIPTOR) { /* some descriptors cannot be passed on, unix(7) */
		taken->error = (uint32_t)-result;
		taken->value = TAKEN_SENDMSG;
		result = channel_send(own->setup, taken, NO_DESCRIPTOR);
	}
	p0_end_unless_heard(own, result);
}

/* Answers with the descriptor, or with the error that came instead of it. */
static void answer(const struct own *own, int descriptor, long error, enum taken_call call)
{
	struct message taken = { .kind = MESSAGE_TAKEN, .error = (uint32_t)-error, .value = call };

	answer_with(own, &taken, descriptor, NULL);
}

void p0_give_up(const struct own *own, uint32_t descriptor)
{
	int given = (int)descriptor;

	if (given < 0 || given == own->setup || given == own->life || sys_fcntl(given, F_GETFD, 0) < 0) {
		answer(own, NO_DESCRIPTOR, -EBADF, TAKEN_FCNTL);
		return;
	}
	answer(own, given, 0, TAKEN_FCNTL);
	(void)sys_close(given); /* the set-up has its own copy */
}

void p0_take_given(struct own *own, struct delivery *delivery)
{
	uint32_t call = TAKEN_FCNTL;
	long result = own->is_refused ? 0 : given_place(delivery, &call);

	channel_drop(delivery);
	if (result >= 0)
		return;
	own->is_refused = 1;
	answer(own, NO_DESCRIPTOR, result, call);
}

static int is_open_descriptor(const struct own *own, int descriptor)
{
	return descriptor > STDERR && descriptor != own->setup && descriptor != own->life &&
	       sys_fcntl(descriptor, F_GETFD, 0) >= 0;
}

/*
 * Goes on in a child, which becomes the program; this process stays behind as its reaper. @control leads to the front,
 * @factory to who asks for sockets. Returns 0 or -errno, of @call.
 */
static long leave_reaper(struct own *own, enum reaper_place place, int *control, int factory, uint32_t *call)
{
	const struct reaper_ends inside = {
		.place = place,
		.life = own->life,
		.control = *control,
		.factory = factory,
	};
	long result;

	*call = TAKEN_CLONE;
	if (place == REAPER_FRONT)
		result = front_fork(own, control, call);
	else if (place == REAPER_INSIDE && !(is_open_descriptor(own, *control) &&
					     (factory == NO_DESCRIPTOR || is_open_descriptor(own, factory))))
		*call = TAKEN_FCNTL, result = -EBADF;
	else
		result = reaper_fork(own->start, &inside);
	if (result < 0)
		return result;
	if (own->life != NO_DESCRIPTOR)
		(void)sys_close(own->life); /* the reaper's alone */
	own->life = NO_DESCRIPTOR;
	if (place == REAPER_INSIDE)
		(void)sys_close(*control); /* likewise */
	if (factory != NO_DESCRIPTOR)
		(void)sys_close(factory);
	return result;
}

/* What the caller had blocked and ignored, as this process has it. Returns 0 or -errno, of @call. */
static long read_signals(struct message_signals *signals, uint32_t *call)
{
	long result;

	*call = TAKEN_RT_SIGPROCMASK;
	result = sys_blocked_signals(&signals->blocked);
	for (int signal = 1; result >= 0 && signal <= LAST_SIGNAL; signal++) {
		struct sys_action action = { .handler = 0 };

		*call = TAKEN_RT_SIGACTION;
		result = sys_action(signal, NULL, &action);
		if (action.handler == SYS_IGNORED)
			signals->ignored |= 1UL << (signal - 1);
	}
	return result < 0 ? result : 0;
}

void p0_refer(struct own *own, const struct message *message)
{
	enum reaper_place place = message->value;
	int control = (int)message->index;
	int factory = place == REAPER_INSIDE && message->step != 0 ? (int)message->step : NO_DESCRIPTOR;
	struct message taken = { .kind = MESSAGE_TAKEN };
	struct message_signals signals = { .blocked = 0 };
	long result = place == REAPER_NONE ? 0 : leave_reaper(own, place, &control, factory, &taken.value);
	long closed = result;

	/* A launcher on the host is told of a failure alone: the end is the front's to tell. */
	if (own->face == SET_UP_LAUNCHED && result >= 0)
		return;
	if (result >= 0 && place == REAPER_FRONT)
		result = read_signals(&signals, &taken.value);
	if (result >= 0) {
		taken.value = TAKEN_PIDFD_OPEN;
		result = descriptor_above_stdio(sys_pidfd_open(sys_getpid()));
	}
	own->is_refused = own->face == SET_UP_LAUNCHED;
	if (result < 0) {
		taken.error = (uint32_t)-result;
		answer_with(own, &taken, NO_DESCRIPTOR, NULL);
		return;
	}
	taken.index = (uint32_t)control;
	taken.step = (uint32_t)closed;
	taken.value = (uint32_t)(control > own->setup ? control : own->setup) + 1;
	answer_with(own, &taken, (int)result, place == REAPER_FRONT ? &signals : NULL);
	(void)sys_close((int)result); /* the set-up has its own copy */
}
