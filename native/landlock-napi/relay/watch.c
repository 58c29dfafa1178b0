/*
 * Calls JavaScript while a descriptor is readable: libuv's uv_poll on the loop that Node runs anyway.
 *
 * Runs:     in Node, host and sandbox, in any number of environments (worker threads).
 * Promises: what the callback throws is an uncaught exception; at the environment's end every handle is closed and
 *           its memory freed, in that order.
 * Source:   https://docs.libuv.org/en/v1.x/poll.html, https://nodejs.org/api/n-api.html#napi_add_async_cleanup_hook
 */
#include "../src/glue.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

#define MAX_WATCHES 512

struct watch {
	uv_poll_t poll;
	struct watches *owner;
	napi_ref callback;
	bool in_use; /* until libuv has closed the handle */
	int32_t id;  /* 0: closing */
};

/* One for each environment. It outlives its handles. */
struct watches {
	napi_env env;
	uv_loop_t *loop;
	napi_async_context context;
	napi_async_cleanup_hook_handle cleanup;
	bool ending;
	int32_t last_id;
	struct watch watch[MAX_WATCHES];
};

/* Returns napi_ok, or why the callback could not be called; napi_pending_exception: it threw. */
static napi_status call_back(const struct watch *watch)
{
	napi_env env = watch->owner->env;
	napi_value callback, global, result;
	napi_status status = napi_get_reference_value(env, watch->callback, &callback);

	if (status == napi_ok)
		status = napi_get_global(env, &global);
	if (status == napi_ok)
		status = napi_make_callback(env, watch->owner->context, global, callback, 0, NULL, &result);
	return status;
}

static void raise_uncaught(napi_env env)
{
	napi_value error;

	/* Both fail only when Node is ending, and then there is nobody left to tell. */
	if (napi_get_and_clear_last_exception(env, &error) == napi_ok)
		(void)napi_fatal_exception(env, error);
}

/* An error, too, is for the callback to find: it makes the descriptor readable. */
static void on_readable(uv_poll_t *poll, int error, int events)
{
	const struct watch *watch = poll->data;
	napi_env env = watch->owner->env;
	napi_handle_scope scope;

	(void)error;
	(void)events;
	if (napi_open_handle_scope(env, &scope) != napi_ok)
		return;
	/* The callback may end this very watch: it is not touched afterwards. */
	if (call_back(watch) == napi_pending_exception)
		raise_uncaught(env);
	(void)napi_close_handle_scope(env, scope); /* fails only for a scope that is not open */
}

static bool any_in_use(const struct watches *watches)
{
	for (size_t i = 0; i < MAX_WATCHES; i++) {
		if (watches->watch[i].in_use)
			return true;
	}
	return false;
}

static void free_when_closed(struct watches *watches)
{
	if (!watches->ending || any_in_use(watches))
		return;
	(void)napi_remove_async_cleanup_hook(watches->cleanup); /* fails only for no handle at all */
	free(watches);
}

static void on_closed(uv_handle_t *handle)
{
	struct watch *watch = handle->data;

	watch->in_use = false;
	free_when_closed(watch->owner);
}

static void end_watch(struct watch *watch)
{
	(void)napi_delete_reference(watch->owner->env, watch->callback); /* fails only for no reference at all */
	watch->id = 0;
	uv_close((uv_handle_t *)&watch->poll, on_closed);
}

/* The environment ends: it waits for the handles to be closed, then the memory goes. */
static void on_environment_end(napi_async_cleanup_hook_handle handle, void *data)
{
	struct watches *watches = data;

	(void)handle; /* is watches->cleanup */
	watches->ending = true;
	for (size_t i = 0; i < MAX_WATCHES; i++) {
		if (watches->watch[i].in_use && watches->watch[i].id != 0)
			end_watch(&watches->watch[i]);
	}
	(void)napi_async_destroy(watches->env, watches->context); /* fails only for no context at all */
	free_when_closed(watches);
}

