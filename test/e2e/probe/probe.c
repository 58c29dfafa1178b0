/*
 * Tries one action and prints what came of it, as one line of JSON.
 *
 * Runs:     in end-to-end tests, inside and outside the sandbox. Static: needs no loader, no /proc, no writable file.
 * Promises: exit 0 when the action was tried, whatever came of it; 2 for a wrong command line; 125 without its filter.
 * Source:   section 2 of the manual
 *
 * Build:    cc -static -O2 -o probe probe.c
 * Use:      probe [to-descriptor FD] [with-filter FILE] ACTION [ARGUMENT]...
 * Prints:   {"action":"mkdir",...,"result":-1,"errno":"EACCES"}    more fields of the action come before the result;
 *           "errno":0 when the action succeeded
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

enum { EXIT_USAGE = 2, EXIT_NO_FILTER = 125 };
enum { X32_SYSCALL_BIT = 0x40000000, MAX_DESCRIPTORS = 65536, SIGNALS = 64, SYSCALL_ARGUMENTS = 6 };

/* An action prints its own fields and returns its result, or -1 with errno. Its arguments end with NULL. */
struct action {
	const char *name;
	const char *usage;
	int min_arguments;
	int max_arguments;
	long (*run)(char **arguments);
};

static int program_argc;
static char **program_argv;
static char bytes[262144]; /* more than one argument can hold */

static _Noreturn void usage(const char *wrong);

/* ---- words of the command line ---- */

/* A decimal, octal or hexadecimal number; -1 becomes the greatest one. */
static uint64_t number(const char *word)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(word, &end, 0);
	if (errno != 0 || end == word || *end != '\0')
		usage(word);
	return value;
}

static int number_up_to(const char *word, uint64_t greatest)
{
	uint64_t value = number(word);

	if (value > greatest)
		usage(word);
	return (int)value;
}

static uint16_t port_number(const char *word)
{
	return (uint16_t)number_up_to(word, UINT16_MAX);
}

/* -1 and other negative numbers too: process groups. */
static int signed_number(const char *word)
{
	return (int)(int64_t)number(word);
}

/* ---- JSON ---- */

static void print_string(const char *text, size_t length)
{
	putchar('"');
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte == '"' || byte == '\\')
			printf("\\%c", byte);
		else if (byte < 0x20)
			printf("\\u%04x", byte);
		else
			putchar(byte);
	}
	putchar('"');
}

static void print_hex(const char *text)
{
	putchar('"');
	for (; *text != '\0'; text++)
		printf("%02x", (unsigned char)*text);
	putchar('"');
}

static void print_bits(const char *name, uint64_t bits)
{
	printf(",\"%s\":\"%016llx\"", name, (unsigned long long)bits);
}

static void print_number(const char *name, long value)
{
	printf(",\"%s\":%ld", name, value);
}

/* errno by name, by number when it has none, 0 without an error. */
static void print_outcome(long result, int error)
{
	const char *name = strerrorname_np(error);

	printf(",\"result\":%ld,\"errno\":", result);
	if (result != -1)
		printf("0");
	else if (name != NULL)
		printf("\"%s\"", name);
	else
		printf("%d", error);
	printf("}\n");
}

/* ---- files ---- */

/* Closes the descriptor of a call that was only tried. */
static long opened(int descriptor)
{
	return descriptor == -1 ? -1 : close(descriptor);
}

static long open_read(char **arguments)
{
	return opened(open(arguments[0], O_RDONLY | O_CLOEXEC));
}

static long open_write(char **arguments)
{
	return opened(open(arguments[0], O_WRONLY | O_CLOEXEC));
}

