/* How P0 ends without the program, and when it waits: see p0.h. */
#include "p0.h"

#include "descriptor.h"
#include "fail.h"
#include "sys.h"

#define STEP "bootstrap"
#define KEEPER_MILLISECONDS 2000

_Noreturn void p0_end(const struct own *own, int status)
{
	struct sys_poll life = { .fd = own->life, .events = POLLIN };
	struct message message = { .kind = MESSAGE_EXIT };

	(void)sys_close(own->setup); /* nobody is to wait for this process */
	if (own->face == SET_UP_BOOTSTRAP)
		(void)channel_offer(own->life, &message, NO_DESCRIPTOR); /* if it is gone, there is nothing to wait for */
	while (own->life != NO_DESCRIPTOR && own->face != SET_UP_ATTACHED && sys_poll(&life, 1, KEEPER_MILLISECONDS) == -EINTR)
		continue;
	sys_exit(status);
}

/* Whom this process obeys, in messages. */
static const char *whom(const struct own *own)
{
	return own->face == SET_UP_LAUNCHED ? "the launcher" : own->face == SET_UP_ATTACHED ? "the service" : "the set-up process";
}

_Noreturn void p0_end_with(const struct own *own, const struct failure *failure)
{
	fail_print(failure);
	p0_end(own, EXIT_FENCE_FAILED);
}

_Noreturn static void end_call(const struct own *own, const char *message, const char *syscall, long result)
{
	const struct failure failure = {
		.message = message,
		.path = whom(own),
		.syscall = syscall,
		.error = (int)-result,
		.step = STEP,
		.code = "FENCE_STUB",
	};

	p0_end_with(own, &failure);
}

_Noreturn static void p0_end_of_set_up(const struct own *own, const char *message)
{
	struct failure failure = set_up_failure(message);

	if (own->face == SET_UP_LAUNCHED)
		failure.hint = "the program was not started; the launcher was killed, or its own message stands above";
	if (own->face == SET_UP_ATTACHED)
		failure.hint = "the program was not started; the service was killed, was told to end, or expects no such start";
	if (own->face == SET_UP_LAUNCHED || own->face == SET_UP_ATTACHED)
		failure.code = "FENCE_LAUNCH";
	p0_end_with(own, &failure);
}

_Noreturn void p0_end_of_word(const struct own *own)
{
	switch (own->face) {
	case SET_UP_LAUNCHED:
		p0_end_of_set_up(own, "the launcher ended before the program was started");
	case SET_UP_ATTACHED:
	case SET_UP_LAUNCHER:
		if (own->life == NO_DESCRIPTOR)
			sys_exit(EXIT_FENCE_FAILED); /* the front is told as well, and says it */
		if (own->face == SET_UP_ATTACHED)
			p0_end_of_set_up(own, "the service ended before the program was started");
		break;
	case SET_UP_BOOTSTRAP:
		break;
	}
	p0_end_of_set_up(own, "the set-up process ended before it was ready");
}

_Noreturn void p0_end_of_message(const struct own *own, const char *message)
{
	const struct failure failure = {
		.message = message,
		.path = whom(own),
		.step = STEP,
		.hint = "the program was not started: this is a mistake in fence, or somebody else wrote to its socket",
		.code = "FENCE_EXEC_PLAN",
	};

	p0_end_with(own, &failure);
}

/* A launcher that has sent the plan takes the end of this process for that of one that has become bubblewrap: it must be told. */
static int becomes_sandbox(const struct own *own)
{
	return (own->face == SET_UP_LAUNCHER || own->face == SET_UP_ATTACHED) && own->life == NO_DESCRIPTOR;
}

int p0_hear(const struct own *own, struct delivery *delivery, void *payload, size_t size)
{
	long result = channel_receive(own->setup, delivery, payload, size);

	if (result == -EPIPE)
		return -1;
	if (result == -EPROTO)
		p0_end_of_message(own, "bad message from");
	/* Where one message found no room the next may find none, either. */
	if (result < 0 && becomes_sandbox(own) && (!own->is_refused || result == -EMFILE)) {
		delivery->message = (struct message){ .kind = MESSAGE_GIVE, .error = (uint32_t)-result };
		return 0;
	}
	if (result < 0)
		end_call(own, "cannot hear", "recvmsg", result);
	return 0;
}

void p0_end_unless_heard(const struct own *own, long result)
{
	if (result < 0 && result != -EPIPE && result != -ECONNRESET) /* if it is gone, the next receive tells */
		end_call(own, "cannot answer", "sendmsg", result);
}
