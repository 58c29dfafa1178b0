/*
 * Runs a program as PID 1 of its sandbox, and makes one system call of one of its processes fail, or kills the process there.
 *
 * Runs:     in end-to-end tests, as PID 1 of a PID namespace. Static.
 * Promises: exact: the Nth call of this kind of this process and no other; waits until every process has ended.
 * Source:   ptrace(2), PTRACE_GET_SYSCALL_INFO
 *
 * Use:      inject REPORT LEFT trace -- PROGRAM [ARGUMENT]...
 *           inject REPORT LEFT fail ROLE NUMBER OCCURRENCE ERRNO -- PROGRAM [ARGUMENT]...
 *           inject REPORT LEFT kill ROLE NUMBER OCCURRENCE -- PROGRAM [ARGUMENT]...
 *           inject REPORT LEFT kill-at MICROSECONDS ROLE -- PROGRAM [ARGUMENT]...
 * Prints:   to descriptor REPORT, which the program does not inherit: with `trace` a line for each system call, "ROLE
 *           NUMBER OCCURRENCE ARGUMENT ARGUMENT RESULT", where the last is -1 when it did not return; at the end one
 *           line of JSON. LEFT is a path that must not exist when all is over; of `fence run` a directory, which is
 *           listed then.
 *
 * Roles: p0; detach, its first child; that one's children setup and keeper; child, what becomes the program when p0 stays
 * as its reaper; rehearsal, a throw-away child of either; bridges. Only first threads count. setup and bridges have a
 * new name, and their calls are counted anew, when ld.so is done (setup-node) and when TypeScript begins (setup-script).
 * Of `fence run` child becomes bwrap, whose child in-bwrap becomes the in-p0 of the sandbox, and so on. Unless it is told
 * `--no-fast-path` there is nobody else in it but in-child.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

enum { MAX_TASKS = 512, MAX_CALLS = 512, HANG_SECONDS = 40 };
enum role {
	NONE, P0, DETACH, SETUP, SETUP_NODE, SETUP_SCRIPT, KEEPER, CHILD, REHEARSAL, BRIDGES, BRIDGES_NODE, BRIDGES_SCRIPT, THREAD,
	BWRAP, IN_BWRAP, IN_P0, IN_DETACH, IN_SETUP, IN_SETUP_NODE, IN_SETUP_SCRIPT, IN_KEEPER, IN_CHILD, IN_REHEARSAL,
};
enum mode { TRACE, FAIL, KILL, KILL_AT };

static const char *const role_names[] = {
	"", "p0", "detach", "setup", "setup-node", "setup-script", "keeper", "child", "rehearsal",
	"bridges", "bridges-node", "bridges-script", "thread", "bwrap", "in-bwrap", "in-p0", "in-detach", "in-setup",
	"in-setup-node", "in-setup-script", "in-keeper", "in-child", "in-rehearsal",
};

struct task {
	pid_t id;
	enum role role;
	enum role parent;
	int is_stopped_first; /* before its parent's event said whose child it is */
	int injects;
	unsigned int children;
	char line[128]; /* of the call that it is in */
	uint16_t occurrences[MAX_CALLS];
};

static struct task tasks[MAX_TASKS];
static size_t task_count;
static FILE *report;
static enum mode mode;
static struct {
	enum role role;
	uint64_t number;
	unsigned int occurrence;
	int error;
} target;
static pid_t first;
static volatile sig_atomic_t hangs, is_time;
static int was_injected, has_victim_ended, was_started, first_ended, first_status, seccomp = -1, no_new_privs = -1;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(99);
}

static void on_alarm(int number)
{
	(void)number;
	if (is_time || mode != KILL_AT)
		hangs = 1;
	is_time = 1;
}

static struct task *find(pid_t id)
{
	for (size_t i = 0; i < task_count; i++) {
		if (tasks[i].id == id)
			return &tasks[i];
	}
	return NULL;
}

