/* `fence bootstrap`: see bootstrap.h. */
#include "bootstrap.h"

#include "attempts.h"
#include "channel.h"
#include "descriptor.h"
#include "exec-plan.h"
#include "fail.h"
#include "last-steps.h"
#include "p0.h"
#include "set-up.h"
#include "sys.h"

#define EXEC_STEP "exec"

/* What comes with MESSAGE_VERIFY. */
static union {
	struct attempts_header header; /* for its alignment */
	char bytes[ATTEMPTS_MAX_BYTES];
} attempts;

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

	if (channel_send(own->setup, &message, place_of_search(own, failed)) >= 0 &&
	    p0_hear(own, &delivery, &attempts, sizeof(attempts)) == 0 && delivery.message.kind == MESSAGE_EXIT)
		p0_end(own, (int)delivery.message.value);
	if (failed->step < PLAN_EXEC && failed->step != PLAN_SEARCH)
		p0_end_with(own, &failure);
	fail_print(&failure);
	p0_end(own, failed->error == ENOENT || failed->error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
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
		p0_end_of_message(own, "bad attempts from");
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
	p0_end_unless_heard(own, channel_send(own->setup, &verified, NO_DESCRIPTOR));
}

_Noreturn void bootstrap(const struct start *start, int file, enum set_up_face face)
{
	struct own own = set_up_start(start, file, face);

	bootstrap_obey(&own);
}

_Noreturn void bootstrap_obey(struct own *own)
{
	struct delivery delivery;

	while (p0_hear(own, &delivery, &attempts, sizeof(attempts)) == 0) {
		switch (delivery.message.kind) {
		case MESSAGE_TAKE:
			p0_give_up(own, delivery.message.value);
			break;
		case MESSAGE_REFER:
			p0_refer(own, &delivery.message);
			break;
		case MESSAGE_GIVE:
			p0_take_given(own, &delivery);
			break;
		case MESSAGE_VERIFY:
			verify(own, &delivery);
			break;
		case MESSAGE_EXEC_PLAN:
			if (own->is_refused)
				break; /* EXIT follows as the answer to the refusal */
			run_plan(own, &delivery); /* does not return */
		case MESSAGE_EXIT:
			p0_end(own, (int)delivery.message.value);
		default:
			p0_end_of_message(own, "unknown message from");
		}
	}
	p0_end_of_word(own);
}
