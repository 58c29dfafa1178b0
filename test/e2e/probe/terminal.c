/*
 * Runs a command under a terminal of its own.
 *
 * Runs:     in end-to-end tests, on the host.
 * Promises: the command leads a session whose terminal is the slave side, and has no other descriptor of ours. Standard
 *           input is typed, standard output is what the terminal shows. Its end is passed on as a hang-up.
 * Source:   pty(7), ioctl_tty(2)
 *
 * Build:    cc -static -O2 -o terminal terminal.c
 * Use:      terminal [no-echo] COMMAND [ARGUMENT]...   a byte 0xff typed changes the size to 33 rows and 99 columns;
 *                                                exit status: the command's, or 128 plus its signal. no-echo: what is typed
 *                                                is not shown, which it is at any time before or after what answers it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { EXIT_FAILED = 125, RESIZE = 0xff };

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "terminal: %s: %s\n", what, strerror(errno));
	_exit(EXIT_FAILED);
}

static void resize(int terminal, unsigned short rows, unsigned short columns)
{
	struct winsize size = { .ws_row = rows, .ws_col = columns };

	if (ioctl(terminal, TIOCSWINSZ, &size) == -1)
		die("TIOCSWINSZ");
}

static void do_not_echo(int terminal)
{
	struct termios modes;

	if (tcgetattr(terminal, &modes) == -1)
		die("tcgetattr");
	modes.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(terminal, TCSANOW, &modes) == -1)
		die("tcsetattr");
}

static _Noreturn void become(const char *path, char **command)
{
	int slave;

	if (setsid() == -1)
		die("setsid");
	slave = open(path, O_RDWR);
	if (slave == -1 || ioctl(slave, TIOCSCTTY, 0) == -1)
		die(path);
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave, fd) == -1)
			die("dup2");
	if (close_range(3, ~0U, 0) == -1)
		die("close_range");
	execvp(command[0], command);
	die(command[0]);
}

/* Types what standard input holds. Returns 0 at its end. */
static int type(int master)
{
	unsigned char bytes[4096];
	ssize_t length = read(0, bytes, sizeof(bytes));

	for (ssize_t at = 0; at < length; at++) {
		if (bytes[at] == RESIZE)
			resize(master, 33, 99);
		else if (write(master, bytes + at, 1) != 1)
			die("write");
	}
	return length > 0;
}

/* Shows what the terminal holds. Returns 0 when that is nothing. */
static int show(int master)
{
	char bytes[4096];
	ssize_t length = read(master, bytes, sizeof(bytes));

	if (length > 0 && write(1, bytes, (size_t)length) != length)
		die("write");
	return length > 0;
}

static int await_command(pid_t command)
{
	int status;

	if (waitpid(command, &status, 0) == -1)
		die("waitpid");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), slave;
	char path[64];
	struct pollfd polls[3] = { { .fd = 0, .events = POLLIN }, { .fd = master, .events = POLLIN }, { .events = POLLIN } };
	pid_t command;
	int is_silent = argc > 1 && strcmp(argv[1], "no-echo") == 0;

	if (argc < 2 + is_silent || master == -1 || unlockpt(master) == -1 || ptsname_r(master, path, sizeof(path)) != 0)
		die("/dev/ptmx");
	slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC); /* so that there is always one */
	if (slave == -1)
		die(path);
	resize(master, 24, 80);
	if (is_silent)
		do_not_echo(slave);
	command = fork();
	if (command == -1)
		die("fork");
	if (command == 0)
		become(path, argv + 1 + is_silent);
	polls[2].fd = (int)syscall(SYS_pidfd_open, command, 0);
	for (;;) {
		if (poll(polls, 3, -1) == -1)
			die("poll");
		if (polls[1].revents != 0)
			(void)show(master);
		if (polls[0].revents != 0 && !type(master)) {
			if (close(master) == -1)
				die("close");
			return await_command(command);
		}
		if (polls[2].revents != 0) {
			while (show(master))
				;
			return await_command(command);
		}
	}
}
