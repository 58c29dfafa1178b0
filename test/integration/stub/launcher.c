/*
 * A launcher without Node: says what it is told to a `fence launched`, or as a service to a `fence attach`, and prints what
 * that answers.
 *
 * Runs:     in tests.
 * Promises: what stands before "start" is in the sockets before the process is started; ends as the process does.
 *
 *   launcher WORD... -- COMMAND...
 *
 * "FD" in the command becomes the number of the socket. The exec plan is read from standard input, answers go to descriptor 3:
 * one line each. The words, in their order:
 *
 *   to setup: refer | factory | refer-numbers I S   MESSAGE_REFER inside: with control, with a socket factory besides, with these
 *             plan | exit N | kind N | junk N       what it says; N bytes that are no message
 *             close
 *             start                                 starts the command
 *   from it:  heard, said                           prints one message of setup, of control
 *             setup, control                        until it is closed
 *   control:  signal N
 *   service:  listen PATH | listen-as USER PATH     setup and life come through this socket then
 *             accept | refuse                       takes them | closes the connection
 *             take N                                to setup
 *             give N | give-fewer N | give-at I     to setup, after the first answer: N descriptors from the first free number
 *                                                   on; one fewer than it says; one with this number
 *             drained, life-exit N, life-drain      prints the next message of life; says EXIT or DRAIN to it
 *             leave                                 closes life
 *             opened PATH                           waits until the program writes to this FIFO
 *   factory:  ask FAMILY | factory-junk N           asks and prints the answer; N bytes that are no message
 *             factory-kind N                        a message of that kind, with a descriptor
 *             flood, answers                        asks as often as fits; reads as many answers, in their order
 *             factory-closed | end-factory          prints its next message, its end; closes this end
 *             reach FAMILY                          asks, connects to the port that the program prints, and sends "x"
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../native/stub/protocol.h"

enum { OURS, THEIRS };

static struct {
	int setup[2];
	int control[2];
	int factory[2];
	uint32_t asked;
	int output[2]; /* of the command, with "reach" */
	int life; /* of a front, as a service has it */
	uint32_t free; /* the first number that is free in what a front has forked */
	int listener;
	int plan;
	uint32_t plan_size;
	pid_t child;
	char **command;
} with;

static long must(long result, const char *what)
{
	if (result >= 0)
		return result;
	perror(what);
	exit(99);
}

static void send_bytes(int socket, const void *bytes, size_t length, int descriptor)
{
	struct iovec part = { .iov_base = (void *)bytes, .iov_len = length };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };

	if (descriptor >= 0) {
		packet.msg_control = &control;
		packet.msg_controllen = sizeof(control);
		control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET };
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(int));
	}
	must(sendmsg(socket, &packet, MSG_NOSIGNAL), "sendmsg");
}

static void say(int socket, uint32_t kind, uint32_t value, uint32_t index, uint32_t step, int descriptor)
{
	struct message message = {
		.magic = PROTOCOL_MAGIC, .kind = kind, .value = value, .index = index, .step = step,
	};

	send_bytes(socket, &message, sizeof(message), descriptor);
}

/* What came with a message, in a word. */
static const char *describe(int descriptor)
{
	struct stat found, root;
	int domain = 0, accepts = 0;
	socklen_t length = sizeof(domain);

	if (descriptor < 0)
		return "none";
	must(fstat(descriptor, &found), "fstat");
	must(stat("/", &root), "stat");
	if (S_ISDIR(found.st_mode))
		return found.st_ino == root.st_ino && (fcntl(descriptor, F_GETFL) & O_PATH) != 0 ? "root" : "directory";
	if (!S_ISSOCK(found.st_mode))
		return "other";
	must(getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length), "getsockopt");
	must(getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &accepts, &length), "getsockopt");
	if (accepts != SOCK_STREAM || (fcntl(descriptor, F_GETFL) & O_NONBLOCK) == 0)
		return "odd socket";
	return domain == AF_INET ? "IPv4 socket" : domain == AF_INET6 ? "IPv6 socket" : "odd socket";
}

