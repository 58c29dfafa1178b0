/* `fence bootstrap`: see bootstrap.h. */
#include "bootstrap.h"

#include "attempts.h"
#include "channel.h"
#include "descriptor.h"
#include "exec-plan.h"
#include "fail.h"
#include "keeper.h"
#include "last-steps.h"
#include "node.h"
#include "reaper.h"
#include "setup-limits.h"
#include "sys.h"

#define STEP "bootstrap"
#define EXEC_STEP "exec"

/* What this process holds until it becomes the program. */
struct own {
	const struct start *start;
	int setup; /* to the set-up Node */
	int life;  /* to the keeper */
};

/* Both ends of what the processes talk over, before they are shared out. */
struct ends {
	int executable;
	int program;   /* pidfd of this process */
	int setup[2];  /* this process, the set-up */
	int life[2];   /* this process, the keeper */
	int keeper[2]; /* the keeper, the set-up */
};

_Noreturn static void die_setup(const char *message)
{
	const struct failure failure = {
		.message = message,
		.step = STEP,
		.hint = "the program was not started; if no message stands above, the set-up was killed, had too little "
			"memory or stack (ulimit -v, -d, -s), or could start no thread (ulimit -u, pids limit)",
		.code = "FENCE_EXEC_PLAN",
	};

	die(&failure);
}

/* @result is of clone(2), for whatever process. */
_Noreturn static void die_clone(long result)
{
	const struct failure failure = {
		.message = "cannot start the set-up process",
		.syscall = "clone",
		.error = (int)-result,
		.step = STEP,
		.hint = result == -EAGAIN ? "this user or container may start no more processes: ulimit -u, RLIMIT_NPROC, "
					    "pids limit of the cgroup"
			: result == -ENOMEM ? "there is too little memory for another process"
					    : NULL,
		.code = "FENCE_STUB",
	};

	die(&failure);
}

_Noreturn static void become_setup(const struct start *start, const struct ends *ends)
{
	const int descriptors[] = { ends->setup[1], ends->keeper[1] };
	int keep[] = { ends->executable, ends->setup[1], ends->keeper[1] };
	const struct node_role role = { .name = "set-up", .descriptors = descriptors, .count = 2 };
	long result;

	setup_limits();
	result = descriptor_close_others(keep, sizeof(keep) / sizeof(keep[0]));
	if (result < 0)
		die_call(STEP, "cannot close inherited descriptors (Linux 5.9 has the call, some seccomp profiles deny it)",
			 "close_range", result);
	node_become(start, ends->executable, &role);
}

/*
 * The child that starts the set-up and the keeper and ends at once: both become orphans, so that the program, unless it
 * is PID 1, has no child that it did not start.
 */
_Noreturn static void detach(const struct start *start, const struct ends *ends, long program)
{
	const struct keeper_inheritance kept = {
		.executable = ends->executable,
		.setup = ends->keeper[0],
		.life = ends->life[1],
		.program = ends->program,
		.program_id = program,
	};
	long result;

	(void)sys_setsid(); /* cannot fail in a new process, setsid(2) */
	result = sys_fork_silent();
	if (result == 0)
		become_setup(start, ends);
	if (result > 0)
		result = sys_fork_silent();
	if (result == 0)
		keeper(start, &kept);
	sys_exit(result < 0 ? (int)-result : 0);
}

/* Waits for detach(), which ends as soon as both are made. */
static void await_detached(long child)
{
	int status = 0;
	long result;

	do {
		result = sys_wait(child, &status);
	} while (result == -EINTR);
	if (result < 0)
		die_call(STEP, "cannot wait for the set-up process", "wait4", result);
	if ((status & 0x7f) != 0) /* ended by a signal, wait(2) */
		die_setup("the set-up process was killed before it was ready");
	if (status != 0)
		die_clone(-(long)(status >> 8));
}

static void make_ends(struct ends *ends)
{
	long result = channel_pair(ends->setup);

	if (result >= 0)
		result = channel_pair(ends->life);
	if (result >= 0)
		result = channel_pair(ends->keeper);
	if (result == -EMFILE)
		die_open_files("socketpair");
	if (result < 0)
		die_call(STEP, "cannot make a socket pair", "socketpair", result);
	ends->program = descriptor_above_stdio(sys_pidfd_open(sys_getpid()));
	if (ends->program == -EMFILE)
		die_open_files("pidfd_open");
	if (ends->program < 0)
		die_call(STEP, "cannot refer to this process (Linux 5.3 has the call, some seccomp profiles deny it)",
			 "pidfd_open", ends->program);
}

