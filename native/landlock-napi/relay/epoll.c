/*
 * The epoll calls. An event crosses to JavaScript as two integers, so that nothing depends on the struct's packing.
 *
 * Runs:     in Node, host and sandbox.
 * Promises: fills the array no further than its length.
 * Source:   epoll(7); struct epoll_event is packed on x86-64 only
 */
#include "relay.h"

#include <sys/epoll.h>

#define MAX_EVENTS 256

INT_CALL(epoll_create_call, 0, epoll_create1(EPOLL_CLOEXEC))

/* epollControl(epoll, EPOLL_CTL_*, fd, events, id): 0 or -errno */
static napi_value epoll_control_call(napi_env env, napi_callback_info info)
{
	struct epoll_event event = { 0 };
	int32_t arg[5];

	if (glue_int_args(env, info, 5, arg) != 0)
		return NULL;
	event.events = (uint32_t)arg[3];
	event.data.u32 = (uint32_t)arg[4];
	return glue_number(env, or_errno(epoll_ctl(arg[0], arg[1], arg[2], &event)));
}

/* As many events as fit in @pairs: id, events, id, events, ... Returns their number, or -1 with errno set. */
static int wait_for_events(int epoll, int32_t *pairs, size_t room)
{
	struct epoll_event events[MAX_EVENTS];
	int limit = room < MAX_EVENTS ? (int)room : MAX_EVENTS;
	int count = (int)TEMP_FAILURE_RETRY(epoll_wait(epoll, events, limit, 0));

	for (int i = 0; i < count; i++) {
		pairs[2 * i] = (int32_t)events[i].data.u32;
		pairs[2 * i + 1] = (int32_t)events[i].events;
	}
	return count;
}

/* epollWait(epoll, events: Int32Array): the number of events there are now, or -errno. Does not block. */
static napi_value epoll_wait_call(napi_env env, napi_callback_info info)
{
	napi_value args[2];
	napi_typedarray_type type;
	int32_t epoll;
	size_t count;
	void *pairs;

	if (glue_args(env, info, 2, args) != 0)
		return NULL;
	if (napi_get_value_int32(env, args[0], &epoll) != napi_ok ||
	    napi_get_typedarray_info(env, args[1], &type, &count, &pairs, NULL, NULL) != napi_ok ||
	    type != napi_int32_array || count < 2)
		return glue_type_error(env, "expected (descriptor, Int32Array)");
	return glue_number(env, or_errno(wait_for_events(epoll, pairs, count / 2)));
}

int relay_epoll_register(napi_env env, napi_value exports)
{
	const napi_property_descriptor calls[] = {
		GLUE_CALL("epollCreate", epoll_create_call),
		GLUE_CALL("epollControl", epoll_control_call),
		GLUE_CALL("epollWait", epoll_wait_call),
	};

	return glue_register(env, exports, sizeof(calls) / sizeof(calls[0]), calls);
}
