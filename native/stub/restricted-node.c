/* Becomes a Node that relays: see restricted-node.h. */
#include "restricted-node.h"

#include "arguments.h"
#include "descriptor.h"
#include "fail.h"
#include "restrict.h"
#include "setup-limits.h"
#include "sys.h"

static void restrict_self(const struct restricted_node *parts)
{
	long result = parts->ruleset == NO_DESCRIPTOR ? 0 : sys_landlock_restrict_self(parts->ruleset, 0);

	if (result < 0)
		die_call(parts->step, "cannot enforce the ruleset", "landlock_restrict_self", result);
	result = restrict_system_calls(parts->filter, parts->filter_bytes);
	if (result < 0)
		die_call(parts->step, "cannot install the seccomp filter", "seccomp", result);
}

_Noreturn void restricted_node_become(const struct start *start, const struct restricted_node *parts)
{
	int keep[MAX_ROLE_DESCRIPTORS + 1];
	char name[] = "fence";
	char *argv[] = { name, parts->command, NULL }, *envp[] = { NULL };
	struct start own = *start;
	unsigned int kept = 0;
	long result;

	for (size_t i = 0; i < parts->role.count && i < MAX_ROLE_DESCRIPTORS; i++) {
		if (parts->role.descriptors[i] != NO_DESCRIPTOR)
			keep[kept++] = parts->role.descriptors[i];
	}
	keep[kept++] = parts->executable;
	own.argc = 2;
	own.argv = argv;
	own.envc = 0;
	own.envp = envp;
	arguments_replace(start, parts->title);
	setup_limits();
	restrict_self(parts);
	result = descriptor_close_others(keep, kept);
	if (result < 0)
		die_call(parts->step, "cannot close descriptors", "close_range", result);
	node_become(&own, parts->executable, &parts->role);
}
