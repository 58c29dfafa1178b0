/* `fence bootstrap`: see bootstrap.h. */
#include "bootstrap.h"

#include "attempts.h"
#include "channel.h"
#include "descriptor.h"
#include "exec-plan.h"
#include "fail.h"
#include "front.h"
#include "last-steps.h"
#include "reaper.h"
#include "set-up.h"
#include "sys.h"

#define STEP "bootstrap"
#define EXEC_STEP "exec"
#define KEEPER_MILLISECONDS 2000

/* What comes with MESSAGE_VERIFY. */
static union {
	struct attempts_header header; /* for its alignment */
	char bytes[ATTEMPTS_MAX_BYTES];
} attempts;

/*
 * Without the program. Where this process is PID 1 its end ends all others: the keeper first removes what has been made,
 * and the launcher. A reaper waits for them by itself.
 */
_Noreturn static void end(const struct own *own, int status)
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

_Noreturn static void end_with(const struct own *own, const struct failure *failure)
{
	fail_print(failure);
	end(own, EXIT_FENCE_FAILED);
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

	end_with(own, &failure);
}

_Noreturn static void end_of_set_up(const struct own *own, const char *message)
{
	struct failure failure = set_up_failure(message);

	if (own->face == SET_UP_LAUNCHED)
		failure.hint = "the program was not started; the launcher was killed, or its own message stands above";
	if (own->face == SET_UP_ATTACHED)
		failure.hint = "the program was not started; the service was killed, was told to end, or expects no such start";
	if (own->face == SET_UP_LAUNCHED || own->face == SET_UP_ATTACHED)
		failure.code = "FENCE_LAUNCH";
	end_with(own, &failure);
}

/* Nobody says any more what is to become of this process. */
_Noreturn static void end_of_word(const struct own *own)
{
	switch (own->face) {
	case SET_UP_LAUNCHED:
		end_of_set_up(own, "the launcher ended before the program was started");
	case SET_UP_ATTACHED:
	case SET_UP_LAUNCHER:
		if (own->life == NO_DESCRIPTOR)
			sys_exit(EXIT_FENCE_FAILED); /* the front is told as well, and says it */
		if (own->face == SET_UP_ATTACHED)
			end_of_set_up(own, "the service ended before it was ready");
		break;
	case SET_UP_BOOTSTRAP:
		break;
	}
	end_of_set_up(own, "the set-up process ended before it was ready");
}

_Noreturn static void end_of_message(const struct own *own, const char *message)
{
	const struct failure failure = {
		.message = message,
		.path = whom(own),
		.step = STEP,
		.hint = "the program was not started: this is a mistake in fence, or somebody else wrote to its socket",
		.code = "FENCE_EXEC_PLAN",
	};

	end_with(own, &failure);
}

/* Waits for the set-up's next word. Returns 0, or -1 when the set-up process has ended. */
static int hear(const struct own *own, struct delivery *delivery)
{
	long result = channel_receive(own->setup, delivery, &attempts, sizeof(attempts));

	if (result == -EPIPE)
		return -1;
	if (result == -EPROTO)
		end_of_message(own, "bad message from");
	if (result < 0)
		end_call(own, "cannot hear", "recvmsg", result);
	return 0;
}

/* @result is of an answer that the set-up waits for: it must not wait for ever. */
static void end_unless_heard(const struct own *own, long result)
{
	if (result < 0 && result != -EPIPE && result != -ECONNRESET) /* if it is gone, the next receive tells */
		end_call(own, "cannot answer", "sendmsg", result);
}

static void answer_with(const struct own *own, struct message *taken, int descriptor)
{
	long result = channel_send(own->setup, taken, descriptor);

	if (result < 0 && descriptor != NO_DESCRIPTOR) { /* some descriptors cannot be passed on, unix(7) */
		taken->error = (uint32_t)-result;
		taken->value = TAKEN_SENDMSG;
		result = channel_send(own->setup, taken, NO_DESCRIPTOR);
	}
	end_unless_heard(own, result);
}

/* Answers with the descriptor, or with the error that came instead of it. */
static void answer(const struct own *own, int descriptor, long error, enum taken_call call)
{
	struct message taken = { .kind = MESSAGE_TAKEN, .error = (uint32_t)-error, .value = call };

	answer_with(own, &taken, descriptor);
}

/* Gives a descriptor of the caller's that is meant for fence to the set-up; the program does not inherit it. */
static void give_descriptor(const struct own *own, uint32_t descriptor)
{
	int given = (int)descriptor;

	if (given < 0 || given == own->setup || given == own->life || sys_fcntl(given, F_GETFD, 0) < 0) {
		answer(own, NO_DESCRIPTOR, -EBADF, TAKEN_FCNTL);
		return;
	}
	answer(own, given, 0, TAKEN_FCNTL);
	(void)sys_close(given); /* the set-up has its own copy */
}