static struct task *find_role(enum role role)
{
	for (size_t i = 0; i < task_count; i++) {
		if (tasks[i].role == role && tasks[i].id != 0)
			return &tasks[i];
	}
	return NULL;
}

static struct task *add(pid_t id)
{
	struct task *task = find(0);

	if (task == NULL && task_count < MAX_TASKS)
		task = &tasks[task_count++];
	if (task == NULL)
		fail("too many tasks");
	memset(task, 0, sizeof(*task));
	task->id = id;
	return task;
}

/* By whose child it is, and which. --init and --verify are told apart by what the first word after -- is not: see main(). */
static int has_reaper, is_run, is_launched;
static enum role role_of_child(struct task *parent)
{
	unsigned int which = parent->children++;

	switch (parent->role) {
	case P0:
		return which == 0 ? DETACH : which == 1 && has_reaper ? CHILD : REHEARSAL;
	case DETACH:
		return which == 0 ? SETUP : KEEPER;
	case CHILD:
		return REHEARSAL;
	case BWRAP:
	case IN_BWRAP:
		return IN_BWRAP;
	case IN_P0:
		return which == 0 && !is_launched ? IN_DETACH : IN_CHILD;
	case IN_DETACH:
		return which == 0 ? IN_SETUP : IN_KEEPER;
	case IN_CHILD:
		return IN_REHEARSAL;
	case KEEPER:
		return BRIDGES;
	default:
		return THREAD;
	}
}

/* No need to look at it any more; what it starts is still ours. */
static int is_dull(enum role role)
{
	int is_node = (role == SETUP && target.role != SETUP_NODE && target.role != SETUP_SCRIPT) ||
		      (role == IN_SETUP && target.role != IN_SETUP_NODE && target.role != IN_SETUP_SCRIPT) ||
		      (role == BRIDGES && target.role != BRIDGES_NODE && target.role != BRIDGES_SCRIPT);

	return role == THREAD || (mode != TRACE && role != target.role && is_node);
}

static void go_on(pid_t id, int signal)
{
	if (ptrace(PTRACE_SYSCALL, id, 0, signal) == -1 && errno != ESRCH)
		fail("PTRACE_SYSCALL");
}

static void begin(struct task *task)
{
	if (is_dull(task->role)) {
		if (ptrace(PTRACE_DETACH, task->id, 0, 0) == -1 && errno != ESRCH)
			fail("PTRACE_DETACH");
		return;
	}
	go_on(task->id, 0);
}

static void on_new_child(struct task *parent)
{
	unsigned long id = 0;
	struct task *child;

	if (ptrace(PTRACE_GETEVENTMSG, parent->id, 0, &id) == -1)
		return; /* killed */
	child = find((pid_t)id);
	if (child == NULL)
		child = add((pid_t)id);
	child->role = role_of_child(parent);
	if (child->is_stopped_first)
		begin(child);
}

static void read_protection(pid_t id)
{
	char path[64], line[256];
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", id);
	status = fopen(path, "r");
	while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
		(void)sscanf(line, "Seccomp: %d", &seccomp);
		(void)sscanf(line, "NoNewPrivs: %d", &no_new_privs);
	}
	if (status != NULL)
		fclose(status);
}

static void set_number(pid_t id, long number)
{
#if defined(__x86_64__)
	if (ptrace(PTRACE_POKEUSER, id, 15 * sizeof(long), number) == -1 && errno != ESRCH) /* orig_rax */
		fail("PTRACE_POKEUSER");
#else
	int given = (int)number;
	struct iovec vector = { &given, sizeof(given) };

	if (ptrace(PTRACE_SETREGSET, id, 0x404 /* NT_ARM_SYSTEM_CALL */, &vector) == -1 && errno != ESRCH)
		fail("PTRACE_SETREGSET");
#endif
}

