/*
 * Uses its terminal as editors and pagers do, and loses no signal between two steps.
 *
 * Runs:     in end-to-end tests, inside and outside the sandbox. Static.
 * Promises: whatever comes after "ready" is answered, in its order of arrival; the terminal's modes are the caller's whenever
 *           it is stopped, and at its end.
 * Source:   termios(3), credentials(7)
 *
 * Build:    cc -static -O2 -o editor editor.c
 * Use:      editor line|raw       the modes that it sets; in raw mode keys make no signals, nor lines
 * Answers:  "w" the window's size; "l" a stop of this process by SIGTSTP, as less does; "v" or Ctrl-Z in raw mode of the process
 *           group by SIGTSTP, as vim does; "n" of the group by SIGSTOP, as nano does; "q" exit 4. SIGTSTP: as "l". SIGWINCH:
 *           the size. "tidy" is printed before a stop, "back" and the size behind it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

enum { EXIT_QUIT = 4, EXIT_FAILED = 125, CTRL_Z = 0x1a };

static struct termios callers, own;
static sigset_t caught;

static _Noreturn void die(const char *what)
{
	dprintf(STDOUT_FILENO, "editor: %s: %s\n", what, strerror(errno));
	_exit(EXIT_FAILED);
}

/* In the background this stops the whole process group by SIGTTOU until it is in the foreground. */
static void set_modes(const struct termios *modes)
{
	while (tcsetattr(STDIN_FILENO, TCSADRAIN, modes) == -1)
		if (errno != EINTR)
			die("tcsetattr");
}

static void show_size(const char *word)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == -1)
		die("TIOCGWINSZ");
	dprintf(STDOUT_FILENO, "%s %dx%d\n", word, size.ws_row, size.ws_col);
}

/* @whom as of kill(2). SIGTSTP is blocked: it is taken when all others have theirs. */
static void stop(pid_t whom, int signal)
{
	sigset_t suspend, before;

	set_modes(&callers);
	dprintf(STDOUT_FILENO, "tidy\n");
	if (kill(whom, signal) == -1)
		die("kill");
	if (sigemptyset(&suspend) == -1 || sigaddset(&suspend, SIGTSTP) == -1 ||
	    sigprocmask(SIG_UNBLOCK, &suspend, &before) == -1 || sigprocmask(SIG_SETMASK, &before, NULL) == -1)
		die("sigprocmask");
	set_modes(&own);
	show_size("back");
}

static void answer(char key)
{
	switch (key) {
	case 'w':
		show_size("size");
		break;
	case 'l':
		stop(getpid(), SIGTSTP);
		break;
	case 'v':
	case CTRL_Z:
		stop(0, SIGTSTP);
		break;
	case 'n':
		stop(0, SIGSTOP);
		break;
	case 'q':
		set_modes(&callers);
		_exit(EXIT_QUIT);
	}
}

static void on_signal(int signals)
{
	struct signalfd_siginfo signal;

	if (read(signals, &signal, sizeof(signal)) != sizeof(signal))
		die("signalfd");
	if (signal.ssi_signo == SIGTSTP)
		stop(getpid(), SIGTSTP);
	else
		show_size("resized");
}

static void on_keys(void)
{
	char keys[256];
	ssize_t length = read(STDIN_FILENO, keys, sizeof(keys));

	if (length <= 0)
		die("read");
	for (ssize_t i = 0; i < length; i++)
		answer(keys[i]);
}

int main(int argc, char **argv)
{
	struct pollfd polls[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };

	if (argc != 2 || tcgetattr(STDIN_FILENO, &callers) == -1)
		die("usage, or tcgetattr");
	own = callers;
	if (strcmp(argv[1], "raw") == 0)
		own.c_lflag &= ~(tcflag_t)(ICANON | ISIG | ECHO);
	if (sigemptyset(&caught) == -1 || sigaddset(&caught, SIGTSTP) == -1 || sigaddset(&caught, SIGWINCH) == -1 ||
	    sigprocmask(SIG_BLOCK, &caught, NULL) == -1)
		die("sigprocmask");
	polls[1].fd = signalfd(-1, &caught, SFD_CLOEXEC);
	if (polls[1].fd == -1)
		die("signalfd");
	set_modes(&own);
	dprintf(STDOUT_FILENO, "ready\n");
	for (;;) {
		if (poll(polls, 2, -1) == -1) {
			if (errno != EINTR)
				die("poll");
			continue;
		}
		if (polls[1].revents != 0)
			on_signal(polls[1].fd);
		else if (polls[0].revents != 0)
			on_keys();
	}
}
