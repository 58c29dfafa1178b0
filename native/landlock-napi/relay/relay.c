#include "../src/glue.h"

int relay_register(napi_env env, napi_value exports)
{
	return glue_register(env, exports, 0, NULL);
}
