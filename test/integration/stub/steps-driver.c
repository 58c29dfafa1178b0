/*
 * Carries an exec plan out for real, and says what came of it.
 *
 * Runs:     in tests, with a libc, under AddressSanitizer and UndefinedBehaviorSanitizer.
 * Promises: the child that carries the plan out is as P0: it has a channel to this process, and becomes the program.
 *
 *   steps-driver WORD... < PLAN
 *
 *     network       in a network namespace of its own, whose loopback interface is up
 *     rehearse      all but the last step
 *     ruleset       a Landlock ruleset comes with the plan, which handles nothing but MAKE_BLOCK
 *     gone          nobody is at the channel's other end
 *     no-stdin      the program's standard input is closed
 *     fail=CALL     that system call fails with EXDEV in the child
 *
 * Prints what the program prints; then a line for each listener that arrived, and one for the end.
 */
#include "../../../native/stub/channel.h"
#include "../../../native/stub/descriptor.h"
#include "../../../native/stub/last-steps.h"
#include "../../../native/stub/sys.h"
#include "random.h"

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>

#define MAX_PLAN 65536
#define MAX_LISTENERS 8
#define FAILED 99
#define REHEARSED 98
#define MAKE_BLOCK (1 << 11)

int strcmp(const char *one, const char *other);
int strncmp(const char *one, const char *other, size_t length);
size_t strlen(const char *text);
int fflush(void *stream);

static struct {
	int is_rehearsal, has_ruleset, is_alone, has_no_stdin;
	const char *failing; /* a system call */
} words;

static const struct {
	const char *name;
	uint32_t number;
} calls[] = {
	{ "bind", __NR_bind },
	{ "capset", __NR_capset },
	{ "chdir", __NR_chdir },
	{ "execve", __NR_execve },
	{ "landlock_add_rule", __NR_landlock_add_rule },
	{ "landlock_create_ruleset", __NR_landlock_create_ruleset },
	{ "landlock_restrict_self", __NR_landlock_restrict_self },
	{ "listen", __NR_listen },
	{ "open", __NR_openat },
	{ "fstat", __NR_statx },
	{ "prlimit", __NR_prlimit64 },
	{ "rt_sigaction", __NR_rt_sigaction },
	{ "sendmsg", __NR_sendmsg },
	{ "setsockopt", __NR_setsockopt },
	{ "socket", __NR_socket },
};

static struct {
	struct exec_plan_header header; /* for its alignment */
	char rest[MAX_PLAN];
} plan;
static struct plan_failure *failure; /* the child's */
static struct message listeners[MAX_LISTENERS];
static int sockets[MAX_LISTENERS];
static size_t listener_count;

static void enter_network(void)
{
	struct {
		char name[16];
		short flags;
		char rest[22];
	} request = { .name = "lo", .flags = 1 /* IFF_UP */ };
	int own = sys_geteuid() == 0 ? 0 : CLONE_NEWUSER;
	int socket;

	expect(SYSCALL(__NR_unshare, CLONE_NEWNET | own) == 0, "unshare");
	socket = (int)sys_socket(2 /* AF_INET */, SOCK_STREAM, 0);
	expect(socket >= 0, "socket");
	expect(SYSCALL(__NR_ioctl, socket, 0x8914 /* SIOCSIFFLAGS */, &request) == 0, "the loopback interface goes up");
	(void)sys_close(socket);
}

static size_t read_plan(void)
{
	size_t size = 0;
	long result;

	while ((result = sys_read(0, (char *)&plan + size, sizeof(plan) - size)) > 0)
		size += (size_t)result;
	expect(result == 0 && size < sizeof(plan), "a plan on standard input");
	return size;
}

static uint32_t failing_number(void)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strcmp(calls[i].name, words.failing) == 0)
			return calls[i].number;
	}
	expect(0, "a system call that is known here");
	return 0;
}

static void fail_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, failing_number(), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };

	expect(sys_prctl(PR_SET_NO_NEW_PRIVS, 1) == 0 && sys_seccomp_filter(&program) == 0, "seccomp");
}

_Noreturn static void carry_out(const struct exec_plan_counts *counts, const struct start *start, int channel)
{
	const uint64_t handled = MAKE_BLOCK;
	struct plan_means means = { .start = start, .channel = channel, .ruleset = NO_DESCRIPTOR };

	if (words.has_ruleset)
		means.ruleset = (int)sys_landlock_create_ruleset(&handled, sizeof(handled));
	if (words.has_no_stdin)
		(void)sys_close(0);
	if (words.failing != NULL)
		fail_calls();
	*failure = last_steps(&plan, counts, &means, words.is_rehearsal ? BEFORE_EXEC : UP_TO_EXEC);
	sys_exit(words.is_rehearsal && failure->error == 0 ? REHEARSED : FAILED);
}

static int option(int socket, int level, int name)
{
	int value = -1, length = sizeof(value);

	expect(SYSCALL(__NR_getsockopt, socket, level, name, &value, &length) == 0, "getsockopt");
	return value;
}

