/* The bridge process: see bridge-process.h. */
#include "bridge-process.h"

#include "arguments.h"
#include "channel.h"
#include "descriptor.h"
#include "fail.h"
#include "node.h"
#include "restrict.h"
#include "setup-limits.h"
#include "sys.h"
#include "text.h"

#define STEP "bridge-process"
#define OTHER_DESCRIPTORS 5 /* of a bridge process: those that are not listeners */
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

static void restrict_self(const struct bridge_process *parts)
{
	/* The keeper has no capabilities and has set no_new_privs, both are inherited. */
	long result = parts->ruleset == NO_DESCRIPTOR ? 0 : sys_landlock_restrict_self(parts->ruleset, 0);

	if (result < 0)
		die_call(STEP, "cannot enforce the ruleset", "landlock_restrict_self", result);
	result = restrict_system_calls(parts->filter, parts->filter_bytes);
	if (result < 0)
		die_call(STEP, "cannot install the seccomp filter", "seccomp", result);
}

_Noreturn static void become_bridge_process(const struct start *start, const struct bridge_process *parts, int control)
{
	int inherited[OTHER_DESCRIPTORS + MAX_LISTENERS] = { control, parts->relay_plan, parts->status, parts->debug };
	int keep[OTHER_DESCRIPTORS + MAX_LISTENERS];
	char name[] = "fence", command[] = "bridge-process";
	char *argv[] = { name, command, NULL }, *envp[] = { NULL };
	struct start own = *start;
	struct node_role role = { .name = "bridges", .descriptors = inherited, .count = 4 };
	unsigned int kept = 0;
	long result;

	for (uint32_t i = 0; i < parts->listener_count; i++)
		inherited[role.count++] = parts->listeners[i];
	if (parts->debug != NO_DESCRIPTOR)
		(void)sys_duplicate(parts->debug, STDERR); /* or messages of the stub itself are lost */
	for (size_t i = 0; i < role.count; i++) {
		if (inherited[i] != NO_DESCRIPTOR)
			keep[kept++] = inherited[i];
	}
	keep[kept++] = parts->executable;
	own.argc = 2;
	own.argv = argv;
	own.envc = 0;
	own.envp = envp;
	arguments_replace(start, "fence: bridge");
	setup_limits();
	renew_random(start);
	restrict_self(parts);
	result = descriptor_close_others(keep, kept);
	if (result < 0)
		die_call(STEP, "cannot close descriptors", "close_range", result);
	node_become(&own, parts->executable, &role);
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
