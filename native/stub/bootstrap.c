/* `fence bootstrap`: see bootstrap.h. */
#include "bootstrap.h"

#include "descriptor.h"
#include "exec-plan.h"
#include "fail.h"
#include "last-steps.h"
#include "node.h"
#include "protocol.h"
#include "setup-limits.h"
#include "sys.h"
#include "text.h"

#define STEP "bootstrap"
#define EXEC_STEP "exec"

/* A message with up to two descriptors; NO_DESCRIPTOR where there is none. */
struct delivery {
	struct message message;
	int descriptors[2];
};

_Noreturn static void die_setup(const char *message)
{
	const struct failure failure = {
		.message = message,
		.step = STEP,
		.hint = "the program was not started; if no message stands above, the set-up was killed, had too little "
			"memory, or could start no thread (ulimit -u, pids limit)",
		.code = "FENCE_EXEC_PLAN",
	};

	die(&failure);
}

/* The second fork makes Node an orphan, so that the program, unless it is PID 1, has no child that it did not start. */
_Noreturn static void become_setup(const struct start *start, int file, const struct node_descriptors *descriptors)
{
	int keep[] = { file, descriptors->socket, descriptors->program };
	long result;

	(void)sys_setsid(); /* cannot fail in a new process, setsid(2) */
	result = sys_fork_silent();
	if (result != 0)
		sys_exit(result < 0 ? (int)-result : 0);
	setup_limits();
	result = descriptor_close_others(keep, sizeof(keep) / sizeof(keep[0]));
	if (result < 0)
		die_call(STEP, "cannot close inherited descriptors (Linux 5.9 has the call, some seccomp profiles deny it)",
			 "close_range", result);
	node_become(start, file, descriptors);
}

/* Waits for the first child, which ends as soon as it has made the second. */
static void await_first_child(long child)
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
		die_call(STEP, "cannot start the set-up process", "clone", -(long)(status >> 8));
}

/* Starts the detached child that becomes Node. Returns this process's end of the socket pair. */
static int start_setup(const struct start *start, int file)
{
	int sockets[2] = { NO_DESCRIPTOR, NO_DESCRIPTOR };
	struct node_descriptors child;
	int own;
	long result;

	result = sys_socketpair(SOCK_SEQPACKET | SOCK_CLOEXEC, sockets);
	if (result < 0)
		die_call(STEP, "cannot make a socket pair", "socketpair", result);
	own = descriptor_above_stdio(sockets[0]);
	child.socket = descriptor_above_stdio(sockets[1]);
	if (own < 0 || child.socket < 0)
		die_call(STEP, "cannot move a descriptor", "fcntl", own < 0 ? own : child.socket);
	child.program = descriptor_above_stdio(sys_pidfd_open(sys_getpid()));
	if (child.program < 0)
		die_call(STEP, "cannot refer to this process (Linux 5.3 has the call, some seccomp profiles deny it)",
			 "pidfd_open", child.program);
	/* Before the fork, so that the child is never readable by others; execve(2) resets it for the program. */
	result = sys_prctl(PR_SET_DUMPABLE, 0);
	if (result < 0)
		die_call(STEP, "cannot protect the set-up process", "prctl", result);

	result = sys_fork_silent();
	if (result < 0)
		die_call(STEP, "cannot start the set-up process", "clone", result);
	if (result == 0)
		become_setup(start, file, &child);
	(void)sys_close(child.socket); /* this process never wrote to it */
	(void)sys_close(child.program);
	(void)sys_close(file);
	await_first_child(result);
	return own;
}

static long send_message(int socket, struct message *message, int descriptor)
{
	struct sys_control control = {
		.length = offsetof(struct sys_control, descriptors) + sizeof(int),
		.level = SOL_SOCKET,
		.type = SCM_RIGHTS,
		.descriptors = { descriptor, 0 },
	};
	struct sys_iovec part = { .base = message, .length = sizeof(*message) };
	struct sys_message packet = { .parts = &part, .part_count = 1 };
	long result;

	message->magic = PROTOCOL_MAGIC;
	if (descriptor != NO_DESCRIPTOR) {
		packet.control = &control;
		packet.control_length = sizeof(control);
	}
	do {
		result = sys_sendmsg(socket, &packet);
	} while (result == -EINTR);
	return result;
}