static void set_result(pid_t id, long result)
{
#if defined(__x86_64__)
	if (ptrace(PTRACE_POKEUSER, id, 10 * sizeof(long), result) == -1 && errno != ESRCH) /* rax */
		fail("PTRACE_POKEUSER");
#else
	uint64_t registers[34];
	struct iovec vector = { registers, sizeof(registers) };

	if (ptrace(PTRACE_GETREGSET, id, NT_PRSTATUS, &vector) == -1)
		return;
	registers[0] = (uint64_t)result;
	if (ptrace(PTRACE_SETREGSET, id, NT_PRSTATUS, &vector) == -1 && errno != ESRCH)
		fail("PTRACE_SETREGSET");
#endif
}

static void print_call(struct task *task, long long result)
{
	if (task->line[0] == '\0')
		return;
	fprintf(report, "%s %lld\n", task->line, result);
	task->line[0] = '\0';
}

static void enter_phase(struct task *task, enum role role)
{
	task->role = role;
	memset(task->occurrences, 0, sizeof(task->occurrences));
}

/* Node's own calls are as many as they happen to be: what comes after them is counted by itself. */
static void after_call(struct task *task, uint64_t number, const uint64_t *arguments)
{
	int is_loaded = number == SYS_prctl && arguments[0] == PR_SET_SYSCALL_USER_DISPATCH && arguments[1] == 0;

	if (is_loaded && (task->role == SETUP || task->role == BRIDGES || task->role == IN_SETUP))
		enter_phase(task, task->role + 1);
	if (number == SYS_setitimer &&
	    (task->role == SETUP_NODE || task->role == BRIDGES_NODE || task->role == IN_SETUP_NODE))
		enter_phase(task, task->role + 1);
}

/* A thread of Node's wakes another. */
static int is_wake(uint64_t number, const uint64_t *arguments)
{
	return number == SYS_write && arguments[2] == sizeof(uint64_t);
}

/* V8 looks at its mappings when it happens to. */
static int is_look_at_mappings(pid_t id, uint64_t number, const uint64_t *arguments)
{
	static const char path[] = "/proc/self/maps";
	char found[sizeof(path)];
	struct iovec local = { .iov_base = found, .iov_len = sizeof(found) };
	struct iovec remote = { .iov_base = (void *)arguments[1], .iov_len = sizeof(found) };

	return number == SYS_openat && process_vm_readv(id, &local, 1, &remote, 1, 0) == (ssize_t)sizeof(found) &&
	       memcmp(found, path, sizeof(path)) == 0;
}

static void on_entry(struct task *task, uint64_t number, const uint64_t *arguments)
{
	unsigned int occurrence;

	if (number >= MAX_CALLS || is_wake(number, arguments) || is_look_at_mappings(task->id, number, arguments))
		return;
	occurrence = ++task->occurrences[number];
	if (mode == TRACE)
		snprintf(task->line, sizeof(task->line), "%s %u %u %llx %llx", role_names[task->role], (unsigned int)number,
			 occurrence, (unsigned long long)arguments[0], (unsigned long long)arguments[1]);
	if (was_injected || (mode != FAIL && mode != KILL) || task->role != target.role || number != target.number ||
	    occurrence != target.occurrence)
		return;
	was_injected = 1;
	if (mode == KILL) {
		kill(task->id, SIGKILL);
		return;
	}
	/* Linux frees the descriptor whatever close(2) answers. */
	if (number != SYS_close)
		set_number(task->id, -1);
	task->injects = 1;
}

static void on_system_call(struct task *task)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, task->id, sizeof(info), &info) == -1)
		return; /* killed */
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		on_entry(task, info.entry.nr, (const uint64_t *)info.entry.args);
		after_call(task, info.entry.nr, (const uint64_t *)info.entry.args);
		return;
	}
	if (info.op != PTRACE_SYSCALL_INFO_EXIT)
		return;
	print_call(task, (long long)info.exit.rval);
	if (task->injects)
		set_result(task->id, -target.error);
	task->injects = 0;
}

/* Whose parent was killed before it could say whose child it is. */
static void release(struct task *task)
{
	task->role = THREAD;
	begin(task);
}

