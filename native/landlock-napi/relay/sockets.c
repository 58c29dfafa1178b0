/*
 * Makes sockets, connects them, asks what they still hold, and ends them.
 *
 * Runs:     in Node, host and sandbox.
 * Promises: every socket made here is non-blocking and close-on-exec.
 * Source:   socket(2), tcp(7), unix(7), SIOCINQ and SIOCOUTQ in tcp(7)
 */
#include "relay.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* An option that is an int. Returns 0 or -1 with errno set. */
static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

/*
 * Reno does not pace what it sends. On the loopback interface, which loses nothing, pacing costs up to four fifths of the
 * throughput, and BBR, the default of some machines, paces. Reno is in every kernel and open to every user.
 */
static int do_not_pace(int fd)
{
	static const char reno[] = "reno";

	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, reno, sizeof(reno) - 1);
}

/* A queue's length in bytes, or -1 with errno set. */
static int queue_length(int fd, unsigned long request)
{
	int bytes;

	return ioctl(fd, request, &bytes) == -1 ? -1 : bytes;
}

/* Closing @fd will send a reset instead of a FIN, socket(7) SO_LINGER. Returns 0 or -1 with errno set. */
static int reset_on_close(int fd)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

/* Takes the socket's pending error: 0, or the errno as a positive number; -1 with errno set. */
static int take_error(int fd)
{
	int error;
	socklen_t length = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1 ? -1 : error;
}

/* Returns 0 or -1 with errno set. */
static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags == -1 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* (fd, address: Uint8Array), the address laid out as the kernel reads it. Returns 0, or -1 with a TypeError pending. */
static int address_args(napi_env env, napi_callback_info info, int32_t *fd, struct sockaddr **address,
			socklen_t *length)
{
	napi_value args[2];
	void *bytes;
	size_t size;

	if (glue_args(env, info, 2, args) != 0)
		return -1;
	if (napi_get_value_int32(env, args[0], fd) != napi_ok ||
	    napi_get_buffer_info(env, args[1], &bytes, &size) != napi_ok || size > sizeof(struct sockaddr_storage)) {
		glue_type_error(env, "expected (descriptor, socket address)");
		return -1;
	}
	*address = bytes;
	*length = (socklen_t)size;
	return 0;
}

/* bind(fd, address): 0 or -errno */
static napi_value bind_call(napi_env env, napi_callback_info info)
{
	struct sockaddr *address;
	socklen_t length;
	int32_t fd;

	if (address_args(env, info, &fd, &address, &length) != 0)
		return NULL;
	return glue_number(env, or_errno(bind(fd, address, length)));
}

/* connect(fd, address): 0 or -errno (EINPROGRESS: EPOLLOUT tells the end; EAGAIN: a Unix backlog is full) */
static napi_value connect_call(napi_env env, napi_callback_info info)
{
	struct sockaddr *address;
	socklen_t length;
	int32_t fd;

	if (address_args(env, info, &fd, &address, &length) != 0)
		return NULL;
	return glue_number(env, or_errno(TEMP_FAILURE_RETRY(connect(fd, address, length))));
}

/* socketName(fd, address): fills the address and answers its length, or -errno */
static napi_value socket_name_call(napi_env env, napi_callback_info info)
{
	struct sockaddr *address;
	socklen_t length;
	int32_t fd;

	if (address_args(env, info, &fd, &address, &length) != 0)
		return NULL;
	return glue_number(env, getsockname(fd, address, &length) == -1 ? -errno : (int64_t)length);
}

/* Whether the network namespace's loopback interface is up: 1, 0 or -errno. */
static int loopback_is_up(int fd)
{
	struct ifreq request = { .ifr_name = "lo" };

	if (ioctl(fd, SIOCGIFFLAGS, &request) == -1)
		return -errno;
	return (request.ifr_flags & IFF_UP) != 0;
}

/* packetSocket(): descriptor or -errno */
static napi_value packet_socket_call(napi_env env, napi_callback_info info)
{
	(void)info; /* it takes no arguments */
	return glue_number(env, or_errno(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)));
}

INT_CALL(socket_call, 1, socket(arg[0], SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))
INT_CALL(listen_call, 2, listen(arg[0], arg[1]))
INT_CALL(accept_call, 1, TEMP_FAILURE_RETRY(accept4(arg[0], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)))
INT_CALL(shutdown_write_call, 1, shutdown(arg[0], SHUT_WR))
INT_CALL(set_nonblocking_call, 1, set_nonblocking(arg[0]))
/* On a socket that is not bound yet this is the mode that bind(2) gives the file, less the umask. */
INT_CALL(set_mode_call, 2, fchmod(arg[0], (mode_t)arg[1]))
INT_CALL(reuse_address_call, 1, set_option(arg[0], SOL_SOCKET, SO_REUSEADDR, 1))
INT_CALL(no_delay_call, 1, set_option(arg[0], IPPROTO_TCP, TCP_NODELAY, 1))
INT_CALL(do_not_pace_call, 1, do_not_pace(arg[0]))
/* From now on the socket is writable only while it holds nothing unsent. */
INT_CALL(writable_when_sent_call, 1, set_option(arg[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1))
INT_CALL(reset_on_close_call, 1, reset_on_close(arg[0]))
INT_CALL(take_error_call, 1, take_error(arg[0]))
INT_CALL(loopback_is_up_call, 1, loopback_is_up(arg[0]))
INT_CALL(unread_call, 1, queue_length(arg[0], SIOCINQ))
INT_CALL(unacknowledged_call, 1, queue_length(arg[0], SIOCOUTQ))
INT_CALL(unsent_call, 1, queue_length(arg[0], SIOCOUTQNSD))

int relay_sockets_register(napi_env env, napi_value exports)
{
	const napi_property_descriptor calls[] = {
		GLUE_CALL("socket", socket_call),
		GLUE_CALL("packetSocket", packet_socket_call),
		GLUE_CALL("bind", bind_call),
		GLUE_CALL("listen", listen_call),
		GLUE_CALL("accept", accept_call),
		GLUE_CALL("connect", connect_call),
		GLUE_CALL("socketName", socket_name_call),
		GLUE_CALL("shutdownWrite", shutdown_write_call),
		GLUE_CALL("setNonblocking", set_nonblocking_call),
		GLUE_CALL("setMode", set_mode_call),
		GLUE_CALL("reuseAddress", reuse_address_call),
		GLUE_CALL("noDelay", no_delay_call),
		GLUE_CALL("doNotPace", do_not_pace_call),
		GLUE_CALL("writableWhenSent", writable_when_sent_call),
		GLUE_CALL("resetOnClose", reset_on_close_call),
		GLUE_CALL("takeError", take_error_call),
		GLUE_CALL("loopbackIsUp", loopback_is_up_call),
		GLUE_CALL("unread", unread_call),
		GLUE_CALL("unacknowledged", unacknowledged_call),
		GLUE_CALL("unsent", unsent_call),
	};

	return glue_register(env, exports, sizeof(calls) / sizeof(calls[0]), calls);
}
