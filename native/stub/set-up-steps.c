/* Sets up what is in an exec plan: see set-up-steps.h. */
#include "set-up-steps.h"

#include "channel.h"
#include "descriptor.h"
#include "sys.h"
#include "text.h"

#include <linux/in.h>
#include <linux/tcp.h>

#define BACKLOG 4096

/* Reno does not pace what it sends: pacing would cost most of the throughput on the loopback interface. */
static const char congestion_control[] = "reno";

static long set_options(int socket)
{
	const int on = 1;
	long result = sys_set_option(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));

	if (result >= 0)
		result = sys_set_option(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (result >= 0)
		result = sys_set_option(socket, IPPROTO_TCP, TCP_CONGESTION, congestion_control,
					sizeof(congestion_control) - 1);
	return result;
}

/* Connections wait in the kernel until somebody accepts them. */
static long listen_on(int socket, const struct exec_plan_step *step, uint32_t *call)
{
	long result;

	*call = PLAN_LISTEN_SETSOCKOPT;
	result = set_options(socket);
	if (result < 0)
		return result;
	*call = PLAN_LISTEN_BIND;
	result = sys_bind(socket, exec_plan_payload(step), step->length);
	if (result < 0)
		return result;
	*call = PLAN_LISTEN_LISTEN;
	return sys_listen(socket, BACKLOG);
}

static long make_listener(int channel, const struct exec_plan_step *step, struct plan_failure *failure)
{
	struct message message = { .kind = MESSAGE_LISTENER, .index = failure->index };
	uint16_t family = *(const uint16_t *)exec_plan_payload(step);
	int socket = descriptor_above_stdio(
		sys_socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
	long result;

	failure->call = PLAN_LISTEN_SOCKET;
	if (socket < 0)
		return socket;
	result = listen_on(socket, step, &failure->call);
	if (result >= 0) {
		failure->call = PLAN_LISTEN_SENDMSG;
		result = channel_send(channel, &message, socket);
	}
	(void)sys_close(socket); /* whoever it was sent to has its own */
	return result;
}

/* As execvp(3), but directories do not count. Returns 0, or -errno when this path does not lead to the program. */
static long try_path(const char *path)
{
	struct statx found;

	if (sys_statx_target(path, &found) < 0)
		return -ENOENT; /* whatever the reason, the search goes on */
	if ((found.stx_mode & S_IFMT) == S_IFDIR)
		return -ENOENT;
	if ((found.stx_mode & S_IFMT) != S_IFREG || sys_access(path, X_OK) < 0)
		return -EACCES;
	return 0;
}

static long search(struct set_up_steps *set_up, const struct exec_plan_step *step)
{
	const char *path = exec_plan_payload(step);
	const char *end = path + step->length;
	long result = -ENOENT;

	for (; path < end; path += text_length(path) + 1) {
		long tried = try_path(path);

		if (tried == 0) {
			set_up->found = path;
			return 0;
		}
		if (tried == -EACCES)
			result = tried;
	}
	return result;
}

/* An older kernel knows a shorter structure: stop before the first member that only says 0. */
static size_t known_size(const struct exec_plan_ruleset *masks)
{
	if ((masks->quiet_fs | masks->quiet_net | masks->quiet_scoped) != 0)
		return sizeof(*masks);
	if (masks->scoped != 0)
		return offsetof(struct landlock_ruleset_attr, quiet_access_fs);
	if (masks->handled_net != 0)
		return offsetof(struct landlock_ruleset_attr, scoped);
	return offsetof(struct landlock_ruleset_attr, handled_access_net);
}

static long make_ruleset(struct set_up_steps *set_up, const struct exec_plan_ruleset *masks)
{
	if (set_up->ruleset != NO_DESCRIPTOR)
		return -EINVAL; /* one came with the plan: nobody can have meant both */
	set_up->ruleset = descriptor_above_stdio(sys_landlock_create_ruleset(masks, known_size(masks)));
	return set_up->ruleset < 0 ? set_up->ruleset : 0;
}

static long open_path(const char *path)
{
	long result;

	do {
		result = sys_open(path, O_PATH | O_CLOEXEC);
	} while (result == -EINTR);
	return result;
}

static long add_opened(int ruleset, const struct exec_plan_path_rule *rule, int parent, uint32_t *call)
{
	struct landlock_path_beneath_attr attributes = { .parent_fd = parent };
	struct statx found;
	long result;

	*call = PLAN_PATH_RULE_FSTAT;
	result = sys_statx_descriptor(parent, &found);
	if (result < 0)
		return result;
	attributes.allowed_access = (found.stx_mode & S_IFMT) == S_IFDIR ? rule->directory_access : rule->file_access;
	if (attributes.allowed_access == 0 && rule->flags == 0)
		return 0; /* the kernel takes no rule that says nothing */
	*call = PLAN_PATH_RULE_LANDLOCK_ADD_RULE;
	result = sys_landlock_add_rule(ruleset, LANDLOCK_RULE_PATH_BENEATH, &attributes, rule->flags);
	return result == -EBADFD ? 0 : result; /* a pipe or a socket: Landlock denies nothing there */
}

static long add_path_rule(int ruleset, const struct exec_plan_path_rule *rule, struct plan_failure *failure)
{
	long parent, result;

	failure->path = (const char *)(rule + 1);
	failure->call = PLAN_PATH_RULE_OPEN;
	parent = open_path(failure->path);
	if (parent < 0)
		return parent;
	result = add_opened(ruleset, rule, (int)parent, &failure->call);
	(void)sys_close((int)parent); /* only named a place */
	return result;
}

static long add_port_rule(int ruleset, const struct exec_plan_port_rule *rule)
{
	const struct landlock_net_port_attr attributes = { .allowed_access = rule->access, .port = rule->port };

	return sys_landlock_add_rule(ruleset, LANDLOCK_RULE_NET_PORT, &attributes, rule->flags);
}

long set_up_step(struct set_up_steps *set_up, const struct exec_plan_step *step, struct plan_failure *failure)
{
	const void *payload = exec_plan_payload(step);

	switch (step->type) {
	case PLAN_LISTEN:
		return make_listener(set_up->channel, step, failure);
	case PLAN_SEARCH:
		failure->path = payload; /* the first of them */
		return search(set_up, step);
	case PLAN_RULESET:
		return make_ruleset(set_up, payload);
	case PLAN_PATH_RULE:
		return add_path_rule(set_up->ruleset, payload, failure);
	case PLAN_PORT_RULE:
		return add_port_rule(set_up->ruleset, payload);
	default:
		return -EINVAL; /* exec_plan_check() let nothing else through */
	}
}
