/*
 * Becomes a command in which `fence launched` finds its exec plan waiting: the start of a sandbox without that of a launcher.
 *
 *   launched-once PLAN COMMAND...
 *
 * Runs:     on the host (npm run bench).
 * Promises: "FD" in the command is the socket's number. With "-" as PLAN it does nothing but become the command, so that both
 *           can be started alike.
 * Source:   native/stub/protocol.h; src/sys/launched.ts is the launcher's own
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

/* Both messages that a launcher sends before the sandbox starts. The near ends stay open in bwrap, which waits for its child. */
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

int main(int argc, char **argv)
{
	static char number[16];

	if (argc < 3)
		return 2;
	if (strcmp(argv[1], "-") != 0)
		snprintf(number, sizeof(number), "%d", queue(argv[1]));
	for (char **word = argv + 2; *word != NULL; word++) {
		if (strcmp(*word, "FD") == 0)
			*word = number;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 98;
}