/* Starts libuv's handle. Returns 0 or -errno; then the slot is free or will be when libuv has closed it. */
static int start_poll(struct watches *watches, struct watch *watch, int fd, bool keeps_loop_alive)
{
	int result = uv_poll_init(watches->loop, &watch->poll, fd);

	if (result != 0)
		return result;
	watch->in_use = true;
	watch->poll.data = watch;
	result = uv_poll_start(&watch->poll, UV_READABLE, on_readable);
	if (result != 0)
		uv_close((uv_handle_t *)&watch->poll, on_closed);
	else if (!keeps_loop_alive)
		uv_unref((uv_handle_t *)&watch->poll);
	return result;
}

static int add_watch(struct watches *watches, int fd, napi_value callback, bool keeps_loop_alive)
{
	for (size_t i = 0; i < MAX_WATCHES; i++) {
		struct watch *watch = &watches->watch[i];
		int result;

		if (watch->in_use)
			continue;
		watch->owner = watches;
		watch->id = 0;
		if (napi_create_reference(watches->env, callback, 1, &watch->callback) != napi_ok)
			return -ENOMEM;
		result = start_poll(watches, watch, fd, keeps_loop_alive);
		if (result != 0) {
			(void)napi_delete_reference(watches->env, watch->callback); /* was just made */
			return result;
		}
		watches->last_id = watches->last_id == INT32_MAX ? 1 : watches->last_id + 1;
		watch->id = watches->last_id;
		return watch->id;
	}
	return -ENOSPC;
}

/* watch(fd, callback: () => void, keepsLoopAlive: boolean): id, or -errno */
static napi_value watch_call(napi_env env, napi_callback_info info)
{
	napi_value args[3];
	size_t given = 3;
	napi_valuetype type;
	void *watches;
	bool keeps_loop_alive;
	int32_t fd;

	if (napi_get_cb_info(env, info, &given, args, NULL, &watches) != napi_ok || given < 3 ||
	    napi_get_value_int32(env, args[0], &fd) != napi_ok || napi_typeof(env, args[1], &type) != napi_ok ||
	    type != napi_function || napi_get_value_bool(env, args[2], &keeps_loop_alive) != napi_ok)
		return glue_type_error(env, "expected (descriptor, function, boolean)");
	return glue_number(env, add_watch(watches, fd, args[1], keeps_loop_alive));
}

/* unwatch(id): 0, or -ENOENT for a watch that has ended already */
static napi_value unwatch_call(napi_env env, napi_callback_info info)
{
	napi_value args[1];
	size_t given = 1;
	void *data;
	struct watches *watches;
	int32_t id;

	if (napi_get_cb_info(env, info, &given, args, NULL, &data) != napi_ok || given < 1 ||
	    napi_get_value_int32(env, args[0], &id) != napi_ok)
		return glue_type_error(env, "expected an integer");
	watches = data;
	for (size_t i = 0; i < MAX_WATCHES; i++) {
		if (watches->watch[i].in_use && watches->watch[i].id == id && id != 0) {
			end_watch(&watches->watch[i]);
			return glue_number(env, 0);
		}
	}
	return glue_number(env, -ENOENT);
}

/* Returns 0, or -1. */
static int open_watches(napi_env env, struct watches *watches)
{
	napi_value name;

	watches->env = env;
	if (napi_get_uv_event_loop(env, &watches->loop) != napi_ok ||
	    napi_create_string_utf8(env, "fence-watch", NAPI_AUTO_LENGTH, &name) != napi_ok ||
	    napi_async_init(env, NULL, name, &watches->context) != napi_ok)
		return -1;
	if (napi_add_async_cleanup_hook(env, on_environment_end, watches, &watches->cleanup) != napi_ok) {
		(void)napi_async_destroy(env, watches->context); /* was just made */
		return -1;
	}
	return 0;
}

int watch_register(napi_env env, napi_value exports)
{
	struct watches *watches = calloc(1, sizeof(*watches));

	if (watches == NULL)
		return -1;
	if (open_watches(env, watches) != 0) {
		free(watches);
		return -1;
	}
	const napi_property_descriptor calls[] = {
		{ "watch", NULL, watch_call, NULL, NULL, NULL, napi_enumerable, watches },
		{ "unwatch", NULL, unwatch_call, NULL, NULL, NULL, napi_enumerable, watches },
	};
	return glue_register(env, exports, sizeof(calls) / sizeof(calls[0]), calls);
}