/* Starts the detached processes and keeps this one's ends. */
static struct own start_setup(const struct start *start, int file)
{
	struct ends ends = { .executable = file };
	long self = sys_getpid(), result;

	setup_limits_check();
	make_ends(&ends);
	/* Before the fork, so that no child is ever readable by others; execve(2) resets it for the program. */
	result = sys_prctl(PR_SET_DUMPABLE, 0);
	if (result < 0)
		die_call(STEP, "cannot protect the set-up process", "prctl", result);

	result = sys_fork_silent();
	if (result < 0)
		die_clone(result);
	if (result == 0)
		detach(start, &ends, self);
	(void)sys_close(ends.setup[1]); /* this process never wrote to them */
	(void)sys_close(ends.life[1]);
	(void)sys_close(ends.keeper[0]);
	(void)sys_close(ends.keeper[1]);
	(void)sys_close(ends.program);
	(void)sys_close(ends.executable);
	await_detached(result);
	return (struct own){ .start = start, .setup = ends.setup[0], .life = ends.life[0] };
}

/* What comes with MESSAGE_VERIFY. */
static union {
	struct attempts_header header; /* for its alignment */
	char bytes[ATTEMPTS_MAX_BYTES];
} attempts;

/* Waits for the set-up's next word. Returns 0, or -1 when the set-up process has ended. */
static int hear(int socket, struct delivery *delivery)
{
	long result = channel_receive(socket, delivery, &attempts, sizeof(attempts));

	if (result == -EPIPE)
		return -1;
	if (result == -EPROTO)
		die_setup("bad message from the set-up process");
	if (result < 0)
		die_call(STEP, "cannot hear the set-up process", "recvmsg", result);
	return 0;
}

/* @result is of an answer that the set-up waits for: it must not wait for ever. */
static void end_unless_heard(long result)
{
	if (result < 0 && result != -EPIPE && result != -ECONNRESET) /* if it is gone, the next receive tells */
		die_call(STEP, "cannot answer the set-up process", "sendmsg", result);
}

/* Answers with the descriptor, or with the error that came instead of it. */
static void answer(int socket, int descriptor, long error, enum taken_call call)
{
	struct message taken = { .kind = MESSAGE_TAKEN, .error = (uint32_t)-error, .value = call };
	long result = channel_send(socket, &taken, descriptor);

	if (result < 0 && descriptor != NO_DESCRIPTOR) { /* some descriptors cannot be passed on, unix(7) */
		taken.error = (uint32_t)-result;
		taken.value = TAKEN_SENDMSG;
		result = channel_send(socket, &taken, NO_DESCRIPTOR);
	}
	end_unless_heard(result);
}

/* Gives a descriptor of the caller's that is meant for fence to the set-up; the program does not inherit it. */
static void give_descriptor(const struct own *own, uint32_t descriptor)
{
	int given = (int)descriptor;

	if (given < 0 || given == own->setup || given == own->life || sys_fcntl(given, F_GETFD, 0) < 0) {
		answer(own->setup, NO_DESCRIPTOR, -EBADF, TAKEN_FCNTL);
		return;
	}
	answer(own->setup, given, 0, TAKEN_FCNTL);
	(void)sys_close(given); /* the set-up has its own copy */
}

/* Goes on in a child, which becomes the program; this process stays behind as its reaper. Returns 0 or -errno. */
static long leave_reaper(struct own *own)
{
	long result = reaper_fork(own->start, own->life);

	if (result < 0)
		return result;
	(void)sys_close(own->life); /* the reaper's alone */
	own->life = NO_DESCRIPTOR;
	return 0;
}

/* Refers the set-up to the process that becomes the program. */
static void refer(struct own *own, int stays_as_reaper)
{
	long result = stays_as_reaper ? leave_reaper(own) : 0;
	enum taken_call call = TAKEN_CLONE;

	if (result >= 0) {
		call = TAKEN_PIDFD_OPEN;
		result = descriptor_above_stdio(sys_pidfd_open(sys_getpid()));
	}
	answer(own->setup, result < 0 ? NO_DESCRIPTOR : (int)result, result < 0 ? result : 0, call);
	if (result >= 0)
		(void)sys_close((int)result); /* the set-up has its own copy */
}