static long create_file(char **arguments)
{
	return opened(open(arguments[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

static long truncate_file(char **arguments)
{
	return truncate(arguments[0], 0);
}

static long make_directory(char **arguments)
{
	return mkdir(arguments[0], 0700);
}

/* Becomes the program, which then prints what it likes; returns only when it cannot. */
static long execute(char **arguments)
{
	return execv(arguments[0], arguments);
}

static long mount_tmpfs(char **arguments)
{
	return mount("tmpfs", arguments[0], "tmpfs", 0, NULL);
}

/* ---- sockets ---- */

/* -1 with errno; a socket that was connected otherwise. */
static int connected(const void *address, socklen_t length, sa_family_t family)
{
	int descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	if (descriptor == -1)
		return -1;
	if (connect(descriptor, address, length) == 0)
		return descriptor;
	error = errno;
	if (close(descriptor) == -1)
		return -1;
	errno = error;
	return -1;
}

static int connected_tcp(const char *host, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
		return connected(&v4, sizeof(v4), AF_INET);
	if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
		return connected(&v6, sizeof(v6), AF_INET6);
	usage(host);
}

static long connect_tcp(char **arguments)
{
	return opened(connected_tcp(arguments[0], port_number(arguments[1])));
}

/* On the loopback; the result is the port. */
static long bind_tcp(char **arguments)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port_number(arguments[0])) };
	socklen_t length = sizeof(address);
	int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (descriptor == -1 || bind(descriptor, (struct sockaddr *)&address, length) == -1 ||
	    listen(descriptor, 1) == -1 || getsockname(descriptor, (struct sockaddr *)&address, &length) == -1)
		return -1;
	return ntohs(address.sin_port);
}

static int connected_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);

	if (length >= sizeof(address.sun_path))
		usage(path);
	memcpy(address.sun_path, path, length);
	return connected(&address, sizeof(address), AF_UNIX);
}

static long connect_unix(char **arguments)
{
	return opened(connected_unix(arguments[0]));
}

static long connect_abstract(char **arguments)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(arguments[0]);

	if (length >= sizeof(address.sun_path))
		usage(arguments[0]);
	memcpy(address.sun_path + 1, arguments[0], length);
	return opened(connected(&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length), AF_UNIX));
}

static int send_all(int descriptor, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t sent = send(descriptor, text, left, MSG_NOSIGNAL);

		if (sent == -1 && errno == EINTR)
			continue;
		if (sent == -1)
			return -1;
		text += sent;
		left -= (size_t)sent;
	}
	return 0;
}

/* How much arrived before the end, of which `bytes` holds the start. `*arrived` also tells it when -1 is returned. */
static long receive_all(int descriptor, size_t *arrived)
{
	static char discarded[65536];

	for (*arrived = 0;;) {
		size_t space = *arrived < sizeof(bytes) ? sizeof(bytes) - *arrived : 0;
		ssize_t received = space > 0 ? recv(descriptor, bytes + *arrived, space, 0)
					     : recv(descriptor, discarded, sizeof(discarded), 0);

		if (received == -1 && errno == EINTR)
			continue;
		if (received == -1)
			return -1;
		if (received == 0)
			return (long)*arrived;
		*arrived += (size_t)received;
	}
}

/* What is in `bytes`. Keeps errno, so that it can follow a call that failed. */
static void print_text(const char *name, size_t length)
{
	int error = errno;

	printf(",\"%s\":", name);
	print_string(bytes, length < sizeof(bytes) ? length : sizeof(bytes));
	errno = error;
}

/* Sends the text, half-closes, and prints what comes back. The result is the number of bytes. */
static long echo(int descriptor, const char *text)
{
	size_t arrived = 0;
	long result;

	if (descriptor == -1 || send_all(descriptor, text) == -1 || shutdown(descriptor, SHUT_WR) == -1)
		return -1;
	result = receive_all(descriptor, &arrived);
	print_text("text", arrived);
	return result;
}

static long echo_tcp(char **arguments)
{
	return echo(connected_tcp("127.0.0.1", port_number(arguments[0])), arguments[1]);
}

static long echo_unix(char **arguments)
{
	return echo(connected_unix(arguments[0]), arguments[1]);
}

/* Ends without waiting for anything to arrive. */
static long send_unix(char **arguments)
{
	int descriptor = connected_unix(arguments[0]);

	if (descriptor == -1 || send_all(descriptor, arguments[1]) == -1)
		return -1;
	return opened(descriptor);
}