/* One message with up to two descriptors; -1 where there is none. Returns whether there was one. */
static int receive(const char *name, int socket, struct message *message, int descriptors[2])
{
	struct iovec part = { .iov_base = message, .iov_len = sizeof(*message) };
	char control[CMSG_SPACE(2 * sizeof(int))];
	struct msghdr packet = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t length = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header = CMSG_FIRSTHDR(&packet);

	descriptors[0] = descriptors[1] = -1;
	if (length == 0 || (length < 0 && errno == ECONNRESET)) {
		dprintf(3, "%s closed\n", name);
		return 0;
	}
	must(length, "recvmsg");
	if (header != NULL && header->cmsg_type == SCM_RIGHTS)
		memcpy(descriptors, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
	return 1;
}

/* Prints one message. Returns whether there was one. */
static int hear(const char *name, int socket)
{
	struct message message;
	int descriptors[2], descriptor;

	if (!receive(name, socket, &message, descriptors))
		return 0;
	descriptor = descriptors[0];
	if (message.kind == MESSAGE_TAKEN && message.error == 0) { /* which process it is depends on chance */
		dprintf(3, "%s taken\n", name);
		if (message.value != 0) /* of a front alone */
			with.free = message.value;
	} else if (message.kind == MESSAGE_TAKEN) {
		dprintf(3, "%s taken: error %u of call %u\n", name, message.error, message.value);
	} else {
		dprintf(3, "%s %u: value %u, step %u, index %u, error %u, %s\n", name, message.kind, message.value,
			message.step, message.index, message.error, describe(descriptor));
	}
	if (descriptor >= 0)
		close(descriptor);
	return 1;
}

/* Copies of the plan's file, as many as @count, of which the message says that they are @said. */
static void give(uint32_t count, uint32_t said, uint32_t index)
{
	struct message message = { .magic = PROTOCOL_MAGIC, .kind = MESSAGE_GIVE, .value = said, .index = index };
	struct iovec part = { .iov_base = &message, .iov_len = sizeof(message) };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(GIVEN_DESCRIPTORS * sizeof(int))];
	} control;
	struct msghdr packet = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};

	memset(&control, 0, sizeof(control));
	control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET };
	control.header.cmsg_type = SCM_RIGHTS;
	for (uint32_t i = 0; i < count; i++)
		memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &with.plan, sizeof(int));
	must(sendmsg(with.setup[OURS], &packet, MSG_NOSIGNAL), "sendmsg");
}

static void ask(uint32_t family)
{
	say(with.factory[OURS], MESSAGE_SOCKET, family, ++with.asked, 0, -1);
}