/* As a client in the sandbox would, and whoever accepts for it. */
static int accepts(int listener, const struct sockaddr_in6 *name, int length)
{
	int client = (int)sys_socket(name->sin6_family, SOCK_STREAM, 0);
	int is_connected = SYSCALL(__NR_connect, client, name, length) == 0;
	int accepted = (int)SYSCALL(__NR_accept4, listener, 0, 0, 0);

	(void)sys_close(client);
	(void)sys_close(accepted);
	return is_connected && accepted >= 0;
}

static void print_listener(const struct message *message, int socket)
{
	struct sockaddr_in6 name;
	int length = sizeof(name);
	char congestion[16] = "";
	int congestion_length = sizeof(congestion);

	expect(SYSCALL(__NR_getsockname, socket, &name, &length) == 0, "getsockname");
	expect(SYSCALL(__NR_getsockopt, socket, IPPROTO_TCP, TCP_CONGESTION, congestion, &congestion_length) == 0, "getsockopt");
	printf("listener %u: %s port %d%s%s%s, %s%s\n", message->index, name.sin6_family == 2 ? "IPv4" : "IPv6",
	       (name.sin6_port & 0xff) << 8 | name.sin6_port >> 8,
	       sys_fcntl(socket, F_GETFL, 0) & O_NONBLOCK ? ", non-blocking" : "",
	       option(socket, SOL_SOCKET, SO_REUSEADDR) ? ", reuses its address" : "",
	       option(socket, IPPROTO_TCP, TCP_NODELAY) ? ", without delay" : "", congestion,
	       accepts(socket, &name, length) ? ", accepts" : "");
}

/* Until the channel closes, which it does when the program starts. */
static void hear(int channel)
{
	struct delivery delivery;
	long result;

	while ((result = channel_receive(channel, &delivery, NULL, 0)) == 0) {
		expect(delivery.message.kind == MESSAGE_LISTENER && delivery.descriptors[0] >= 0, "a listener");
		expect(listener_count < MAX_LISTENERS, "not that many listeners");
		sockets[listener_count] = delivery.descriptors[0];
		listeners[listener_count++] = delivery.message;
	}
	expect(result == -EPIPE, "the channel closes");
}

static void print_end(int status)
{
	for (size_t i = 0; i < listener_count; i++)
		print_listener(&listeners[i], sockets[i]);
	if ((status & 0x7f) != 0)
		printf("signal %d\n", status & 0x7f);
	else if (status >> 8 == REHEARSED)
		printf("rehearsed\n");
	else if (status >> 8 == FAILED)
		printf("failed: step %#x index %u call %u error %u path %s\n", failure->step, failure->index,
		       failure->call, failure->error, failure->path == NULL ? "none" : failure->path);
	else
		printf("exit %d\n", status >> 8);
	(void)fflush(NULL);
}

static void read_words(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		words.is_rehearsal |= strcmp(argv[i], "rehearse") == 0;
		words.has_ruleset |= strcmp(argv[i], "ruleset") == 0;
		words.is_alone |= strcmp(argv[i], "gone") == 0;
		words.has_no_stdin |= strcmp(argv[i], "no-stdin") == 0;
		if (strcmp(argv[i], "network") == 0)
			enter_network();
		if (strncmp(argv[i], "fail=", 5) == 0)
			words.failing = argv[i] + 5;
	}
}

int main(int argc, char **argv, char **envp)
{
	struct start start = { .argc = (size_t)argc, .argv = argv, .envp = envp };
	size_t size = read_plan();
	struct exec_plan_counts counts;
	uint32_t failed_step;
	int channel[2], status = 0;
	long child;

	expect(sys_close_range(STDERR + 1, ~0U) == 0, "close_range"); /* whatever the test runner has left open */
	read_words(argc, argv);
	while (envp[start.envc] != NULL)
		start.envc++;
	expect(exec_plan_check(&plan, size, start.argc, plan.header.build_id, &counts, &failed_step) == NULL, "a plan");
	failure = (void *)sys_mmap(0, 4096, PROT_READ | PROT_WRITE, 0x01 /* MAP_SHARED */ | MAP_ANONYMOUS, -1, 0);
	expect(!sys_failed((long)failure) && channel_pair(channel) == 0, "mmap, socketpair");
	child = SYSCALL(__NR_clone, SIGCHLD, 0, 0, 0, 0);
	expect(child >= 0, "clone");
	if (child == 0) {
		(void)sys_close(channel[0]);
		if (words.is_alone)
			expect(sys_read(channel[1], &status, 1) == 0, "the other end closes");
		carry_out(&counts, &start, channel[1]);
	}
	(void)sys_close(channel[1]);
	if (words.is_alone)
		(void)sys_close(channel[0]);
	else
		hear(channel[0]);
	expect(sys_wait(child, &status) == child, "wait4");
	print_end(status);
	return 0;
}