/* Connects, sends so many bytes, and ends without waiting for anything. */
static long send_bytes(char **arguments)
{
	int count = number_up_to(arguments[1], 1 << 26);
	int descriptor = connected_tcp("127.0.0.1", port_number(arguments[0]));

	memset(bytes, 'x', sizeof(bytes));
	for (int left = count; descriptor != -1 && left > 0;) {
		ssize_t sent = send(descriptor, bytes, (size_t)left < sizeof(bytes) ? (size_t)left : sizeof(bytes),
				    MSG_NOSIGNAL);

		if (sent == -1)
			return -1;
		left -= (int)sent;
	}
	if (descriptor == -1)
		return -1;
	_exit(0);
}

/* Opens all connections before it uses the first. The result is how many echoed the text in full. */
static long echo_tcp_many(char **arguments)
{
	static int descriptors[4096];
	int count = number_up_to(arguments[1], ARRAY_LENGTH(descriptors));
	size_t arrived = 0;
	long echoed = 0;

	for (int i = 0; i < count; i++) {
		descriptors[i] = connected_tcp("127.0.0.1", port_number(arguments[0]));
		if (descriptors[i] == -1)
			return -1;
	}
	for (int i = 0; i < count; i++) {
		if (send_all(descriptors[i], arguments[2]) == -1 || shutdown(descriptors[i], SHUT_WR) == -1 ||
		    receive_all(descriptors[i], &arrived) == -1)
			return -1;
		echoed += arrived == strlen(arguments[2]) && memcmp(bytes, arguments[2], arrived) == 0;
	}
	return echoed;
}

/* Listens on the port of 127.0.0.1 and prints {"listening":PORT}. Returns the socket or -1. */
static int listen_tcp(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port_number(port)) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener == -1 || bind(listener, (struct sockaddr *)&address, sizeof(address)) == -1 ||
	    listen(listener, 1) == -1)
		return -1;
	dprintf(STDOUT_FILENO, "{\"listening\":%s}\n", port);
	return listener;
}

/* Prints {"listening":PORT}, sends TEXT to each client and keeps them all, until it is killed. */
static long greet_tcp(char **arguments)
{
	int listener = listen_tcp(arguments[0]);

	while (listener != -1) {
		int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (client == -1 || write(client, arguments[1], strlen(arguments[1])) == -1)
			return -1;
	}
	return -1;
}

/* Prints {"listening":PORT}, echoes to one client until its end. The result is the number of bytes. */
static long serve_tcp(char **arguments)
{
	int listener = listen_tcp(arguments[0]);
	size_t arrived = 0;
	int client;

	if (listener == -1)
		return -1;
	client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (client == -1 || receive_all(client, &arrived) == -1 || arrived >= sizeof(bytes))
		return -1;
	bytes[arrived] = '\0';
	if (send_all(client, bytes) == -1)
		return -1;
	return close(client) == -1 ? -1 : (long)arrived;
}

/* Asks the proxy for http://HOST/PATH and prints the status line. The result is the number of bytes. */
static long http_get(char **arguments)
{
	size_t arrived = 0;
	long result;
	int descriptor;
	const char *scheme = strstr(arguments[1], "://");
	const char *host = scheme == NULL ? arguments[1] : scheme + strlen("://");
	int length = snprintf(bytes, sizeof(bytes), "GET %s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\n\r\n",
			      arguments[1], (int)strcspn(host, "/"), host);

	if (scheme == NULL || length < 0 || (size_t)length >= sizeof(bytes))
		usage(arguments[1]);
	descriptor = connected_tcp("127.0.0.1", port_number(arguments[0]));
	if (descriptor == -1 || send_all(descriptor, bytes) == -1)
		return -1;
	result = receive_all(descriptor, &arrived);
	bytes[arrived < sizeof(bytes) ? arrived : sizeof(bytes) - 1] = '\0';
	print_text("status", strcspn(bytes, "\r\n"));
	return result;
}

/* ---- system calls ---- */