static void on_end(pid_t id, int status)
{
	struct task *task = find(id);

	if (was_injected && (mode == KILL || mode == KILL_AT))
		has_victim_ended = 1;
	for (size_t i = 0; has_victim_ended && i < task_count; i++) {
		if (tasks[i].id != 0 && tasks[i].role == NONE)
			release(&tasks[i]);
	}

	if (task != NULL) {
		print_call(task, -1);
		task->id = 0;
	}
	if (id == first) {
		first_ended = 1;
		first_status = status;
	}
}

static void on_stop(pid_t id, int status)
{
	struct task *task = find(id);
	int signal = WSTOPSIG(status), event = status >> 16;

	if (task == NULL) {
		task = add(id);
		task->is_stopped_first = 1; /* until its parent's event */
		if (has_victim_ended)
			release(task);
		return;
	}
	switch (event) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		on_new_child(task);
		go_on(id, 0);
		return;
	case PTRACE_EVENT_EXEC:
		print_call(task, 0);
		if (is_run && (task->role == CHILD || task->role == IN_BWRAP)) {
			enter_phase(task, task->role == CHILD ? BWRAP : IN_P0);
			task->children = 0;
			go_on(id, 0);
			return;
		}
		was_started = 1;
		read_protection(id);
		if (ptrace(PTRACE_DETACH, id, 0, 0) == -1 && errno != ESRCH)
			fail("PTRACE_DETACH");
		return;
	case PTRACE_EVENT_STOP:
		if (task->role == NONE)
			return;
		if (signal == SIGTRAP) { /* its first stop */
			begin(task);
			return;
		}
		if (ptrace(PTRACE_LISTEN, id, 0, 0) == -1 && errno != ESRCH)
			fail("PTRACE_LISTEN");
		return;
	default:
		break;
	}
	if (signal == (SIGTRAP | 0x80)) {
		on_system_call(task);
		go_on(id, 0);
		return;
	}
	go_on(id, signal);
}

/* Whoever still lives when too much time has passed. */
static void print_left(void)
{
	const char *comma = "";

	for (size_t i = 0; i < task_count; i++) {
		if (tasks[i].id == 0 || tasks[i].role == THREAD)
			continue;
		fprintf(report, "%s\"%s\"", comma, role_names[tasks[i].role]);
		comma = ",";
	}
}

static int print_path(const char *path, const struct stat *status, int type, struct FTW *place)
{
	static const char *comma = "";

	(void)status;
	(void)type;
	(void)place;
	fprintf(report, "%s\"%s\"", comma, path);
	comma = ",";
	return 0;
}

static void print_report(const char *left)
{
	fprintf(report, "{\"injected\":%s,\"started\":%s,\"exit\":", was_injected ? "true" : "false",
		was_started ? "true" : "false");
	if (first_ended && WIFEXITED(first_status))
		fprintf(report, "%d,\"signal\":null", WEXITSTATUS(first_status));
	else if (first_ended)
		fprintf(report, "null,\"signal\":%d", WTERMSIG(first_status));
	else
		fprintf(report, "null,\"signal\":null");
	fprintf(report, ",\"seccomp\":%d,\"noNewPrivs\":%d,\"hangs\":%s,\"left\":[", seccomp, no_new_privs,
		hangs ? "true" : "false");
	if (hangs)
		print_left();
	fprintf(report, "],\"file\":%s,\"paths\":[", access(left, F_OK) == 0 ? "true" : "false");
	if (is_run && nftw(left, print_path, 16, FTW_PHYS) == -1)
		fail("nftw");
	fprintf(report, "]}\n");
	if (fclose(report) != 0)
		fail("report");
}

static enum role role_named(const char *name)
{
	for (size_t i = 1; i < sizeof(role_names) / sizeof(role_names[0]); i++) {
		if (strcmp(role_names[i], name) == 0)
			return (enum role)i;
	}
	errno = EINVAL;
	fail(name);
}

