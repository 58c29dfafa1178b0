/*
 * What the host ends of the bridges ask the kernel: who a peer is, what a given descriptor is, who uses a directory.
 *
 * Runs:     in Node, host; listeningFamily() also in the sandbox.
 * Promises: none blocks, none changes what it asks about but for the lock.
 * Source:   unix(7) SO_PEERCRED, socket(7) SO_ACCEPTCONN, flock(2)
 */
#include "relay.h"

#include <sys/file.h>
#include <sys/socket.h>

/* The effective user ID that the peer of a Unix socket had at its connect(2), in our user namespace; or -1 with errno set. */
static int64_t peer_uid(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == -1 ? -1 : (int64_t)peer.uid;
}

/* An option that is an int, or -1 with errno set. None of those asked for here can be negative. */
static int int_option(int fd, int name)
{
	int value;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &length) == -1 ? -1 : value;
}

/* The AF_* of a stream socket that listens; or -1 with errno set, EINVAL for another socket. */
static int listening_family(int fd)
{
	int type = int_option(fd, SO_TYPE);
	int listens = type == -1 ? -1 : int_option(fd, SO_ACCEPTCONN);

	if (listens == -1)
		return -1;
	if (type == SOCK_STREAM && listens == 1)
		return int_option(fd, SO_DOMAIN);
	errno = EINVAL;
	return -1;
}

INT_CALL(peer_uid_call, 1, peer_uid(arg[0]))
INT_CALL(listening_family_call, 1, listening_family(arg[0]))
/* lock(fd, LOCK_SH | LOCK_EX | LOCK_UN): 0, -EWOULDBLOCK when others hold it, or -errno */
INT_CALL(lock_call, 2, flock(arg[0], arg[1] | LOCK_NB))

int relay_host_register(napi_env env, napi_value exports)
{
	const napi_property_descriptor calls[] = {
		GLUE_CALL("peerUid", peer_uid_call),
		GLUE_CALL("listeningFamily", listening_family_call),
		GLUE_CALL("lock", lock_call),
	};

	return glue_register(env, exports, sizeof(calls) / sizeof(calls[0]), calls);
}
