/*
 * The addon's entry point and the argument conversion that all its parts share.
 *
 * Runs:     in Node, host and sandbox; context-aware, so also in worker threads.
 * Promises: holds no logic: convert, call, return the number.
 * Source:   https://nodejs.org/api/n-api.html
 */
#include "glue.h"

#include <stdio.h>

#define MAX_ARGS 8

napi_value glue_type_error(napi_env env, const char *expected)
{
	/* Fails only when another exception is pending, which then stands. */
	(void)napi_throw_type_error(env, NULL, expected);
	return NULL;
}

int glue_args(napi_env env, napi_callback_info info, size_t count, napi_value *args)
{
	size_t given = count;

	if (napi_get_cb_info(env, info, &given, args, NULL, NULL) != napi_ok || given < count) {
		char message[64];

		/* Cannot be cut: both are fixed text and one small number. */
		(void)snprintf(message, sizeof(message), "expected %zu arguments", count);
		glue_type_error(env, message);
		return -1;
	}
	return 0;
}

int glue_int_args(napi_env env, napi_callback_info info, size_t count, int32_t *args)
{
	napi_value values[MAX_ARGS];

	if (count > MAX_ARGS || glue_args(env, info, count, values) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (napi_get_value_int32(env, values[i], &args[i]) != napi_ok) {
			glue_type_error(env, "expected integers");
			return -1;
		}
	}
	return 0;
}

int glue_ends(napi_env env, napi_callback_info info, void **ends)
{
	napi_typedarray_type type;
	napi_value array;
	size_t count;

	if (glue_args(env, info, 1, &array) != 0)
		return -1;
	if (napi_get_typedarray_info(env, array, &type, &count, ends, NULL, NULL) == napi_ok && type == napi_int32_array &&
	    count >= 2)
		return 0;
	glue_type_error(env, "expected an Int32Array of 2");
	return -1;
}

napi_value glue_number(napi_env env, int64_t result)
{
	napi_value value;

	if (napi_create_int64(env, result, &value) != napi_ok)
		return NULL;
	return value;
}

int glue_register(napi_env env, napi_value exports, size_t count, const napi_property_descriptor *calls)
{
	return napi_define_properties(env, exports, count, calls) == napi_ok ? 0 : -1;
}

/* The macro defines an exported function without a declaration. */
NAPI_MODULE_EXPORT int32_t NODE_API_MODULE_GET_API_VERSION(void);

NAPI_MODULE_INIT()
{
	if (landlock_register(env, exports) != 0 || relay_register(env, exports) != 0 ||
	    watch_register(env, exports) != 0 || handover_register(env, exports) != 0 ||
	    paths_register(env, exports) != 0)
		return NULL;
	return exports;
}