/* Tells the set-up which step failed and exits as it says; speaks for itself when the set-up is gone. */
_Noreturn static void fail(int socket, const struct plan_failure *failed)
{
	const struct failure failure = {
		.message = failed->path != NULL ? "a step of the exec plan failed on" : "a step of the exec plan failed",
		.path = failed->path,
		.error = (int)failed->error,
		.step = EXEC_STEP,
		.hint = "the set-up process, which would explain it, has ended",
		.code = "FENCE_EXEC_PLAN",
	};
	struct message message = {
		.kind = MESSAGE_FAILED,
		.step = failed->step,
		.index = failed->index,
		.error = failed->error,
	};
	struct delivery delivery;

	if (channel_send(socket, &message, NO_DESCRIPTOR) >= 0 && hear(socket, &delivery) == 0 &&
	    delivery.message.kind == MESSAGE_EXIT)
		sys_exit((int)delivery.message.value);
	fail_print(&failure);
	if (failed->step != PLAN_EXEC && failed->step != PLAN_EXEC_ORIGINAL)
		sys_exit(EXIT_FENCE_FAILED);
	sys_exit(failed->error == ENOENT || failed->error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
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
		fail(own->setup, &failed);
	}
	wrong = exec_plan_check((const void *)plan, size, own->start->argc, pack_index()->build_id, counts,
				&failed.index);
	if (wrong != NULL) {
		failed.error = EINVAL;
		failed.path = wrong;
		fail(own->setup, &failed);
	}
	return (const void *)plan;
}

_Noreturn static void run_plan(const struct own *own, const struct delivery *delivery)
{
	struct exec_plan_counts counts;
	const void *plan = take_plan(own, delivery, &counts);
	struct plan_failure failed = last_steps(plan, &counts, delivery->descriptors[1], own->start, UP_TO_EXEC);

	fail(own->setup, &failed);
}

/* In the throw-away child: all of the plan but the program, then the attempts. */
_Noreturn static void rehearse(const struct own *own, const struct delivery *delivery, const void *plan,
			       const struct exec_plan_counts *counts)
{
	struct plan_failure failed = last_steps(plan, counts, delivery->descriptors[1], own->start, BEFORE_EXEC);
	struct message message = {
		.kind = MESSAGE_FAILED,
		.step = failed.step,
		.index = failed.index,
		.error = failed.error,
	};

	if (failed.error == 0)
		sys_exit(attempts_make(&attempts, own->start->argv, own->setup) < 0);
	sys_exit(channel_send(own->setup, &message, NO_DESCRIPTOR) < 0);
}

/* Lets a throw-away child prove the restrictions of the plan, and says when it has ended. */
static void verify(const struct own *own, const struct delivery *delivery)
{
	struct message verified = { .kind = MESSAGE_VERIFIED };
	struct exec_plan_counts counts;
	const void *plan = take_plan(own, delivery, &counts);
	long child, result;
	int status = 0;

	if (!attempts_check(&attempts, delivery->payload_length))
		die_setup("bad attempts from the set-up process");
	child = sys_fork_silent();
	if (child == 0)
		rehearse(own, delivery, plan, &counts);
	result = child;
	while (child > 0 && (result = sys_wait(child, &status)) == -EINTR)
		continue;
	verified.error = result < 0 ? (uint32_t)-result : 0;
	verified.index = child > 0; /* which call it was that failed */
	verified.value = (uint32_t)status;
	for (size_t i = 0; i < CHANNEL_DESCRIPTORS; i++) {
		if (delivery->descriptors[i] != NO_DESCRIPTOR)
			(void)sys_close(delivery->descriptors[i]); /* both come again with the plan to be carried out */
	}
	end_unless_heard(channel_send(own->setup, &verified, NO_DESCRIPTOR));
}

_Noreturn void bootstrap(const struct start *start, int file)
{
	struct own own = start_setup(start, file);
	struct delivery delivery;

	while (hear(own.setup, &delivery) == 0) {
		switch (delivery.message.kind) {
		case MESSAGE_TAKE:
			give_descriptor(&own, delivery.message.value);
			break;
		case MESSAGE_REFER:
			refer(&own, delivery.message.value != 0);
			break;
		case MESSAGE_VERIFY:
			verify(&own, &delivery);
			break;
		case MESSAGE_EXEC_PLAN:
			run_plan(&own, &delivery); /* does not return */
		case MESSAGE_EXIT:
			sys_exit((int)delivery.message.value);
		default:
			die_setup("unknown message from the set-up process");
		}
	}
	die_setup("the set-up process ended before it was ready");
}
