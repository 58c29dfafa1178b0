/* The bridge process: see bridge-process.h. */
#include "bridge-process.h"

#include "channel.h"
#include "descriptor.h"
#include "sys.h"

#define RANDOM_BYTES 16	    /* that AT_RANDOM points to, getauxval(3) */

/* The canaries of a process that crashed must not be those of the next. */
static void renew_random(const struct start *start)
{
	for (size_t i = 0; i < start->auxc; i++) {
		if (start->auxv[i].a_type == AT_RANDOM)
			/* Early at boot it could fail; the bytes that are there are as random as this process's own. */
			(void)sys_random((void *)start->auxv[i].a_un.a_val, RANDOM_BYTES);
	}
}

_Noreturn static void become_bridge_process(const struct start *start, const struct bridge_process *parts, int control)
{
	int inherited[MAX_ROLE_DESCRIPTORS] = { control, parts->relay_plan, parts->status, parts->debug };
	char command[] = "bridge-process";
	struct restricted_node node = {
		.step = "bridge-process",
		.title = "fence: bridge",
		.command = command,
		.role = { .name = "bridges", .descriptors = inherited, .count = 4 },
		.executable = parts->executable,
		.ruleset = parts->ruleset,
		.filter = parts->filter,
		.filter_bytes = parts->filter_bytes,
	};

	for (uint32_t i = 0; i < parts->listener_count; i++)
		inherited[node.role.count++] = parts->listeners[i];
	if (parts->debug != NO_DESCRIPTOR)
		(void)sys_duplicate(parts->debug, STDERR); /* or messages of the stub itself are lost */
	renew_random(start);
	/* The keeper has no capabilities and has set no_new_privs, both are inherited. */
	restricted_node_become(start, &node);
}

long bridge_process_start(const struct start *start, const struct bridge_process *parts, int *control)
{
	int ends[2] = { NO_DESCRIPTOR, NO_DESCRIPTOR };
	long result = channel_pair(ends);

	if (result < 0)
		return result;
	result = sys_fork_silent();
	if (result == 0)
		become_bridge_process(start, parts, ends[1]);
	(void)sys_close(ends[1]); /* this process never wrote to it */
	if (result < 0)
		(void)sys_close(ends[0]);
	else
		*control = ends[0];
	return result;
}