/* A descriptor of the set-up's that the program is to inherit, whatever its number. */
static void take_given(const struct own *own, int given)
{
	long result = given == NO_DESCRIPTOR ? -EBADF : sys_fcntl(given, F_SETFD, 0);
	struct message taken = {
		.kind = MESSAGE_TAKEN,
		.error = result < 0 ? (uint32_t)-result : 0,
		.value = TAKEN_FCNTL,
		.index = (uint32_t)given,
	};

	answer_with(own, &taken, NO_DESCRIPTOR);
}

static int is_open_descriptor(const struct own *own, int descriptor)
{
	return descriptor > STDERR && descriptor != own->setup && descriptor != own->life &&
	       sys_fcntl(descriptor, F_GETFD, 0) >= 0;
}

/*
 * Goes on in a child, which becomes the program; this process stays behind as its reaper. @control leads to the front,
 * @factory to who asks for sockets. Returns 0 or -errno.
 */
static long leave_reaper(struct own *own, enum reaper_place place, int *control, int factory)
{
	const struct reaper_ends inside = {
		.place = place,
		.life = own->life,
		.control = *control,
		.factory = factory,
	};
	long result;

	if (place == REAPER_FRONT)
		result = front_fork(own, control);
	else if (place == REAPER_INSIDE && !(is_open_descriptor(own, *control) &&
					     (factory == NO_DESCRIPTOR || is_open_descriptor(own, factory))))
		result = -EBADF;
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

/* Refers the set-up to the process that becomes the program. */
static void refer(struct own *own, const struct message *message)
{
	enum reaper_place place = message->value;
	int control = (int)message->index;
	int factory = place == REAPER_INSIDE && message->step != 0 ? (int)message->step : NO_DESCRIPTOR;
	long result = place == REAPER_NONE ? 0 : leave_reaper(own, place, &control, factory);
	struct message taken = { .kind = MESSAGE_TAKEN, .value = TAKEN_CLONE };

	if (result >= 0) {
		taken.value = TAKEN_PIDFD_OPEN;
		taken.index = (uint32_t)control;
		taken.step = (uint32_t)result;
		result = descriptor_above_stdio(sys_pidfd_open(sys_getpid()));
	}
	taken.error = result < 0 ? (uint32_t)-result : 0;
	own->is_refused = own->face == SET_UP_LAUNCHED && result < 0;
	answer_with(own, &taken, result < 0 ? NO_DESCRIPTOR : (int)result);
	if (result >= 0)
		(void)sys_close((int)result); /* the set-up has its own copy */
}

/*
 * The launcher looks for the reason where the program was to be found: in this root directory, which it has not. Landlock and
 * the filter let it be opened so, open(2).
 */
static int place_of_search(const struct own *own, const struct plan_failure *failed)
{
	int is_search = failed->step == PLAN_SEARCH || failed->step == PLAN_EXEC || failed->step == PLAN_EXEC_FOUND ||
			failed->step == PLAN_EXEC_ORIGINAL;
	long root = own->face != SET_UP_LAUNCHED || !is_search ? -ENOENT
							       : sys_open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? NO_DESCRIPTOR : (int)root;
}

/* Tells the set-up which step failed and exits as it says; speaks for itself when the set-up is gone. */
_Noreturn static void fail(const struct own *own, const struct plan_failure *failed)
{
	const struct failure failure = {
		.message = failed->path != NULL ? "a step of the exec plan failed on" : "a step of the exec plan failed",
		.path = failed->path,
		.error = (int)failed->error,
		.step = EXEC_STEP,
		.hint = own->face == SET_UP_BOOTSTRAP ? "the set-up process, which would explain it, has ended"
						      : "the launcher, which would explain it, has ended",
		.code = "FENCE_EXEC_PLAN",
	};
	struct message message = {
		.kind = MESSAGE_FAILED,
		.value = failed->call,
		.step = failed->step,
		.index = failed->index,
		.error = failed->error,
	};
	struct delivery delivery;

	if (channel_send(own->setup, &message, place_of_search(own, failed)) >= 0 && hear(own, &delivery) == 0 &&
	    delivery.message.kind == MESSAGE_EXIT)
		end(own, (int)delivery.message.value);
	if (failed->step < PLAN_EXEC && failed->step != PLAN_SEARCH)
		end_with(own, &failure);
	fail_print(&failure);
	end(own, failed->error == ENOENT || failed->error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/*
 * The plan in memory, when it is what was announced and nobody can change it any more. Returns it or -errno; @failed says
 * what failed.
 */
static long map_plan(int file, size_t size, struct plan_failure *failed)
{
	const long seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	long set = sys_fcntl(file, F_GET_SEALS, 0), found, plan;

	*failed = (struct plan_failure){ .step = PLAN_READ, .index = PLAN_READ_SEALS };
	if (set < 0)
		return set;
	failed->index = PLAN_READ_SIZE;
	found = sys_file_size(file);
	if (found < 0)
		return found;
	failed->index = PLAN_READ_MAP;
	plan = sys_mmap(0, size, PROT_READ, MAP_PRIVATE, file, 0);
	if (sys_failed(plan))
		return plan;
	*failed = (struct plan_failure){ .step = PLAN_CHECK };
	return (set & seals) == seals && found == (long)size ? plan : -EINVAL;
}

/* The plan that was delivered, checked. Ends this process when it is no good. */
static const void *take_plan(const struct own *own, const struct delivery *delivery, struct exec_plan_counts *counts)
{
	size_t size = delivery->message.value;
	struct plan_failure failed;
	long plan = map_plan(delivery->descriptors[0], size, &failed);
	const char *wrong;

	if (sys_failed(plan)) {
		failed.error = (uint32_t)-plan;
		fail(own, &failed);
	}
	wrong = exec_plan_check((const void *)plan, size, own->start->argc, pack_index()->build_id, counts,
				&failed.index);
	if (wrong != NULL) {
		failed.error = EINVAL;
		failed.path = wrong;
		fail(own, &failed);
	}
	return (const void *)plan;
}

static struct plan_means plan_means(const struct own *own, const struct delivery *delivery)
{
	return (struct plan_means){
		.start = own->start,
		.ruleset = delivery->descriptors[1],
		.channel = own->setup,
		.announces = own->face == SET_UP_LAUNCHED,
	};
}

_Noreturn static void run_plan(const struct own *own, const struct delivery *delivery)
{
	struct exec_plan_counts counts;
	const void *plan = take_plan(own, delivery, &counts);
	const struct plan_means means = plan_means(own, delivery);
	struct plan_failure failed = last_steps(plan, &counts, &means, UP_TO_EXEC);

	fail(own, &failed);
}

/* In the throw-away child: all of the plan but the program, then the attempts. */
_Noreturn static void rehearse(const struct own *own, const struct delivery *delivery, const void *plan,
			       const struct exec_plan_counts *counts)
{
	const struct plan_means means = plan_means(own, delivery);
	struct plan_failure failed = last_steps(plan, counts, &means, BEFORE_EXEC);
	struct message message = {
		.kind = MESSAGE_FAILED,
		.value = failed.call,
		.step = failed.step,
		.index = failed.index,
		.error = failed.error,
	};

	if (failed.error == 0)
		sys_exit(attempts_make(&attempts, own->start->argv, own->setup) < 0);
	sys_exit(channel_send(own->setup, &message, NO_DESCRIPTOR) < 0);
}

/* Lets a throw-away child prove the restrictions of the plan, and says when it has ended. */
static void verify(const struct own *own, struct delivery *delivery)
{
	struct message verified = { .kind = MESSAGE_VERIFIED };
	struct exec_plan_counts counts;
	const void *plan = take_plan(own, delivery, &counts);
	long child, result;
	int status = 0;

	if (!attempts_check(&attempts, delivery->payload_length))
		end_of_message(own, "bad attempts from");
	child = sys_fork_silent();
	if (child == 0)
		rehearse(own, delivery, plan, &counts);
	result = child;
	while (child > 0 && (result = sys_wait(child, &status)) == -EINTR)
		continue;
	verified.error = result < 0 ? (uint32_t)-result : 0;
	verified.index = child > 0; /* which call it was that failed */
	verified.value = (uint32_t)status;
	channel_drop(delivery); /* both come again with the plan to be carried out */
	end_unless_heard(own, channel_send(own->setup, &verified, NO_DESCRIPTOR));
}

_Noreturn void bootstrap(const struct start *start, int file, enum set_up_face face)
{
	struct own own = set_up_start(start, file, face);

	bootstrap_obey(&own);
}

_Noreturn void bootstrap_obey(struct own *own)
{
	struct delivery delivery;

	while (hear(own, &delivery) == 0) {
		switch (delivery.message.kind) {
		case MESSAGE_TAKE:
			give_descriptor(own, delivery.message.value);
			break;
		case MESSAGE_REFER:
			refer(own, &delivery.message);
			break;
		case MESSAGE_GIVE:
			take_given(own, delivery.descriptors[0]);
			break;
		case MESSAGE_VERIFY:
			verify(own, &delivery);
			break;
		case MESSAGE_EXEC_PLAN:
			if (own->is_refused)
				break; /* EXIT is the answer to the refusal */
			run_plan(own, &delivery); /* does not return */
		case MESSAGE_EXIT:
			end(own, (int)delivery.message.value);
		default:
			end_of_message(own, "unknown message from");
		}
	}
	end_of_word(own);
}