/* Waits for the set-up's next word. Returns 0, or -1 when the set-up process has ended. */
static int receive_message(int socket, struct delivery *delivery)
{
	struct sys_control control = { .length = 0 };
	struct sys_iovec part = { .base = &delivery->message, .length = sizeof(delivery->message) };
	struct sys_message packet = {
		.parts = &part,
		.part_count = 1,
		.control = &control,
		.control_length = sizeof(control),
	};
	size_t count = 0;
	long result;

	do {
		result = sys_recvmsg(socket, &packet);
	} while (result == -EINTR);
	if (result < 0 && result != -ECONNRESET)
		die_call(STEP, "cannot hear the set-up process", "recvmsg", result);
	if (result <= 0)
		return -1;
	if (result != sizeof(delivery->message) || delivery->message.magic != PROTOCOL_MAGIC ||
	    (packet.flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		die_setup("bad message from the set-up process");
	if (packet.control_length >= offsetof(struct sys_control, descriptors) && control.level == SOL_SOCKET &&
	    control.type == SCM_RIGHTS)
		count = (control.length - offsetof(struct sys_control, descriptors)) / sizeof(int);
	for (size_t i = 0; i < 2; i++)
		delivery->descriptors[i] = i < count ? descriptor_above_stdio(control.descriptors[i]) : NO_DESCRIPTOR;
	return 0;
}

/* Gives a descriptor of the caller's that is meant for fence to the set-up; the program does not inherit it. */
static void give_descriptor(int socket, uint32_t descriptor)
{
	struct message answer = { .kind = MESSAGE_TAKEN };
	int given = (int)descriptor;
	long result;

	if (given < 0 || given == socket || sys_fcntl(given, F_GETFD, 0) < 0) {
		answer.error = EBADF;
		given = NO_DESCRIPTOR;
	}
	result = send_message(socket, &answer, given);
	if (result < 0 && given != NO_DESCRIPTOR) { /* some descriptors cannot be passed on, unix(7) */
		answer.error = (uint32_t)-result;
		result = send_message(socket, &answer, NO_DESCRIPTOR);
	}
	(void)result; /* when nothing can be sent the set-up is gone, which the next receive tells */
	if (given != NO_DESCRIPTOR)
		(void)sys_close(given); /* the set-up has its own copy */
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

	if (send_message(socket, &message, NO_DESCRIPTOR) >= 0 && receive_message(socket, &delivery) == 0 &&
	    delivery.message.kind == MESSAGE_EXIT)
		sys_exit((int)delivery.message.value);
	fail_print(&failure);
	if (failed->step != PLAN_EXEC && failed->step != PLAN_EXEC_ORIGINAL)
		sys_exit(EXIT_FENCE_FAILED);
	sys_exit(failed->error == ENOENT || failed->error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/* The plan in memory, when it is what was announced and nobody can change it any more. Returns it or -errno. */
static long map_plan(int file, size_t size)
{
	const long seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	long set = sys_fcntl(file, F_GET_SEALS, 0);

	if (set < 0)
		return set;
	if ((set & seals) != seals || sys_file_size(file) != (long)size)
		return -EINVAL;
	return sys_mmap(0, size, PROT_READ, MAP_PRIVATE, file, 0);
}

_Noreturn static void run_plan(const struct start *start, int socket, const struct delivery *delivery)
{
	size_t size = delivery->message.value;
	struct plan_failure failed = { .step = PLAN_CHECK };
	struct exec_plan_counts counts;
	long plan = map_plan(delivery->descriptors[0], size);
	const char *wrong;

	if (sys_failed(plan)) {
		failed.error = (uint32_t)-plan;
		fail(socket, &failed);
	}
	wrong = exec_plan_check((const void *)plan, size, start->argc, pack_index()->build_id, &counts, &failed.index);
	if (wrong != NULL) {
		failed.error = EINVAL;
		failed.path = wrong;
		fail(socket, &failed);
	}
	failed = last_steps((const void *)plan, &counts, delivery->descriptors[1], start);
	fail(socket, &failed);
}

_Noreturn void bootstrap(const struct start *start, int file)
{
	int socket = start_setup(start, file);
	struct delivery delivery;

	while (receive_message(socket, &delivery) == 0) {
		switch (delivery.message.kind) {
		case MESSAGE_TAKE:
			give_descriptor(socket, delivery.message.value);
			break;
		case MESSAGE_EXEC_PLAN:
			run_plan(start, socket, &delivery); /* does not return */
		case MESSAGE_EXIT:
			sys_exit((int)delivery.message.value);
		default:
			die_setup("unknown message from the set-up process");
		}
	}
	die_setup("the set-up process ended before it was ready");
}