/* Until the other end reads no more. */
static void flood(void)
{
	struct message message = { .magic = PROTOCOL_MAGIC, .kind = MESSAGE_SOCKET, .value = AF_INET, .index = 1 };

	while (send(with.factory[OURS], &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		message.index++;
	with.asked = message.index - 1;
}

/* Whether there is one for each request, in their order. */
static void hear_answers(void)
{
	for (uint32_t i = 1; i <= with.asked; i++) {
		struct message message;
		int descriptors[2];

		if (!receive("answers", with.factory[OURS], &message, descriptors))
			return;
		if (message.index != i || message.error != 0 || descriptors[0] < 0)
			dprintf(3, "answers: index %u, error %u\n", message.index, message.error);
		close(descriptors[0]);
	}
	dprintf(3, "answers: as many as asked\n");
}

/* The program prints its port. */
static void reach(uint32_t family)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct message message;
	char port[16] = "";
	int descriptors[2];

	ask(family);
	if (!receive("reach", with.factory[OURS], &message, descriptors))
		return;
	must(read(with.output[0], port, sizeof(port) - 1), "read");
	address.sin_port = htons((uint16_t)atoi(port));
	must(fcntl(descriptors[0], F_SETFL, 0), "fcntl");
	must(connect(descriptors[0], (struct sockaddr *)&address, sizeof(address)), "connect");
	must(send(descriptors[0], "x", 1, MSG_NOSIGNAL), "send");
	dprintf(3, "reach: connected\n");
	close(descriptors[0]);
}

static void read_plan(void)
{
	char bytes[65536];
	ssize_t length;

	with.plan = (int)must(memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create");
	while ((length = must(read(0, bytes, sizeof(bytes)), "read")) > 0) {
		must(write(with.plan, bytes, (size_t)length), "write");
		with.plan_size += (uint32_t)length;
	}
	must(fcntl(with.plan, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), "fcntl");
}

static void start(void)
{
	static char number[16], self[16];

	snprintf(number, sizeof(number), "%d", with.setup[THEIRS]);
	snprintf(self, sizeof(self), "%d", (int)getpid());
	with.child = (pid_t)must(fork(), "fork");
	if (with.child == 0) {
		for (char **word = with.command; *word != NULL; word++) {
			if (strcmp(*word, "FD") == 0)
				*word = number;
			if (strcmp(*word, "SELF") == 0)
				*word = self;
		}
		if (with.output[1] > 0)
			dup2(with.output[1], 1);
		close(3);
		execvp(with.command[0], with.command);
		_exit(98);
	}
	close(with.setup[THEIRS]);
	close(with.control[THEIRS]);
	close(with.factory[THEIRS]);
}

static void listen_on(const char *path, uid_t user)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	uid_t self = geteuid();

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	with.listener = (int)must(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "socket");
	must(bind(with.listener, (struct sockaddr *)&address, sizeof(address)), "bind");
	must(seteuid(user), "seteuid");
	must(listen(with.listener, 1), "listen");
	must(seteuid(self), "seteuid");
	must(chmod(path, 0777), "chmod");
}

/* @takes: and is the launcher of whoever attaches. */
static void accept_one(int takes)
{
	int connection = (int)must(accept4(with.listener, NULL, NULL, SOCK_CLOEXEC), "accept"), ends[2];
	struct message message;

	if (takes && receive("service", connection, &message, ends)) {
		dprintf(3, "service %u: %x-%x\n", message.kind, message.value, message.index);
		with.setup[OURS] = ends[0];
		with.life = ends[1];
		(void)receive("service", connection, &message, ends);
	}
	close(connection);
}

static int inherited(int pair[2])
{
	return (int)must(fcntl(pair[THEIRS], F_SETFD, 0), "fcntl") == 0 ? pair[THEIRS] : -1;
}

/* Does one word, and answers how many words it was. */
static int obey(char **words)
{
	const char *word = words[0];
	uint32_t number = words[1] != NULL ? (uint32_t)strtoul(words[1], NULL, 10) : 0;
	char junk[300] = "this is no message";

	if (strcmp(word, "plan") == 0)
		return say(with.setup[OURS], MESSAGE_EXEC_PLAN, with.plan_size, 0, 0, with.plan), 1;
	if (strcmp(word, "refer") == 0)
		return say(with.setup[OURS], MESSAGE_REFER, REAPER_INSIDE, (uint32_t)inherited(with.control), 0, -1), 1;
	if (strcmp(word, "refer-numbers") == 0)
		return say(with.setup[OURS], MESSAGE_REFER, REAPER_INSIDE, number,
			   (uint32_t)strtoul(words[2], NULL, 10), -1), 3;
	if (strcmp(word, "factory") == 0)
		return say(with.setup[OURS], MESSAGE_REFER, REAPER_INSIDE, (uint32_t)inherited(with.control),
			   (uint32_t)inherited(with.factory), -1), 1;
	if (strcmp(word, "exit") == 0)
		return say(with.setup[OURS], MESSAGE_EXIT, number, 0, 0, -1), 2;
	if (strcmp(word, "kind") == 0)
		return say(with.setup[OURS], number, 0, 0, 0, -1), 2;
	if (strcmp(word, "junk") == 0)
		return send_bytes(with.setup[OURS], junk, number, -1), 2;
	if (strcmp(word, "close") == 0)
		return close(with.setup[OURS]), 1;
	if (strcmp(word, "start") == 0)
		return start(), 1;
	if (strcmp(word, "heard") == 0)
		return hear("setup", with.setup[OURS]), 1;
	if (strcmp(word, "said") == 0)
		return hear("control", with.control[OURS]), 1;
	if (strcmp(word, "setup") == 0 || strcmp(word, "control") == 0) {
		while (hear(word, *word == 's' ? with.setup[OURS] : with.control[OURS]))
			continue;
		return 1;
	}
	if (strcmp(word, "ask") == 0) {
		ask(number);
		return hear("factory", with.factory[OURS]), 2;
	}
	if (strcmp(word, "factory-junk") == 0)
		return send_bytes(with.factory[OURS], junk, number, -1), 2;
	if (strcmp(word, "factory-kind") == 0)
		return say(with.factory[OURS], number, AF_INET, 0, 0, with.plan), 2;
	if (strcmp(word, "flood") == 0)
		return flood(), 1;
	if (strcmp(word, "answers") == 0)
		return hear_answers(), 1;
	if (strcmp(word, "reach") == 0)
		return reach(number), 2;
	if (strcmp(word, "factory-closed") == 0)
		return hear("factory", with.factory[OURS]), 1;
	if (strcmp(word, "end-factory") == 0)
		return close(with.factory[OURS]), 1;
	if (strcmp(word, "listen") == 0)
		return listen_on(words[1], geteuid()), 2;
	if (strcmp(word, "listen-as") == 0)
		return listen_on(words[2], number), 3;
	if (strcmp(word, "accept") == 0 || strcmp(word, "refuse") == 0)
		return accept_one(*word == 'a'), 1;
	if (strcmp(word, "take") == 0)
		return say(with.setup[OURS], MESSAGE_TAKE, number, 0, 0, -1), 2;
	if (strcmp(word, "give") == 0)
		return give(number, number, with.free), 2;
	if (strcmp(word, "give-fewer") == 0)
		return give(number - 1, number, with.free), 2;
	if (strcmp(word, "give-at") == 0)
		return give(1, 1, number), 2;
	if (strcmp(word, "drained") == 0)
		return hear("life", with.life), 1;
	if (strcmp(word, "life-exit") == 0)
		return say(with.life, MESSAGE_EXIT, number, 0, 0, -1), 2;
	if (strcmp(word, "life-drain") == 0)
		return say(with.life, MESSAGE_DRAIN, 0, 0, 0, -1), 1;
	if (strcmp(word, "opened") == 0)
		return (void)must(open(words[1], O_RDONLY | O_CLOEXEC), "open"), 2;
	if (strcmp(word, "leave") == 0)
		return close(with.life), 1;
	if (strcmp(word, "signal") == 0)
		return say(with.control[OURS], MESSAGE_SIGNAL, number, 0, 0, -1), 2;
	fprintf(stderr, "no such word: %s\n", word);
	exit(97);
}

int main(int argc, char **argv)
{
	int count = 1, status;

	while (count < argc && strcmp(argv[count], "--") != 0)
		count++;
	with.command = argv + count + (count < argc);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, with.setup), "socketpair");
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, with.control), "socketpair");
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, with.factory), "socketpair");
	inherited(with.setup);
	read_plan();
	for (int at = 1; at < count; at++) {
		if (strcmp(argv[at], "reach") == 0)
			must(pipe2(with.output, O_CLOEXEC), "pipe2");
	}
	for (int at = 1; at < count;)
		at += obey(argv + at);
	must(waitpid(with.child, &status, 0), "waitpid");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
