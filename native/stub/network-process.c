/* The network part of a launcher: see network-process.h. */
#include "network-process.h"

#include "channel.h"
#include "descriptor.h"
#include "fail.h"
#include "restrict.h"
#include "restricted-node.h"
#include "sys.h"

#define STEP "network-part"
#define CHANNEL 3
#define FILES (1UL << 16) /* two for a connection, up to four for its pipes, one for a listener */
#define DATA_BYTES (768UL << 20) /* Node reserves 580 MB of it at its start and uses 10 */

/* The launcher's filter. Not initialised: it takes no room in the file. */
static char filter[MAX_FILTER_BYTES];

static void bound(uint32_t resource, uint64_t most)
{
	struct rlimit64 limit = { 0, 0 };
	long result = sys_getrlimit(resource, &limit);

	if (result < 0)
		die_call(STEP, "cannot read a resource limit", "prlimit", result);
	limit.rlim_max = limit.rlim_max < most ? limit.rlim_max : most;
	limit.rlim_cur = limit.rlim_max;
	result = sys_setrlimit(resource, &limit);
	if (result < 0)
		die_call(STEP, "cannot set a resource limit", "prlimit", result);
}

/* Everything that needs nothing of the launcher's. */
static void give_up_privileges(int executable)
{
	int keep[] = { CHANNEL, executable };
	long result = descriptor_close_others(keep, sizeof(keep) / sizeof(keep[0]));

	if (result < 0)
		die_call(STEP, "cannot close inherited descriptors", "close_range", result);
	(void)sys_setsid(); /* fails for who leads a session already, as whoever the launcher starts does */
	(void)sys_chdir("/"); /* the caller's directory is not to be kept busy; without a reason to fail */
	result = restrict_no_new_privs();
	if (result < 0)
		die_call(STEP, "cannot set no_new_privs", "prctl", result);
	bound(RLIMIT_CORE, 0);
	bound(RLIMIT_DATA, DATA_BYTES);
	bound(RLIMIT_NOFILE, FILES);
	result = restrict_capabilities(0);
	if (result < 0)
		die_call(STEP, "cannot give privileges up", "capset", result);
	result = sys_prctl(PR_SET_DUMPABLE, 0);
	if (result < 0)
		die_call(STEP, "cannot protect its memory", "prctl", result);
	/* Should it hang; otherwise it sees that the channel is closed, as it does when the launcher is gone already. */
	result = sys_prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (result < 0)
		die_call(STEP, "cannot be tied to its launcher", "prctl", result);
}

_Noreturn static void die_channel(long result)
{
	const struct failure failure = {
		.message = "fence network is for fence itself: descriptor 3 does not lead to a launcher",
		.syscall = "recvmsg",
		.error = (int)-result,
		.step = STEP,
		.hint = "to run a program of this name: fence run -- network",
		.code = "FENCE_STUB",
	};

	die(&failure);
}

/* Takes what the launcher sends before the process is Node's. Without a filter there is none. */
static void take(struct restricted_node *node)
{
	struct delivery delivery;

	for (;;) {
		long result = channel_receive(CHANNEL, &delivery, filter, sizeof(filter));

		if (result == -EPIPE)
			sys_exit(0);
		if (result < 0)
			die_channel(result);
		switch (delivery.message.kind) {
		case MESSAGE_RULESET:
			node->ruleset = delivery.descriptors[0];
			if (node->ruleset == NO_DESCRIPTOR)
				die_channel(-EPROTO);
			break;
		case MESSAGE_FILTER:
			node->filter_bytes = (uint32_t)delivery.payload_length; /* the last payload that comes */
			break;
		case MESSAGE_READY:
			if (node->filter_bytes == 0)
				die_channel(-EPROTO);
			return;
		default:
			die_channel(-EPROTO);
		}
	}
}

_Noreturn void network_process(const struct start *start, int executable)
{
	const int channel = CHANNEL;
	char command[] = "network";
	struct restricted_node node = {
		.step = STEP,
		.title = "fence: network",
		.command = command,
		.role = { .name = "network", .descriptors = &channel, .count = 1 },
		.executable = executable,
		.ruleset = NO_DESCRIPTOR,
		.filter = filter,
	};

	give_up_privileges(executable);
	take(&node);
	restricted_node_become(start, &node);
}
