/*
 * The Landlock calls for JavaScript: arguments in, one number out.
 *
 * Runs:     in Node, host and sandbox.
 * Promises: returns what landlock.c returns; throws a TypeError for an argument of the wrong type or range,
 *           so that an access mask is never cut to fewer bits than the caller named.
 * Source:   https://nodejs.org/api/n-api.html
 */
#include "glue.h"
#include "landlock.h"

/* Reads a number that is exactly an int32. Returns 0, or -1 with a TypeError pending. */
static int read_int(napi_env env, napi_value value, int32_t *result)
{
	double number;

	if (napi_get_value_double(env, value, &number) != napi_ok || napi_get_value_int32(env, value, result) != napi_ok ||
	    number != (double)*result) {
		glue_type_error(env, "expected a 32-bit integer");
		return -1;
	}
	return 0;
}

/* Reads a number that is exactly a uint32. Returns 0, or -1 with a TypeError pending. */
static int read_uint(napi_env env, napi_value value, uint32_t *result)
{
	double number;

	if (napi_get_value_double(env, value, &number) != napi_ok || napi_get_value_uint32(env, value, result) != napi_ok ||
	    number != (double)*result) {
		glue_type_error(env, "expected an unsigned 32-bit integer");
		return -1;
	}
	return 0;
}

/*
 * Reads @needed to @count arguments; the others become undefined. Returns 0, or -1 with a TypeError pending.
 */
static int read_args(napi_env env, napi_callback_info info, size_t needed, size_t count, napi_value *args)
{
	size_t given = count;

	if (napi_get_cb_info(env, info, &given, args, NULL, NULL) != napi_ok || given < needed) {
		glue_type_error(env, "expected more arguments");
		return -1;
	}
	return 0;
}

/* As read_uint(); undefined is 0. */
static int read_optional_uint(napi_env env, napi_value value, uint32_t *result)
{
	napi_valuetype type;

	*result = 0;
	if (napi_typeof(env, value, &type) == napi_ok && type == napi_undefined)
		return 0;
	return read_uint(env, value, result);
}

static napi_value landlock_abi(napi_env env, napi_callback_info info)
{
	(void)info; /* no arguments */
	return glue_number(env, fence_landlock_abi());
}

static napi_value landlock_errata(napi_env env, napi_callback_info info)
{
	(void)info; /* no arguments */
	return glue_number(env, fence_landlock_errata());
}

static napi_value landlock_create_ruleset(napi_env env, napi_callback_info info)
{
	napi_value args[6];
	struct fence_landlock_masks masks;

	if (read_args(env, info, 3, 6, args) != 0 || read_uint(env, args[0], &masks.handled_fs) != 0 ||
	    read_uint(env, args[1], &masks.handled_net) != 0 || read_uint(env, args[2], &masks.scoped) != 0 ||
	    read_optional_uint(env, args[3], &masks.quiet_fs) != 0 ||
	    read_optional_uint(env, args[4], &masks.quiet_net) != 0 ||
	    read_optional_uint(env, args[5], &masks.quiet_scoped) != 0)
		return NULL;
	return glue_number(env, fence_landlock_create_ruleset(&masks));
}

static napi_value landlock_add_path_rule(napi_env env, napi_callback_info info)
{
	napi_value args[4];
	int32_t ruleset_fd;
	int32_t parent_fd;
	uint32_t allowed_access;
	uint32_t flags;

	if (read_args(env, info, 3, 4, args) != 0 || read_int(env, args[0], &ruleset_fd) != 0 ||
	    read_int(env, args[1], &parent_fd) != 0 || read_uint(env, args[2], &allowed_access) != 0 ||
	    read_optional_uint(env, args[3], &flags) != 0)
		return NULL;
	return glue_number(env, fence_landlock_add_path_rule(ruleset_fd, parent_fd, allowed_access, flags));
}

static napi_value landlock_add_port_rule(napi_env env, napi_callback_info info)
{
	napi_value args[4];
	int32_t ruleset_fd;
	uint32_t port;
	uint32_t allowed_access;
	uint32_t flags;

	if (read_args(env, info, 3, 4, args) != 0 || read_int(env, args[0], &ruleset_fd) != 0 ||
	    read_uint(env, args[1], &port) != 0 || read_uint(env, args[2], &allowed_access) != 0 ||
	    read_optional_uint(env, args[3], &flags) != 0)
		return NULL;
	return glue_number(env, fence_landlock_add_port_rule(ruleset_fd, port, allowed_access, flags));
}

static napi_value landlock_restrict_self(napi_env env, napi_callback_info info)
{
	napi_value args[2];
	int32_t ruleset_fd;
	uint32_t flags;

	if (glue_args(env, info, 2, args) != 0 || read_int(env, args[0], &ruleset_fd) != 0 ||
	    read_uint(env, args[1], &flags) != 0)
		return NULL;
	return glue_number(env, fence_landlock_restrict_self(ruleset_fd, flags));
}

static napi_value set_no_new_privs(napi_env env, napi_callback_info info)
{
	(void)info; /* no arguments */
	return glue_number(env, fence_set_no_new_privs());
}

static napi_value open_path(napi_env env, napi_callback_info info)
{
	napi_value path;
	bool is_buffer;
	void *bytes;
	size_t length;

	if (glue_args(env, info, 1, &path) != 0)
		return NULL;
	if (napi_is_buffer(env, path, &is_buffer) != napi_ok || !is_buffer ||
	    napi_get_buffer_info(env, path, &bytes, &length) != napi_ok)
		return glue_type_error(env, "expected a Buffer");
	return glue_number(env, fence_open_path(bytes, length));
}

static napi_value file_type(napi_env env, napi_callback_info info)
{
	napi_value arg;
	int32_t fd;

	if (glue_args(env, info, 1, &arg) != 0 || read_int(env, arg, &fd) != 0)
		return NULL;
	return glue_number(env, fence_file_type(fd));
}

static napi_value close_descriptor(napi_env env, napi_callback_info info)
{
	napi_value arg;
	int32_t fd;

	if (glue_args(env, info, 1, &arg) != 0 || read_int(env, arg, &fd) != 0)
		return NULL;
	return glue_number(env, fence_close(fd));
}

int landlock_register(napi_env env, napi_value exports)
{
	static const napi_property_descriptor calls[] = {
		GLUE_CALL("landlockAbi", landlock_abi),
		GLUE_CALL("landlockErrata", landlock_errata),
		GLUE_CALL("landlockCreateRuleset", landlock_create_ruleset),
		GLUE_CALL("landlockAddPathRule", landlock_add_path_rule),
		GLUE_CALL("landlockAddPortRule", landlock_add_port_rule),
		GLUE_CALL("landlockRestrictSelf", landlock_restrict_self),
		GLUE_CALL("setNoNewPrivs", set_no_new_privs),
		GLUE_CALL("openPath", open_path),
		GLUE_CALL("fileType", file_type),
		GLUE_CALL("closeDescriptor", close_descriptor),
	};

	return glue_register(env, exports, sizeof(calls) / sizeof(calls[0]), calls);
}