/* The arguments after the first; those that are missing are 0. */
static void syscall_arguments(char **words, uint64_t arguments[SYSCALL_ARGUMENTS])
{
	memset(arguments, 0, SYSCALL_ARGUMENTS * sizeof(arguments[0]));
	for (size_t i = 0; i < SYSCALL_ARGUMENTS && words[i] != NULL; i++)
		arguments[i] = number(words[i]);
}

static long system_call(uint64_t call, char **words)
{
	uint64_t a[SYSCALL_ARGUMENTS];

	syscall_arguments(words, a);
	return syscall((long)call, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static long native_syscall(char **arguments)
{
	return system_call(number(arguments[0]), arguments + 1);
}

static long x32_syscall(char **arguments)
{
	return system_call(number(arguments[0]) | X32_SYSCALL_BIT, arguments + 1);
}

/* The call with i386's number by int 0x80. Its arguments have 32 bits: no pointer of ours fits, except NULL. */
static long i386_syscall(char **arguments)
{
#ifdef __x86_64__
	uint64_t a[SYSCALL_ARGUMENTS];
	uint64_t rax = number(arguments[0]);

	syscall_arguments(arguments + 1, a);
	__asm__ volatile("int $0x80"
			 : "+a"(rax)
			 : "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
			 : "memory", "cc", "r8", "r9", "r10", "r11");
	if ((int32_t)rax < 0 && (int32_t)rax > -4096) {
		errno = -(int32_t)rax;
		return -1;
	}
	return (int32_t)rax;
#else
	(void)arguments; /* no such instruction here */
	errno = ENOSYS;
	return -1;
#endif
}

static long trace_me(char **arguments)
{
	(void)arguments; /* has none */
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

/* The serial number of the process keyring, which is made when there is none. */
static long keyring(char **arguments)
{
	enum { GET_KEYRING_ID = 0, PROCESS_KEYRING = -2, CREATE = 1 };

	(void)arguments; /* has none */
	return syscall(SYS_keyctl, (long)GET_KEYRING_ID, (long)PROCESS_KEYRING, (long)CREATE);
}

/* With the optional argument in the upper half of the request, which the kernel does not read. */
static long terminal_ioctl(uint64_t request, char **arguments)
{
	static char byte = 'x';
	uint64_t high = arguments[0] == NULL ? 0 : number(arguments[0]);

	return syscall(SYS_ioctl, (long)STDIN_FILENO, high << 32 | request, &byte);
}

static long ioctl_tiocsti(char **arguments)
{
	return terminal_ioctl(0x5412, arguments);
}

static long ioctl_tioclinux(char **arguments)
{
	return terminal_ioctl(0x541c, arguments);
}

static long io_uring(char **arguments)
{
	struct io_uring_params parameters = { .flags = 0 };

	(void)arguments; /* has none */
	return opened((int)syscall(SYS_io_uring_setup, 1L, &parameters));
}

/* ---- processes ---- */

static long send_signal(char **arguments)
{
	return kill(signed_number(arguments[0]), number_up_to(arguments[1], SIGNALS));
}

/* Ends with the trace, which changes nothing for the other process. */
static long attach(char **arguments)
{
	return ptrace(PTRACE_ATTACH, signed_number(arguments[0]), NULL, NULL);
}

static long seize(char **arguments)
{
	return ptrace(PTRACE_SEIZE, signed_number(arguments[0]), NULL, NULL);
}

/* At an address that need not be mapped: whether it may look comes first. EFAULT: it may. */
static long read_memory(char **arguments)
{
	struct iovec local = { .iov_base = bytes, .iov_len = 1 }, remote = { .iov_base = NULL, .iov_len = 1 };

	return process_vm_readv(signed_number(arguments[0]), &local, 1, &remote, 1, 0);
}

/* Goes on to print when the signal does not end the process. */
static long raise_signal(char **arguments)
{
	return kill(getpid(), number_up_to(arguments[0], SIGNALS));
}

/* Prints {"waiting":SIGNAL}; the result is the signal. Blocked signals reach PID 1 whatever their disposition. */
static long wait_signal(char **arguments)
{
	sigset_t signals;
	int signal = number_up_to(arguments[0], SIGNALS);

	if (sigemptyset(&signals) == -1 || sigaddset(&signals, signal) == -1 ||
	    sigprocmask(SIG_BLOCK, &signals, NULL) == -1)
		return -1;
	dprintf(STDOUT_FILENO, "{\"waiting\":%d}\n", signal);
	return sigwaitinfo(&signals, NULL);
}

/* Becomes an orphan when its parent has ended, then ends. */
static _Noreturn void be_orphan(int until_parent_ends)
{
	char byte;

	while (read(until_parent_ends, &byte, sizeof(byte)) == -1 && errno == EINTR)
		;
	_exit(0);
}

/*
 * Leaves a process behind that has ended, prints {"waiting":SIGNAL} and waits for it, twice. The result is 0 when
 * nobody has reaped the orphan, and -1 when somebody has.
 */
static long leave_orphan(char **arguments)
{
	int parent_lives[2], pid_from[2], orphan_pidfd, status;
	pid_t parent, orphan = -1;
	struct pollfd ended = { .events = POLLIN };

	if (pipe2(parent_lives, O_CLOEXEC) == -1 || pipe2(pid_from, O_CLOEXEC) == -1)
		return -1;
	parent = fork();
	if (parent == 0) {
		orphan = fork();
		if (orphan == 0) {
			(void)close(parent_lives[1]); /* so that the parent's end is the last */
			be_orphan(parent_lives[0]);
		}
		_exit(write(pid_from[1], &orphan, sizeof(orphan)) == sizeof(orphan) ? 0 : EXIT_USAGE);
	}
	if (parent == -1 || read(pid_from[0], &orphan, sizeof(orphan)) != sizeof(orphan) || orphan == -1)
		return -1;
	orphan_pidfd = (int)syscall(SYS_pidfd_open, (long)orphan, 0L);
	ended.fd = orphan_pidfd;
	if (orphan_pidfd == -1 || waitpid(parent, &status, 0) == -1 || close(parent_lives[1]) == -1 ||
	    poll(&ended, 1, -1) == -1)
		return -1;
	for (int i = 0; i < 2; i++)
		if (wait_signal(arguments) == -1)
			return -1;
	return kill(orphan, 0);
}

/* Prints "ready", then the number of each signal that arrives, a line each, until this one has. */
static long await_signals(char **arguments)
{
	int last = number_up_to(arguments[0], SIGNALS), signal;
	sigset_t all;

	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, NULL) == -1)
		return -1;
	printf("\nready\n");
	do {
		fflush(stdout);
		signal = sigwaitinfo(&all, NULL);
		printf("%d\n", signal);
	} while (signal != last);
	return 0;
}

/* Prints nothing. */
static long exit_with(char **arguments)
{
	_exit(number_up_to(arguments[0], 255));
}

/* ---- what the process was given ---- */

static long argv_raw(char **arguments)
{
	(void)arguments; /* all of argv */
	printf(",\"argv\":[");
	for (int i = 0; i < program_argc; i++) {
		printf(i == 0 ? "" : ",");
		print_hex(program_argv[i]);
	}
	putchar(']');
	return program_argc;
}

/* Every value of the variable, in order. The result is how many there are. */
static long env_raw(char **arguments)
{
	size_t length = strlen(arguments[0]);
	long found = 0;

	printf(",\"values\":[");
	for (char **variable = environ; *variable != NULL; variable++) {
		if (strncmp(*variable, arguments[0], length) != 0 || (*variable)[length] != '=')
			continue;
		printf(found++ == 0 ? "" : ",");
		print_hex(*variable + length + 1);
	}
	putchar(']');
	return found;
}

/* The whole environment, in order. The result is how many variables there are. */
static long environ_raw(char **arguments)
{
	long found = 0;

	(void)arguments; /* has none */
	printf(",\"environment\":[");
	for (char **variable = environ; *variable != NULL; variable++) {
		printf(found++ == 0 ? "" : ",");
		print_hex(*variable);
	}
	putchar(']');
	return found;
}

/* FNV-1a of all strings with the zero byte that ends each. */
static uint64_t hash(char **strings, long *count)
{
	uint64_t value = 0xcbf29ce484222325;

	for (*count = 0; strings[*count] != NULL; ++*count)
		for (const char *byte = strings[*count];; byte++) {
			value = (value ^ (unsigned char)*byte) * 0x100000001b3;
			if (*byte == '\0')
				break;
		}
	return value;
}

static void print_strings_facts(void)
{
	long argc, envc;
	uint64_t argv_hash = hash(program_argv, &argc);
	uint64_t env_hash = hash(environ, &envc);

	print_number("argc", argc);
	print_bits("argvHash", argv_hash);
	print_number("envc", envc);
	print_bits("envHash", env_hash);
}

/* Bit n-1 stands for signal n. glibc hides signals 32 and 33, the kernel does not. */
static int print_signals(void)
{
	uint64_t mask, ignored = 0, handled_by_default = 0;

	if (syscall(SYS_rt_sigprocmask, (long)SIG_BLOCK, NULL, &mask, sizeof(mask)) == -1)
		return -1;
	for (int signal = 1; signal <= SIGNALS; signal++) {
		struct {
			uint64_t handler, flags, restorer, mask;
		} action;
		uint64_t bit = 1ULL << (signal - 1);

		if (syscall(SYS_rt_sigaction, (long)signal, NULL, &action, sizeof(mask)) == -1)
			return -1;
		if (action.handler == (uint64_t)SIG_IGN)
			ignored |= bit;
		if (action.handler == (uint64_t)SIG_DFL)
			handled_by_default |= bit;
	}
	print_bits("signalMask", mask);
	print_bits("signalsIgnored", ignored);
	print_bits("signalsDefault", handled_by_default);
	return 0;
}

static void print_limit(rlim_t limit)
{
	if (limit == RLIM_INFINITY)
		printf("\"unlimited\"");
	else
		printf("\"%llu\"", (unsigned long long)limit);
}

/* {"NAME":[soft, hard],...} as strings: they have 64 bits. */
static int print_rlimits(void)
{
	static const char *const names[] = {
		"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK",
		"AS", "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
	};

	printf(",\"rlimits\":{");
	for (unsigned int i = 0; i < ARRAY_LENGTH(names); i++) {
		struct rlimit limit;

		if (syscall(SYS_prlimit64, 0L, (long)i, NULL, &limit) == -1)
			return -1;
		printf("%s\"%s\":[", i == 0 ? "" : ",", names[i]);
		print_limit(limit.rlim_cur);
		putchar(',');
		print_limit(limit.rlim_max);
		putchar(']');
	}
	putchar('}');
	return 0;
}

static const char *print_descriptor(int descriptor, const char *separator)
{
	int flags = fcntl(descriptor, F_GETFD);
	int status = fcntl(descriptor, F_GETFL);

	if (flags == -1 || status == -1)
		return separator;
	printf("%s{\"fd\":%d,\"closeOnExec\":%s,\"flags\":\"0%o\"}", separator, descriptor,
	       (flags & FD_CLOEXEC) != 0 ? "true" : "false", (unsigned int)status);
	return ",";
}

/*
 * [{"fd":N,"closeOnExec":bool,"flags":"octal, as in /proc/PID/fdinfo"},...]
 * poll(2) tells of many at once which are closed, which counts under strace; a low RLIMIT_NOFILE forbids it.
 */
static int print_descriptors(void)
{
	struct pollfd entries[64];
	const char *separator = "";

	printf(",\"descriptors\":[");
	for (int first = 0; first < MAX_DESCRIPTORS; first += (int)ARRAY_LENGTH(entries)) {
		for (int i = 0; i < (int)ARRAY_LENGTH(entries); i++)
			entries[i] = (struct pollfd){ .fd = first + i };
		if (poll(entries, ARRAY_LENGTH(entries), 0) == -1 && errno != EINVAL)
			return -1;
		for (size_t i = 0; i < ARRAY_LENGTH(entries); i++)
			if ((entries[i].revents & POLLNVAL) == 0)
				separator = print_descriptor(entries[i].fd, separator);
	}
	putchar(']');
	return 0;
}

static int print_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint64_t bounding = 0, ambient = 0;

	if (syscall(SYS_capget, &header, data) == -1)
		return -1;
	for (int capability = 0; capability <= CAP_LAST_CAP; capability++) {
		/* -1 for a capability that this kernel does not know: not there */
		if (prctl(PR_CAPBSET_READ, (unsigned long)capability) == 1)
			bounding |= 1ULL << capability;
		if (prctl(PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_IS_SET, (unsigned long)capability, 0UL, 0UL) == 1)
			ambient |= 1ULL << capability;
	}
	print_bits("capabilitiesEffective", (uint64_t)data[1].effective << 32 | data[0].effective);
	print_bits("capabilitiesPermitted", (uint64_t)data[1].permitted << 32 | data[0].permitted);
	print_bits("capabilitiesInheritable", (uint64_t)data[1].inheritable << 32 | data[0].inheritable);
	print_bits("capabilitiesBounding", bounding);
	print_bits("capabilitiesAmbient", ambient);
	return 0;
}

