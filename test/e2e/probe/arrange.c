/*
 * Arranges what a process hands down to the program that it becomes, then becomes it.
 *
 * Runs:     in end-to-end tests, outside and inside the sandbox. Static.
 * Promises: all steps are done in their order, or exit 125 and the program does not start.
 * Source:   execve(2), "Effect on process attributes"
 *
 * Build:    cc -static -O2 -o arrange arrange.c
 * Use:      arrange [STEP]... -- PROGRAM [ARGUMENT]...
 * Steps:    close FD, move FD FD, open FD PATH, open-write FD PATH; ignore SIGNAL, block SIGNAL, block-mask BITS,
 *           death-signal SIGNAL, alarm SECONDS; umask MASK, limit RESOURCE SOFT HARD; chdir PATH, remove-directory PATH;
 *           environment FILE, add-variable NAME=VALUE, arguments FILE; io-uring FD, broken-pipe FD
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EXIT_NOT_ARRANGED = 125, MAX_STRINGS = 65536 };

/* Ended by NULL. */
struct strings {
	char *list[MAX_STRINGS + 1];
	size_t count;
};

static struct strings environment;
static struct strings program;
static struct strings more_arguments;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "arrange: %s: %s\n", what, strerror(errno));
	_exit(EXIT_NOT_ARRANGED);
}

static unsigned long long number(const char *word)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(word, &end, 0);
	if (errno == 0 && (end == word || *end != '\0'))
		errno = EINVAL;
	if (errno != 0)
		die(word);
	return value;
}

static void add(struct strings *strings, char *string)
{
	if (strings->count == MAX_STRINGS) {
		errno = E2BIG;
		die(string);
	}
	strings->list[strings->count++] = string;
}

/* A file of strings, each ended by a zero byte. Its mapping lasts until execve(2) has copied them. */
static void add_file(struct strings *strings, const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	char *bytes, *end;

	if (file == -1 || fstat(file, &status) == -1)
		die(path);
	if (status.st_size == 0)
		return;
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	if (bytes == MAP_FAILED || close(file) == -1)
		die(path);
	end = bytes + status.st_size;
	if (end[-1] != '\0') {
		errno = EINVAL;
		die(path);
	}
	for (char *string = bytes; string < end; string += strlen(string) + 1)
		add(strings, string);
}

/* glibc refuses signals 32 and 33; the kernel does not. */
static void ignore_signal(unsigned long long signal)
{
	struct {
		uint64_t handler, flags, restorer, mask;
	} action = { .handler = (uint64_t)SIG_IGN };

	if (syscall(SYS_rt_sigaction, (long)signal, &action, NULL, sizeof(uint64_t)) == -1)
		die("rt_sigaction");
}

static void block_signals(uint64_t mask)
{
	if (syscall(SYS_rt_sigprocmask, (long)SIG_BLOCK, &mask, NULL, sizeof(mask)) == -1)
		die("rt_sigprocmask");
}

/* As a shell's FD<PATH. */
/* @file becomes @descriptor. */
static void place(int file, int descriptor, const char *what)
{
	if (file == -1)
		die(what);
	if (file != descriptor && (dup2(file, descriptor) == -1 || close(file) == -1))
		die(what);
}

static void open_at(int descriptor, const char *path, int flags)
{
	place(open(path, flags, 0600), descriptor, path);
}

/* Its descriptor cannot be passed to another process, unix(7). */
static void make_io_uring(int descriptor)
{
	struct io_uring_params parameters = { .flags = 0 };

	place((int)syscall(SYS_io_uring_setup, 1, &parameters), descriptor, "io_uring_setup");
}

/* Nobody can ever read what is written to @descriptor. */
static void make_broken_pipe(int descriptor)
{
	int ends[2];

	if (pipe(ends) == -1 || close(ends[0]) == -1)
		die("pipe");
	place(ends[1], descriptor, "pipe");
}

static void set_limit(unsigned long long resource, const char *soft, const char *hard)
{
	struct rlimit limit = { .rlim_cur = number(soft), .rlim_max = number(hard) };

	if (setrlimit((__rlimit_resource_t)resource, &limit) == -1)
		die("setrlimit");
}

/* One step; returns the word after it. */
static char **arranged(char **word)
{
	char *step = *word++;
	char *first = *word++;

	if (first == NULL)
		die(step);
	if (strcmp(step, "close") == 0) {
		(void)close((int)number(first)); /* it may be closed already */
	} else if (strcmp(step, "ignore") == 0) {
		ignore_signal(number(first));
	} else if (strcmp(step, "block") == 0) {
		block_signals(1ULL << (number(first) - 1));
	} else if (strcmp(step, "block-mask") == 0) {
		block_signals(number(first));
	} else if (strcmp(step, "io-uring") == 0) {
		make_io_uring((int)number(first));
	} else if (strcmp(step, "broken-pipe") == 0) {
		make_broken_pipe((int)number(first));
	} else if (strcmp(step, "umask") == 0) {
		(void)umask((mode_t)number(first)); /* always succeeds */
	} else if (strcmp(step, "death-signal") == 0) {
		if (prctl(PR_SET_PDEATHSIG, number(first)) == -1)
			die(step);
	} else if (strcmp(step, "alarm") == 0) {
		(void)alarm((unsigned int)number(first)); /* always succeeds */
	} else if (strcmp(step, "add-variable") == 0) {
		add(&environment, first);
	} else if (strcmp(step, "environment") == 0) {
		memset(&environment, 0, sizeof(environment));
		add_file(&environment, first);
	} else if (strcmp(step, "arguments") == 0) {
		add_file(&more_arguments, first);
	} else if (strcmp(step, "chdir") == 0) {
		if (chdir(first) == -1)
			die(first);
	} else if (strcmp(step, "remove-directory") == 0) {
		if (rmdir(first) == -1)
			die(first);
	} else if (strcmp(step, "open") == 0 && *word != NULL) {
		open_at((int)number(first), *word++, O_RDONLY);
	} else if (strcmp(step, "open-write") == 0 && *word != NULL) {
		open_at((int)number(first), *word++, O_WRONLY);
	} else if (strcmp(step, "move") == 0 && *word != NULL) {
		if (dup2((int)number(first), (int)number(*word++)) == -1 || close((int)number(first)) == -1)
			die(step);
	} else if (strcmp(step, "limit") == 0 && word[0] != NULL && word[1] != NULL) {
		set_limit(number(first), word[0], word[1]);
		word += 2;
	} else {
		errno = EINVAL;
		die(step);
	}
	return word;
}

/* The program's own words come before those of `arguments`. */
int main(int argc, char **argv)
{
	char **word = argv + 1;

	for (char **variable = environ; *variable != NULL; variable++)
		add(&environment, *variable);
	while (*word != NULL && strcmp(*word, "--") != 0)
		word = arranged(word);
	for (word += *word != NULL; word < argv + argc; word++)
		add(&program, *word);
	for (char **argument = more_arguments.list; *argument != NULL; argument++)
		add(&program, *argument);
	if (program.count == 0) {
		errno = EINVAL;
		die("no program");
	}
	execve(program.list[0], program.list, environment.list);
	die(program.list[0]);
}
