/*
 * What every file of the addon needs to speak N-API: argument conversion, results, registration.
 *
 * Runs:     in Node, host and sandbox.
 * Promises: a call returns a number, 0 or more or -errno; only a wrong argument type throws.
 * Source:   https://nodejs.org/api/n-api.html
 */
#ifndef LANDLOCK_NAPI_GLUE_H
#define LANDLOCK_NAPI_GLUE_H

#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

/* Reads exactly @count int32 arguments. Returns 0, or -1 with a TypeError pending. */
int glue_int_args(napi_env env, napi_callback_info info, size_t count, int32_t *args);

/* Reads exactly @count arguments of any type. Returns 0, or -1 with a TypeError pending. */
int glue_args(napi_env env, napi_callback_info info, size_t count, napi_value *args);

/* Reads one argument, an Int32Array for the two ends of something. Returns 0, or -1 with a TypeError pending. */
int glue_ends(napi_env env, napi_callback_info info, void **ends);

/* @result as a JavaScript number. */
napi_value glue_number(napi_env env, int64_t result);

/* Throws a TypeError that says what was expected. Returns NULL, which a callback may return. */
napi_value glue_type_error(napi_env env, const char *expected);

/* One row of the table that glue_register() takes. */
#define GLUE_CALL(js_name, function) { (js_name), NULL, (function), NULL, NULL, NULL, napi_enumerable, NULL }

/* Adds @count functions to @exports. Returns 0, or -1 with an exception pending. */
int glue_register(napi_env env, napi_value exports, size_t count, const napi_property_descriptor *calls);

/* Each part of the addon adds its functions to @exports. Returns 0, or -1 with an exception pending. */
int landlock_register(napi_env env, napi_value exports);
int relay_register(napi_env env, napi_value exports);
int watch_register(napi_env env, napi_value exports);
int handover_register(napi_env env, napi_value exports);
int paths_register(napi_env env, napi_value exports);

#endif
