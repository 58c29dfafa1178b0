/*
 * Denies itself every TCP port by Landlock, then tries each way to one.
 *
 * Runs:     in the tests of what Landlock's TCP rights do not see; a preloaded filter may be in force already.
 * Promises: prints one JSON object: for each way 0 or the errno.
 * Source:   landlock(7), tcp(7), linux/mptcp.h, linux/io_uring.h
 *
 * Build:    cc -O2 -o tcp-detours tcp-detours.c
 * Use:      tcp-detours PORT, where something listens on 127.0.0.1:PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROTOCOL_MPTCP 262
#define PROTOCOL_TCP 6
#define OPTION_FASTOPEN_CONNECT 30
#define NR_CREATE_RULESET 444
#define NR_RESTRICT_SELF 446

static struct sockaddr_in target;

static int deny_tcp(void)
{
	const uint64_t handled[2] = { 0, 3 }; /* files: none; network: BIND_TCP, CONNECT_TCP */
	long ruleset = syscall(NR_CREATE_RULESET, handled, sizeof(handled), 0);

	if (ruleset == -1 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	return (int)syscall(NR_RESTRICT_SELF, ruleset, 0);
}

static long connect_tcp(void)
{
	return connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&target, sizeof(target));
}

static long fast_open_sendto(void)
{
	return sendto(socket(AF_INET, SOCK_STREAM, 0), "x", 1, MSG_FASTOPEN, (struct sockaddr *)&target, sizeof(target));
}

static struct msghdr message(void)
{
	static struct iovec bytes = { .iov_base = "x", .iov_len = 1 };

	return (struct msghdr){
		.msg_name = &target, .msg_namelen = sizeof(target), .msg_iov = &bytes, .msg_iovlen = 1
	};
}

static long fast_open_sendmsg(void)
{
	const struct msghdr header = message();

	return sendmsg(socket(AF_INET, SOCK_STREAM, 0), &header, MSG_FASTOPEN);
}

static long fast_open_sendmmsg(void)
{
	struct mmsghdr headers = { .msg_hdr = message() };

	return sendmmsg(socket(AF_INET, SOCK_STREAM, 0), &headers, 1, MSG_FASTOPEN);
}

/* The option only delays the handshake: connect(2) is checked as ever. */
static long fast_open_connect(void)
{
	int descriptor = socket(AF_INET, SOCK_STREAM, 0);
	int on = 1;

	if (setsockopt(descriptor, PROTOCOL_TCP, OPTION_FASTOPEN_CONNECT, &on, sizeof(on)) == -1)
		return -1;
	return connect(descriptor, (struct sockaddr *)&target, sizeof(target));
}

static long multipath_tcp(void)
{
	int descriptor = socket(AF_INET, SOCK_STREAM, PROTOCOL_MPTCP);

	return descriptor == -1 ? -1 : connect(descriptor, (struct sockaddr *)&target, sizeof(target));
}

static long io_uring(void)
{
	struct io_uring_params parameters = { .flags = 0 };

	return syscall(SYS_io_uring_setup, 1, &parameters);
}

static long listen_without_bind(void)
{
	return listen(socket(AF_INET, SOCK_STREAM, 0), 1);
}

static const struct {
	const char *name;
	long (*attempt)(void);
} ways[] = {
	{ "connect", connect_tcp },
	{ "sendto", fast_open_sendto },
	{ "sendmsg", fast_open_sendmsg },
	{ "sendmmsg", fast_open_sendmmsg },
	{ "fastOpenConnect", fast_open_connect },
	{ "multipathTcp", multipath_tcp },
	{ "ioUring", io_uring },
	{ "listenWithoutBind", listen_without_bind },
};

int main(int argc, char **argv)
{
	target.sin_family = AF_INET;
	target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	target.sin_port = htons((uint16_t)(argc == 2 ? atoi(argv[1]) : 0));
	if (deny_tcp() == -1) {
		perror("landlock");
		return 1;
	}
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		long result = ways[i].attempt();

		printf("%s\"%s\":%d", i == 0 ? "{" : ",", ways[i].name, result == -1 ? errno : 0);
	}
	printf("}\n");
	return 0;
}
