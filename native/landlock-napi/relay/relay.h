/*
 * What the files of the relay's socket calls share.
 *
 * Runs:     in Node, host and sandbox.
 * Promises: every call answers its result, 0 or more, or -errno; none blocks and none raises SIGPIPE.
 * Source:   ../src/glue.h for the conversion of arguments
 */
#ifndef LANDLOCK_NAPI_RELAY_H
#define LANDLOCK_NAPI_RELAY_H

#include "../src/glue.h"

#include <errno.h>
#include <unistd.h>

/* The result of a system call, with errno folded in. */
static inline int64_t or_errno(int64_t result)
{
	return result == -1 ? -errno : result;
}

/* Defines a call that reads @count integers into arg[] and answers @expression, or -errno when that is -1. */
#define INT_CALL(name, count, expression)                                                                              \
	static napi_value name(napi_env env, napi_callback_info info)                                                  \
	{                                                                                                              \
		int32_t arg[count];                                                                                    \
                                                                                                                       \
		if (glue_int_args(env, info, (count), arg) != 0)                                                       \
			return NULL;                                                                                   \
		return glue_number(env, or_errno(expression));                                                         \
	}

/* The files whose calls relay_register() adds beside its own. */
int relay_sockets_register(napi_env env, napi_value exports);
int relay_epoll_register(napi_env env, napi_value exports);
int relay_host_register(napi_env env, napi_value exports);

#endif
