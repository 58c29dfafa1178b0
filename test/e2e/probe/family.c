/*
 * Runs a command and lives as long as anything that it has started, whatever that has detached itself from.
 *
 * Runs:     in end-to-end tests, on the host.
 * Promises: every descendant that loses its parent becomes a child of this process; it ends when the last has ended, and
 *           holds none of the command's descriptors until then.
 * Source:   PR_SET_CHILD_SUBREAPER(2const)
 *
 * Build:    cc -static -O2 -o family family.c
 * Use:      family COMMAND [ARGUMENT]...       prints to descriptor 5, which the command does not inherit: "pid PID", then
 *                                              "exit STATUS" or "signal NUMBER" of the command
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_FAILED = 125, REPORT = 5 };

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "family: %s: %s\n", what, strerror(errno));
	_exit(EXIT_FAILED);
}

static void report(const char *word, int number)
{
	if (dprintf(REPORT, "%s %d\n", word, number) < 0)
		_exit(EXIT_FAILED);
}

static void await_all(pid_t command)
{
	int status;
	pid_t ended;

	while ((ended = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (ended != command)
			continue;
		if (WIFSIGNALED(status))
			report("signal", WTERMSIG(status));
		else
			report("exit", WEXITSTATUS(status));
	}
}

int main(int argc, char **argv)
{
	sigset_t all, inherited;
	pid_t command;

	if (argc < 2 || fcntl(REPORT, F_SETFD, FD_CLOEXEC) == -1 || prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
		die("subreaper");
	/* What is sent to the whole process group is not for this process, and may come as soon as the command runs. */
	if (sigfillset(&all) == -1 || sigprocmask(SIG_SETMASK, &all, &inherited) == -1)
		die("sigprocmask");
	command = fork();
	if (command == -1)
		die("fork");
	if (command == 0) {
		sigprocmask(SIG_SETMASK, &inherited, NULL);
		execvp(argv[1], argv + 1);
		die(argv[1]);
	}
	if (close_range(0, REPORT - 1, 0) == -1 || close_range(REPORT + 1, ~0U, 0) == -1)
		_exit(EXIT_FAILED);
	report("pid", command);
	await_all(command);
	return 0;
}
