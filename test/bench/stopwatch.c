/*
 * Starts a command, reads its output to the end, waits for it, and prints how many nanoseconds that took.
 *
 *   stopwatch PLAN COMMAND...
 *
 * Runs:     on the host (npm run bench), so that no Node has to fork, which takes longer than some of what is measured.
 * Promises: the command starts with nothing but its standard streams; with a PLAN other than "-" it inherits the socket whose number
 *           takes the place of the word FD, in which `fence launched` finds this exec plan, as it would a launcher's. A command that
 *           does not end well is no measurement: its last words go to standard error.
 * Source:   native/stub/protocol.h; src/sys/launched.ts is the launcher's own
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../native/stub/protocol.h"

enum { NEAR, FAR };

static long must(long result, const char *what)
{
	if (result >= 0)
		return result;
	perror(what);
	exit(99);
}

static void say(int socket, struct message message, int descriptor)
{
	struct iovec part = { .iov_base = &message, .iov_len = sizeof(message) };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET } };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };

	if (descriptor >= 0) {
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(descriptor));
		packet.msg_control = &control;
		packet.msg_controllen = sizeof(control);
	}
	must(sendmsg(socket, &packet, MSG_NOSIGNAL), "sendmsg");
}

/* Both messages that a launcher sends before the sandbox starts. The near ends stay open here, as they do in a launcher. */
static int queue(const char *path)
{
	int file = (int)must(open(path, O_RDONLY | O_CLOEXEC), "open the plan");
	int plan = (int)must(memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create");
	int setup[2], control[2];
	struct stat found;

	must(fstat(file, &found), "fstat");
	must(sendfile(plan, file, NULL, (size_t)found.st_size), "sendfile");
	must(fcntl(plan, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), "seal the plan");
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, setup), "socketpair");
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control), "socketpair");
	must(fcntl(setup[NEAR], F_SETFD, FD_CLOEXEC), "fcntl");
	must(fcntl(control[NEAR], F_SETFD, FD_CLOEXEC), "fcntl");
	say(setup[NEAR],
	    (struct message){ .magic = PROTOCOL_MAGIC,
			      .kind = MESSAGE_REFER,
			      .value = REAPER_INSIDE,
			      .index = (uint32_t)control[FAR] },
	    -1);
	say(setup[NEAR],
	    (struct message){
		    .magic = PROTOCOL_MAGIC, .kind = MESSAGE_EXEC_PLAN, .value = (uint32_t)found.st_size },
	    plan);
	return setup[FAR];
}

/* What the command has said last. */
static char words[4096];
static size_t length;

/* Whether there may be more. */
static int reads(int descriptor)
{
	ssize_t count = must(read(descriptor, words, sizeof(words)), "read");

	if (count > 0)
		length = (size_t)count;
	return count > 0;
}

static void read_to_end(const int *descriptors)
{
	struct pollfd open[2] = { { .fd = descriptors[0], .events = POLLIN },
				  { .fd = descriptors[1], .events = POLLIN } };

	while (open[0].fd >= 0 || open[1].fd >= 0) {
		must(poll(open, 2, -1), "poll");
		for (int i = 0; i < 2; i++) {
			if (open[i].revents != 0 && !reads(open[i].fd))
				open[i].fd = -1;
		}
	}
}

static int64_t now(void)
{
	struct timespec time;

	must(clock_gettime(CLOCK_MONOTONIC, &time), "clock_gettime");
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

int main(int argc, char **argv)
{
	static char number[16];
	extern char **environ;
	posix_spawn_file_actions_t streams;
	int output[2], errors[2], status;
	int64_t started, ended;
	pid_t child;

	if (argc < 3)
		return 2;
	if (strcmp(argv[1], "-") != 0)
		snprintf(number, sizeof(number), "%d", queue(argv[1]));
	for (char **word = argv + 2; *word != NULL; word++) {
		if (strcmp(*word, "FD") == 0)
			*word = number;
	}
	must(pipe2(output, O_CLOEXEC), "pipe2");
	must(pipe2(errors, O_CLOEXEC), "pipe2");
	posix_spawn_file_actions_init(&streams);
	posix_spawn_file_actions_addopen(&streams, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&streams, output[FAR], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&streams, errors[FAR], STDERR_FILENO);
	started = now();
	errno = posix_spawnp(&child, argv[2], &streams, NULL, argv + 2, environ);
	must(errno == 0 ? 0 : -1, argv[2]);
	close(output[FAR]);
	close(errors[FAR]);
	read_to_end((int[]){ output[NEAR], errors[NEAR] });
	must(waitpid(child, &status, 0), "waitpid");
	ended = now();
	if (status != 0) {
		fprintf(stderr, "%s: wait status %d: %.*s\n", argv[2], status, (int)length, words);
		return 1;
	}
	printf("%lld\n", (long long)(ended - started));
	return 0;
}