static int print_prctl(void)
{
	int no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0UL, 0UL, 0UL, 0UL);
	int seccomp = prctl(PR_GET_SECCOMP);
	int dumpable = prctl(PR_GET_DUMPABLE);
	int parent_death_signal;

	if (no_new_privs == -1 || seccomp == -1 || dumpable == -1)
		return -1;
	if (prctl(PR_GET_PDEATHSIG, &parent_death_signal) == -1)
		return -1;
	print_number("noNewPrivs", no_new_privs);
	print_number("seccompMode", seccomp);
	print_number("dumpable", dumpable);
	print_number("parentDeathSignal", parent_death_signal);
	return 0;
}

static long facts(char **arguments)
{
	mode_t mask = umask(0);

	(void)arguments; /* has none */
	umask(mask);
	if (getcwd(bytes, sizeof(bytes)) == NULL)
		return -1;
	print_text("cwd", strlen(bytes));
	printf(",\"umask\":\"%04o\"", mask);
	print_number("pid", getpid());
	print_number("ppid", getppid());
	print_number("pgid", getpgrp());
	print_number("sid", getsid(0));
	print_number("uid", getuid());
	print_number("gid", getgid());
	print_strings_facts();
	if (print_descriptors() == -1)
		return -1;
	if (print_signals() == -1 || print_rlimits() == -1 || print_capabilities() == -1 || print_prctl() == -1)
		return -1;
	return 0;
}

