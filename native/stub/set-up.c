/* Starts the detached processes beside P0: see set-up.h. */
#include "set-up.h"

#include "channel.h"
#include "descriptor.h"
#include "fail.h"
#include "keeper.h"
#include "node.h"
#include "setup-limits.h"
#include "sys.h"

#define STEP "bootstrap"

/* Both ends of what the processes talk over, before they are shared out. */
struct ends {
	enum set_up_face face;
	int executable;
	int environment; /* of a launcher: this process's own, as it was given */
	int program;   /* pidfd of this process */
	int setup[2];  /* this process, the set-up */
	int life[2];   /* this process, the keeper; of a launcher: this process, the set-up */
	int keeper[2]; /* the keeper, the set-up */
};

struct failure set_up_failure(const char *message)
{
	return (struct failure){
		.message = message,
		.step = STEP,
		.hint = "the program was not started; if no message stands above, the set-up was killed, had too little "
			"memory or stack (ulimit -v, -d, -s), or could start no thread (ulimit -u, pids limit)",
		.code = "FENCE_EXEC_PLAN",
	};
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
	int is_launcher = ends->face == SET_UP_LAUNCHER;
	const int descriptors[] = { ends->setup[1], is_launcher ? ends->life[1] : ends->keeper[1], ends->environment };
	int keep[] = { ends->executable, descriptors[0], descriptors[1], descriptors[2] };
	const unsigned int count = is_launcher ? 3 : 2;
	const struct node_role role = {
		.name = is_launcher ? "launcher" : "set-up",
		.descriptors = descriptors,
		.count = count,
	};
	long result;

	setup_limits();
	result = descriptor_close_others(keep, 1 + count);
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
	if (result > 0 && ends->face == SET_UP_BOOTSTRAP)
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
	if ((status & 0x7f) != 0) { /* ended by a signal, wait(2) */
		const struct failure failure = set_up_failure("the set-up process was killed before it was ready");

		die(&failure);
	}
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

/*
 * The launcher passes every variable on, also those that are kept from its own Node. Whoever is not dumpable has a
 * /proc/self that is root's, proc(5): it must be opened before.
 */
static void open_environment(struct ends *ends)
{
	ends->environment = NO_DESCRIPTOR;
	if (ends->face != SET_UP_LAUNCHER)
		return;
	ends->environment = descriptor_above_stdio(sys_open("/proc/self/environ", O_RDONLY | O_CLOEXEC));
	if (ends->environment == -EMFILE)
		die_open_files("open");
	if (ends->environment < 0)
		die_call(STEP, "cannot read the environment in /proc/self/environ", "open", ends->environment);
}

/* Starts the detached processes and keeps this one's ends. */
struct own set_up_start(const struct start *start, int file, enum set_up_face face)
{
	struct ends ends = { .face = face, .executable = file };
	long self = sys_getpid(), result;

	setup_limits_check();
	make_ends(&ends);
	open_environment(&ends);
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
	if (ends.environment != NO_DESCRIPTOR)
		(void)sys_close(ends.environment);
	await_detached(result);
	return (struct own){ .start = start, .face = face, .setup = ends.setup[0], .life = ends.life[0] };
}
