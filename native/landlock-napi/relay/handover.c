/*
 * What the bootstrap hands to and takes from the stub: sealed memory files and descriptors over a socket.
 *
 * Runs:     in the set-up Node and in the bridge process.
 * Promises: every descriptor made here is close-on-exec; a sealed file can never change again.
 * Source:   memfd_create(2), unix(7) SCM_RIGHTS, fcntl(2) F_ADD_SEALS
 */
#include "../src/glue.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define MAX_DESCRIPTORS 4
#define MAX_SENT_DESCRIPTORS 253 /* SCM_MAX_FD, unix(7) */
#define SEAL_ATTEMPTS 10

/* Without moving the file's position: whoever gets the descriptor reads from the start. */
static int write_all(int fd, const char *bytes, size_t length)
{
	off_t at = 0;

	while (length > 0) {
		ssize_t written = pwrite(fd, bytes, length, at);

		if (written < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		bytes += written;
		at += written;
		length -= (size_t)written;
	}
	return 0;
}

/* EBUSY while the kernel itself still holds one of the new pages, for which it waits some 100 ms each time. */
static int seal(int fd)
{
	for (int attempt = 1; fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == -1; attempt++) {
		if (errno != EBUSY || attempt == SEAL_ATTEMPTS)
			return -errno;
	}
	return 0;
}

/* A memory file that holds @bytes and refuses every change. Returns the descriptor or -errno. */
static int sealed_file(const char *name, const char *bytes, size_t length)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	int result;

	if (fd == -1 && errno == EINVAL) /* Linux before 6.3 */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -errno;
	result = write_all(fd, bytes, length);
	if (result == 0)
		result = seal(fd);
	if (result == 0)
		return fd;
	(void)close(fd); /* the first error is the one to report */
	return result;
}

/* sealedFile(bytes: Uint8Array): descriptor or -errno */
static napi_value sealed_file_call(napi_env env, napi_callback_info info)
{
	napi_value args[1];
	void *bytes;
	size_t length;

	if (glue_args(env, info, 1, args) != 0)
		return NULL;
	if (napi_get_buffer_info(env, args[0], &bytes, &length) != napi_ok)
		return glue_type_error(env, "expected a Buffer");
	return glue_number(env, sealed_file("fence-exec-plan", bytes, length));
}

/* Sends @length bytes and @count descriptors as one message. Returns 0 or -errno. */
static int send_message(int socket, void *bytes, size_t length, const int32_t *descriptors, size_t count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * MAX_SENT_DESCRIPTORS)];
	} control;
	struct iovec part = { .iov_base = bytes, .iov_len = length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent;

	if (count > 0) {
		memset(&control, 0, sizeof(control));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(&control.header), descriptors, sizeof(int) * count);
	}
	do {
		sent = sendmsg(socket, &message, MSG_NOSIGNAL);
	} while (sent == -1 && errno == EINTR);
	if (sent == -1)
		return -errno;
	return (size_t)sent == length ? 0 : -EMSGSIZE;
}

/* sendMessage(socket, bytes: Uint8Array, first: descriptor | -1, second: descriptor | -1): 0 or -errno */
static napi_value send_message_call(napi_env env, napi_callback_info info)
{
	napi_value args[4];
	int32_t socket, given[2], descriptors[2];
	size_t length, count = 0;
	void *bytes;

	if (glue_args(env, info, 4, args) != 0)
		return NULL;
	if (napi_get_value_int32(env, args[0], &socket) != napi_ok ||
	    napi_get_buffer_info(env, args[1], &bytes, &length) != napi_ok ||
	    napi_get_value_int32(env, args[2], &given[0]) != napi_ok ||
	    napi_get_value_int32(env, args[3], &given[1]) != napi_ok)
		return glue_type_error(env, "expected (socket, Buffer, descriptor, descriptor)");
	for (size_t i = 0; i < 2; i++) {
		if (given[i] >= 0)
			descriptors[count++] = given[i];
	}
	return glue_number(env, send_message(socket, bytes, length, descriptors, count));
}

/* sendDescriptors(socket, bytes: Uint8Array, descriptors: Int32Array of 1 to 253): 0 or -errno */
static napi_value send_descriptors_call(napi_env env, napi_callback_info info)
{
	napi_value args[3];
	napi_typedarray_type type;
	size_t length, count;
	int32_t socket;
	void *bytes, *descriptors;

	if (glue_args(env, info, 3, args) != 0)
		return NULL;
	if (napi_get_value_int32(env, args[0], &socket) != napi_ok ||
	    napi_get_buffer_info(env, args[1], &bytes, &length) != napi_ok ||
	    napi_get_typedarray_info(env, args[2], &type, &count, &descriptors, NULL, NULL) != napi_ok ||
	    type != napi_int32_array || count < 1 || count > MAX_SENT_DESCRIPTORS)
		return glue_type_error(env, "expected (socket, Buffer, Int32Array)");
	return glue_number(env, send_message(socket, bytes, length, descriptors, count));
}