/* ---- the actions, sorted ---- */

static const struct action actions[] = {
	{ "argv-raw", "[ANY]...", 0, INT_MAX, argv_raw },
	{ "attach", "PID", 1, 1, attach },
	{ "await-signals", "LAST", 1, 1, await_signals },
	{ "bind-tcp", "PORT", 1, 1, bind_tcp },
	{ "connect-abstract", "NAME", 1, 1, connect_abstract },
	{ "connect-tcp", "HOST PORT", 2, 2, connect_tcp },
	{ "connect-unix", "PATH", 1, 1, connect_unix },
	{ "create", "PATH", 1, 1, create_file },
	{ "echo-tcp", "PORT TEXT", 2, 2, echo_tcp },
	{ "echo-tcp-many", "PORT COUNT TEXT", 3, 3, echo_tcp_many },
	{ "echo-unix", "PATH TEXT", 2, 2, echo_unix },
	{ "env-raw", "NAME", 1, 1, env_raw },
	{ "environ-raw", "", 0, 0, environ_raw },
	{ "exec", "PATH [ARGUMENT]...", 1, INT_MAX, execute },
	{ "exit", "STATUS", 1, 1, exit_with },
	{ "facts", "[ANY]...", 0, INT_MAX, facts },
	{ "greet-tcp", "PORT TEXT", 2, 2, greet_tcp },
	{ "http-get", "PROXYPORT URL", 2, 2, http_get },
	{ "io_uring_setup", "", 0, 0, io_uring },
	{ "ioctl-tioclinux", "[HIGH-BITS]", 0, 1, ioctl_tioclinux },
	{ "ioctl-tiocsti", "[HIGH-BITS]", 0, 1, ioctl_tiocsti },
	{ "keyctl", "", 0, 0, keyring },
	{ "kill", "PID SIGNAL", 2, 2, send_signal },
	{ "mkdir", "PATH", 1, 1, make_directory },
	{ "mount", "PATH", 1, 1, mount_tmpfs },
	{ "open-read", "PATH", 1, 1, open_read },
	{ "open-write", "PATH", 1, 1, open_write },
	{ "orphan", "SIGNAL", 1, 1, leave_orphan },
	{ "ptrace", "", 0, 0, trace_me },
	{ "raise", "SIGNAL", 1, 1, raise_signal },
	{ "read-memory", "PID", 1, 1, read_memory },
	{ "seize", "PID", 1, 1, seize },
	{ "send-bytes", "PORT COUNT", 2, 2, send_bytes },
	{ "send-unix", "PATH TEXT", 2, 2, send_unix },
	{ "serve-tcp", "PORT", 1, 1, serve_tcp },
	{ "syscall", "NUMBER [ARGUMENT]...", 1, 1 + SYSCALL_ARGUMENTS, native_syscall },
	{ "syscall32", "NUMBER [ARGUMENT]...", 1, SYSCALL_ARGUMENTS, i386_syscall },
	{ "truncate", "PATH", 1, 1, truncate_file },
	{ "wait-signal", "SIGNAL", 1, 1, wait_signal },
	{ "x32", "NUMBER [ARGUMENT]...", 1, 1 + SYSCALL_ARGUMENTS, x32_syscall },
};