/* Also the alarm's: the number of microseconds until it rings first; then it is about hanging. */
static void start_alarm(unsigned long microseconds)
{
	struct sigaction action = { .sa_handler = on_alarm };
	const struct itimerval time = {
		.it_value = { (time_t)(microseconds / 1000000), (suseconds_t)(microseconds % 1000000) },
		.it_interval = { HANG_SECONDS, 0 },
	};

	if (sigaction(SIGALRM, &action, NULL) == -1 || setitimer(ITIMER_REAL, &time, NULL) == -1)
		fail("alarm");
}

static void start(char **program)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			     PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	struct task *task;
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC) == -1)
		fail("pipe");
	first = fork();
	if (first == -1)
		fail("fork");
	if (first == 0) {
		if (close(ready[1]) == -1 || read(ready[0], &byte, 1) != 0) /* until we are traced */
			_exit(98);
		execv(program[0], program);
		_exit(97);
	}
	if (ptrace(PTRACE_SEIZE, first, 0, options) == -1)
		fail("PTRACE_SEIZE");
	task = add(first);
	task->role = P0;
	(void)close(ready[0]);
	(void)close(ready[1]);
}

/* The first execve is that of fence. */
static void await_fence(void)
{
	int status;

	for (;;) {
		if (waitpid(first, &status, __WALL) == -1) {
			if (errno == EINTR) /* the alarm: follow() sees to it */
				continue;
			fail("waitpid");
		}
		if (WIFEXITED(status) || WIFSIGNALED(status))
			fail("the program did not start");
		if (status >> 16 == PTRACE_EVENT_EXEC) {
			go_on(first, 0);
			return;
		}
		if (ptrace(PTRACE_CONT, first, 0, 0) == -1)
			fail("PTRACE_CONT");
	}
}

static void follow(void)
{
	for (;;) {
		int status;
		pid_t id = waitpid(-1, &status, __WALL);

		if (id == -1 && errno == ECHILD)
			return;
		if (hangs)
			return;
		if (is_time && !was_injected && mode == KILL_AT) {
			struct task *victim = find_role(target.role);

			was_injected = 1;
			if (victim != NULL)
				kill(victim->id, SIGKILL);
		}
		if (id == -1)
			continue; /* the alarm */
		if (WIFSTOPPED(status))
			on_stop(id, status);
		else
			on_end(id, status);
	}
}

int main(int argc, char **argv)
{
	unsigned long microseconds = HANG_SECONDS * 1000000UL;
	char **program = argv, *left;

	if (argc < 5)
		return 2;
	while (*program != NULL && strcmp(*program, "--") != 0)
		program++;
	if (*program == NULL || program - argv < 4)
		return 2;
	program++;
	is_run = program[0] != NULL && program[1] != NULL && strcmp(program[1], "run") == 0;
	is_launched = is_run;
	for (char **word = program; *word != NULL && strcmp(*word, "--") != 0; word++) {
		has_reaper |= strcmp(*word, "--init") == 0;
		is_launched &= strcmp(*word, "--no-fast-path") != 0;
	}
	has_reaper |= is_run;
	report = fdopen(atoi(argv[1]), "w");
	if (report == NULL || fcntl(fileno(report), F_SETFD, FD_CLOEXEC) == -1)
		fail("report");
	left = argv[2];
	if (strcmp(argv[3], "trace") == 0) {
		mode = TRACE;
	} else if (strcmp(argv[3], "kill-at") == 0) {
		mode = KILL_AT;
		microseconds = strtoul(argv[4], NULL, 10);
		target.role = role_named(argv[5]);
	} else {
		mode = strcmp(argv[3], "kill") == 0 ? KILL : FAIL;
		target.role = role_named(argv[4]);
		target.number = strtoul(argv[5], NULL, 10);
		target.occurrence = (unsigned int)strtoul(argv[6], NULL, 10);
		target.error = mode == FAIL ? atoi(argv[7]) : 0;
	}
	start_alarm(microseconds);
	start(program);
	await_fence();
	follow();
	print_report(left);
	return 0;
}
