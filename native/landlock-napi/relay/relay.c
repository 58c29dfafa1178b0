/*
 * Moves bytes: between a socket and a buffer, and between a socket and a pipe.
 *
 * Runs:     in Node, host and sandbox.
 * Promises: never blocks, never raises SIGPIPE once ignoreSigpipe() was called, never touches a byte outside the buffer.
 * Source:   recv(2), send(2), splice(2), pipe(7)
 */
#include "relay.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

/* (fd, buffer, start, end, ...): the bytes from start to end are to be written. */
struct slice {
	int32_t fd;
	const char *bytes;
	size_t length;
};

/* Returns 0, or -1 with a TypeError pending. */
static int slice_of(napi_env env, const napi_value *args, struct slice *slice)
{
	uint32_t start, end;
	void *bytes;
	size_t length;

	if (napi_get_value_int32(env, args[0], &slice->fd) != napi_ok ||
	    napi_get_buffer_info(env, args[1], &bytes, &length) != napi_ok ||
	    napi_get_value_uint32(env, args[2], &start) != napi_ok ||
	    napi_get_value_uint32(env, args[3], &end) != napi_ok || start > end || end > length) {
		glue_type_error(env, "expected (descriptor, Uint8Array, start, end)");
		return -1;
	}
	slice->bytes = (const char *)bytes + start;
	slice->length = end - start;
	return 0;
}

/* receive(fd, buffer: Uint8Array): bytes, 0 at the end, or -errno */
static napi_value receive_call(napi_env env, napi_callback_info info)
{
	napi_value args[2];
	int32_t fd;
	void *bytes;
	size_t length;

	if (glue_args(env, info, 2, args) != 0)
		return NULL;
	if (napi_get_value_int32(env, args[0], &fd) != napi_ok ||
	    napi_get_buffer_info(env, args[1], &bytes, &length) != napi_ok)
		return glue_type_error(env, "expected (descriptor, Uint8Array)");
	return glue_number(env, or_errno(TEMP_FAILURE_RETRY(recv(fd, bytes, length, MSG_DONTWAIT))));
}

/* send(fd, buffer: Uint8Array, start, end, flags): bytes or -errno. The one flag is MSG_MORE. */
static napi_value send_call(napi_env env, napi_callback_info info)
{
	napi_value args[5];
	struct slice slice;
	int32_t flags;

	if (glue_args(env, info, 5, args) != 0 || slice_of(env, args, &slice) != 0)
		return NULL;
	if (napi_get_value_int32(env, args[4], &flags) != napi_ok)
		return glue_type_error(env, "expected flags");
	flags = (flags & MSG_MORE) | MSG_DONTWAIT | MSG_NOSIGNAL;
	return glue_number(env, or_errno(TEMP_FAILURE_RETRY(send(slice.fd, slice.bytes, slice.length, flags))));
}

/* writePipe(fd, buffer: Uint8Array, start, end): bytes or -errno */
static napi_value write_pipe_call(napi_env env, napi_callback_info info)
{
	napi_value args[4];
	struct slice slice;

	if (glue_args(env, info, 4, args) != 0 || slice_of(env, args, &slice) != 0)
		return NULL;
	return glue_number(env, or_errno(TEMP_FAILURE_RETRY(write(slice.fd, slice.bytes, slice.length))));
}

/* pipe(ends: Int32Array of 2): 0 or -errno. ends[0] is read from, ends[1] written to. */
static napi_value pipe_call(napi_env env, napi_callback_info info)
{
	void *ends;

	if (glue_ends(env, info, &ends) != 0)
		return NULL;
	return glue_number(env, or_errno(pipe2(ends, O_CLOEXEC | O_NONBLOCK)));
}

/* splice(from, to, length): bytes, 0 at the end, or -errno. One of the two is a pipe. */
INT_CALL(splice_call, 3,
	 TEMP_FAILURE_RETRY(splice(arg[0], NULL, arg[1], NULL, (size_t)arg[2], SPLICE_F_MOVE | SPLICE_F_NONBLOCK)))

/* setPipeSize(fd, bytes): the size, or -errno (EPERM past the user's limit, pipe(7)) */
INT_CALL(set_pipe_size_call, 2, fcntl(arg[0], F_SETPIPE_SZ, arg[1]))

/* splice(2) has no MSG_NOSIGNAL. Only the default disposition is changed: a handler that is there stays. */
static int ignore_sigpipe(void)
{
	struct sigaction action;

	if (sigaction(SIGPIPE, NULL, &action) == -1)
		return -1;
	if ((action.sa_flags & SA_SIGINFO) || action.sa_handler != SIG_DFL)
		return 0;
	action.sa_handler = SIG_IGN;
	return sigaction(SIGPIPE, &action, NULL);
}

/* ignoreSigpipe(): 0 or -errno */
static napi_value ignore_sigpipe_call(napi_env env, napi_callback_info info)
{
	(void)info; /* takes no argument */
	return glue_number(env, or_errno(ignore_sigpipe()));
}

int relay_register(napi_env env, napi_value exports)
{
	const napi_property_descriptor calls[] = {
		GLUE_CALL("receive", receive_call),
		GLUE_CALL("send", send_call),
		GLUE_CALL("writePipe", write_pipe_call),
		GLUE_CALL("pipe", pipe_call),
		GLUE_CALL("splice", splice_call),
		GLUE_CALL("setPipeSize", set_pipe_size_call),
		GLUE_CALL("ignoreSigpipe", ignore_sigpipe_call),
	};

	if (relay_sockets_register(env, exports) != 0 || relay_epoll_register(env, exports) != 0 ||
	    relay_host_register(env, exports) != 0)
		return -1;
	return glue_register(env, exports, sizeof(calls) / sizeof(calls[0]), calls);
}
