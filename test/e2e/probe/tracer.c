/*
 * Looks into other processes from outside of the sandbox, with the rights of root.
 *
 * Runs:     in end-to-end tests, on the host.
 * Promises: a thread that was made to call goes on as if nothing had happened.
 * Source:   ptrace(2), pidfd_open(2)
 *
 * Build:    cc -static -O2 -o tracer tracer.c
 * Use:      tracer await-end PID         waits until the process has ended; prints nothing
 *           tracer open TID PATH         makes the thread open PATH for reading; prints {"errno":"EACCES"} or {"errno":0}
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_FAILED = 1, PATH_ROOM = 4096, RED_ZONE = 256 };

#if defined(__x86_64__)
typedef struct user_regs_struct registers;
enum { SYSCALL_INSTRUCTION_BYTES = 2 };

static void set_call(registers *to, long number, uint64_t a, uint64_t b, uint64_t c)
{
	to->rax = (uint64_t)number;
	to->orig_rax = (uint64_t)-1; /* the kernel is not to restart anything */
	to->rdi = a;
	to->rsi = b;
	to->rdx = c;
}
#define STACK_POINTER rsp
#define PROGRAM_COUNTER rip
#define RESULT rax
#elif defined(__aarch64__)
typedef struct user_regs_struct registers;
enum { SYSCALL_INSTRUCTION_BYTES = 4 };

static void set_call(registers *to, long number, uint64_t a, uint64_t b, uint64_t c)
{
	to->regs[8] = (uint64_t)number;
	to->regs[0] = a;
	to->regs[1] = b;
	to->regs[2] = c;
}
#define STACK_POINTER sp
#define PROGRAM_COUNTER pc
#define RESULT regs[0]
#endif

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "tracer: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILED);
}

static void transfer(pid_t thread, int request, registers *value)
{
	struct iovec part = { .iov_base = value, .iov_len = sizeof(*value) };

	if (ptrace((enum __ptrace_request)request, thread, NT_PRSTATUS, &part) == -1)
		die("registers");
}

static void await_stop(pid_t thread)
{
	int status;

	if (waitpid(thread, &status, __WALL) == -1)
		die("waitpid");
	if (!WIFSTOPPED(status)) {
		errno = ESRCH;
		die("the thread has ended");
	}
}

/* Below what the thread uses of its stack. */
static void poke_text(pid_t thread, uint64_t address, const char *text)
{
	char bytes[PATH_ROOM] = { 0 };

	strncpy(bytes, text, sizeof(bytes) - 1);
	for (size_t at = 0; at <= strlen(bytes); at += sizeof(long)) {
		long word;

		memcpy(&word, bytes + at, sizeof(word));
		if (ptrace(PTRACE_POKEDATA, thread, address + at, word) == -1)
			die("PTRACE_POKEDATA");
	}
}

/* One system call of the stopped thread, which must be waiting in another one. */
static int64_t call(pid_t thread, const registers *before, long number, uint64_t a, uint64_t b, uint64_t c)
{
	registers changed = *before;

	set_call(&changed, number, a, b, c);
	changed.PROGRAM_COUNTER -= SYSCALL_INSTRUCTION_BYTES;
	transfer(thread, PTRACE_SETREGSET, &changed);
	if (ptrace(PTRACE_SINGLESTEP, thread, NULL, NULL) == -1)
		die("PTRACE_SINGLESTEP");
	await_stop(thread);
	transfer(thread, PTRACE_GETREGSET, &changed);
	return (int64_t)changed.RESULT;
}

static int open_in(pid_t thread, const char *path)
{
	registers before;
	uint64_t text;
	int64_t result;
	const char *name;

	if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) == -1 || ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == -1)
		die("PTRACE_SEIZE");
	await_stop(thread);
	transfer(thread, PTRACE_GETREGSET, &before);
	text = (before.STACK_POINTER - RED_ZONE - PATH_ROOM) & ~15UL;
	poke_text(thread, text, path);
	result = call(thread, &before, SYS_openat, (uint64_t)AT_FDCWD, text, O_RDONLY | O_CLOEXEC);
	if (result >= 0 && call(thread, &before, SYS_close, (uint64_t)result, 0, 0) != 0)
		die("close");
	transfer(thread, PTRACE_SETREGSET, &before); /* with orig_rax: what was interrupted is restarted */
	if (ptrace(PTRACE_DETACH, thread, NULL, NULL) == -1)
		die("PTRACE_DETACH");
	name = result < 0 ? strerrorname_np((int)-result) : NULL;
	if (name == NULL)
		printf("{\"errno\":%lld}\n", result < 0 ? (long long)-result : 0);
	else
		printf("{\"errno\":\"%s\"}\n", name);
	return 0;
}

/* Also fine: one that has ended before. */
static int await_end(pid_t process)
{
	struct pollfd ended = { .events = POLLIN };

	ended.fd = (int)syscall(SYS_pidfd_open, process, 0);
	if (ended.fd == -1 && errno == ESRCH)
		return 0;
	if (ended.fd == -1 || poll(&ended, 1, -1) != 1)
		die("pidfd_open");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "await-end") == 0)
		return await_end(atoi(argv[2]));
	if (argc == 4 && strcmp(argv[1], "open") == 0)
		return open_in(atoi(argv[2]), argv[3]);
	fprintf(stderr, "tracer: see the head of its source\n");
	return EXIT_USAGE;
}