/* The descriptors that a received message carries, -1 for each that is missing; any further one is closed. */
static void received_descriptors(struct msghdr *message, int32_t *descriptors, size_t room)
{
	size_t taken = 0;

	for (size_t i = 0; i < room; i++)
		descriptors[i] = -1;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
		size_t count;

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
			if (taken < room)
				descriptors[taken++] = fd;
			else
				(void)close(fd); /* not asked for, so nothing depends on it */
		}
	}
}

/*
 * receiveMessage(socket, bytes: Buffer, descriptors: Int32Array of 1 or more): length, 0 at the end, or -errno.
 * A descriptor is -1 when the message carried fewer.
 */
static napi_value receive_message_call(napi_env env, napi_callback_info info)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * MAX_DESCRIPTORS)];
	} control;
	struct iovec part;
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	napi_value args[3];
	napi_typedarray_type type;
	size_t count;
	int32_t socket;
	void *slot;
	ssize_t received;

	if (glue_args(env, info, 3, args) != 0)
		return NULL;
	if (napi_get_value_int32(env, args[0], &socket) != napi_ok ||
	    napi_get_buffer_info(env, args[1], &part.iov_base, &part.iov_len) != napi_ok ||
	    napi_get_typedarray_info(env, args[2], &type, &count, &slot, NULL, NULL) != napi_ok ||
	    type != napi_int32_array || count < 1)
		return glue_type_error(env, "expected (socket, Buffer, Int32Array)");
	memset(&control, 0, sizeof(control));
	message.msg_control = &control;
	message.msg_controllen = sizeof(control);
	/* ECONNRESET is said once, before what the other end sent and when it closed with messages unread: those stand behind it. */
	do {
		received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	} while (received == -1 && (errno == EINTR || errno == ECONNRESET));
	if (received == -1)
		return glue_number(env, -errno);
	received_descriptors(&message, slot, count);
	if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		return glue_number(env, received);
	for (size_t i = 0; i < count; i++) {
		if (((int32_t *)slot)[i] != -1)
			(void)close(((int32_t *)slot)[i]); /* of a message that is refused */
	}
	/* Its descriptors have room here, but maybe not among those of this process, unix(7). */
	return glue_number(env, (message.msg_flags & MSG_TRUNC) != 0 ? -EMSGSIZE : -EMFILE);
}

/* messagePair(ends: Int32Array of 2): 0 or -errno. Connected sockets of which each message arrives whole. */
static napi_value message_pair_call(napi_env env, napi_callback_info info)
{
	void *ends;

	if (glue_ends(env, info, &ends) != 0)
		return NULL;
	return glue_number(env, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1 ? -errno : 0);
}

/* duplicateOnto(from, to): 0 or -errno. @to is replaced, without close-on-exec. */
static napi_value duplicate_onto_call(napi_env env, napi_callback_info info)
{
	int32_t args[2];

	if (glue_int_args(env, info, 2, args) != 0)
		return NULL;
	return glue_number(env, dup2(args[0], args[1]) == -1 ? -errno : 0);
}

/* duplicateAboveStdio(fd): a close-on-exec copy, 3 or more, or -errno */
static napi_value duplicate_above_stdio_call(napi_env env, napi_callback_info info)
{
	int32_t args[1];
	int copy;

	if (glue_int_args(env, info, 1, args) != 0)
		return NULL;
	copy = fcntl(args[0], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return glue_number(env, copy == -1 ? -errno : copy);
}

/* wipeEnvironment(): 0. What /proc/PID/environ shows and getenv(3) finds is gone. */
static napi_value wipe_environment_call(napi_env env, napi_callback_info info)
{
	(void)info; /* it takes no arguments */
	for (char **variable = environ; variable != NULL && *variable != NULL; variable++)
		memset(*variable, 0, strlen(*variable));
	return glue_number(env, 0);
}

/* cancelAlarm(): 0 or -errno */
static napi_value cancel_alarm_call(napi_env env, napi_callback_info info)
{
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };

	(void)info; /* it takes no arguments */
	return glue_number(env, setitimer(ITIMER_REAL, &never, NULL) == -1 ? -errno : 0);
}

int handover_register(napi_env env, napi_value exports)
{
	const napi_property_descriptor calls[] = {
		GLUE_CALL("sealedFile", sealed_file_call),
		GLUE_CALL("sendMessage", send_message_call),
		GLUE_CALL("sendDescriptors", send_descriptors_call),
		GLUE_CALL("receiveMessage", receive_message_call),
		GLUE_CALL("messagePair", message_pair_call),
		GLUE_CALL("duplicateOnto", duplicate_onto_call),
		GLUE_CALL("duplicateAboveStdio", duplicate_above_stdio_call),
		GLUE_CALL("wipeEnvironment", wipe_environment_call),
		GLUE_CALL("cancelAlarm", cancel_alarm_call),
	};

	return glue_register(env, exports, sizeof(calls) / sizeof(calls[0]), calls);
}