static _Noreturn void usage(const char *wrong)
{
	fprintf(stderr, "probe: wrong: %s\nprobe [to-descriptor FD] [with-filter FILE] ACTION\n", wrong);
	for (size_t i = 0; i < ARRAY_LENGTH(actions); i++)
		fprintf(stderr, "  %s %s\n", actions[i].name, actions[i].usage);
	_exit(EXIT_USAGE);
}

static const struct action *find_action(const char *name, int arguments)
{
	for (size_t i = 0; i < ARRAY_LENGTH(actions); i++)
		if (strcmp(actions[i].name, name) == 0 && arguments >= actions[i].min_arguments &&
		    arguments <= actions[i].max_arguments)
			return &actions[i];
	usage(name);
}

/* seccomp(2) with the bytes of a file. Returns 0, or -1 with errno. */
static int install_filter(const char *path)
{
	static struct sock_filter instructions[BPF_MAXINSNS];
	struct sock_fprog program = { .filter = instructions };
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = descriptor == -1 ? -1 : read(descriptor, instructions, sizeof(instructions));

	if (length == -1 || close(descriptor) == -1)
		return -1;
	program.len = (unsigned short)((size_t)length / sizeof(instructions[0]));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) == -1)
		return -1;
	return (int)syscall(SYS_seccomp, (long)SECCOMP_SET_MODE_FILTER, 0L, &program);
}

int main(int argc, char **argv)
{
	static char buffer[65536];
	int first = 1;
	const struct action *action;
	long result;

	program_argc = argc;
	program_argv = argv;
	if (argc > 2 && strcmp(argv[1], "to-descriptor") == 0) {
		/* where standard output may be closed */
		stdout = fdopen(number_up_to(argv[2], MAX_DESCRIPTORS), "w");
		first = 3;
	}
	if (stdout == NULL || setvbuf(stdout, buffer, _IOFBF, sizeof(buffer)) != 0)
		return EXIT_USAGE;
	if (argc > first + 1 && strcmp(argv[first], "with-filter") == 0) {
		if (install_filter(argv[first + 1]) == -1) {
			perror("probe: with-filter");
			return EXIT_NO_FILTER;
		}
		first += 2;
	}
	if (argc <= first)
		usage("no action");
	action = find_action(argv[first], argc - first - 1);

	printf("{\"action\":\"%s\"", action->name);
	errno = 0;
	result = action->run(argv + first + 1);
	print_outcome(result, errno);
	return fflush(stdout) == 0 ? 0 : EXIT_USAGE;
}
