/* Carries out a checked exec plan: see last-steps.h. */
#include "last-steps.h"

#include "channel.h"
#include "descriptor.h"
#include "restrict.h"
#include "set-up-steps.h"
#include "sys.h"
#include "text.h"

/* The argument and environment vectors of the program. */
struct vectors {
	char **argv;
	char **envp;
	size_t argc;
	size_t envc;
	size_t inherited; /* of envc: those that stand first */
};

/* Both vectors at once; their pages are the program's stack's after execve(2). Returns 0 or -errno. */
static long vectors_make(struct vectors *vectors, const struct exec_plan_counts *counts, const struct start *start)
{
	size_t words = counts->args + 1UL + start->envc + counts->set_variables + 1UL;
	long address = sys_mmap(0, words * sizeof(char *), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (sys_failed(address))
		return address;
	*vectors = (struct vectors){ .argv = (char **)address };
	vectors->envp = vectors->argv + counts->args + 1;
	for (; vectors->envc < start->envc; vectors->envc++)
		vectors->envp[vectors->envc] = start->envp[vectors->envc];
	vectors->inherited = vectors->envc;
	return 0;
}

/* Whether @variable, NAME=VALUE, has the name that @name, NAME or NAME=VALUE, starts with. */
static int same_name(const char *variable, const char *name)
{
	while (*name != '\0' && *name != '=') {
		if (*variable++ != *name++)
			return 0;
	}
	return *variable == '=' || *variable == '\0';
}

/* Takes the variable out of the inherited ones; a plan sets each name once. */
static void unset_variable(struct vectors *vectors, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < vectors->inherited; i++) {
		if (!same_name(vectors->envp[i], name))
			vectors->envp[kept++] = vectors->envp[i];
	}
	if (kept == vectors->inherited)
		return;
	for (size_t i = vectors->inherited; i < vectors->envc; i++)
		vectors->envp[i - vectors->inherited + kept] = vectors->envp[i];
	vectors->envc -= vectors->inherited - kept;
	vectors->inherited = kept;
}

static long enforce_landlock(const struct exec_plan_landlock *landlock, int ruleset)
{
	if (landlock->restricts == 0)
		return ruleset < 0 ? 0 : -EINVAL; /* a ruleset that nobody enforces is a mistake */
	return sys_landlock_restrict_self(ruleset, landlock->flags);
}

static long set_limit(const struct exec_plan_rlimit *limit)
{
	const struct rlimit64 value = { .rlim_cur = limit->soft, .rlim_max = limit->hard };

	return sys_setrlimit(limit->resource, &value);
}

/* Closing what the plan wants closed cannot fail in a way that leaves it open. */
static long set_stream(const struct exec_plan_stream *stream)
{
	long result = 0;

	if (stream->from == -1) {
		(void)sys_close((int)stream->to);
		return 0;
	}
	result = sys_duplicate(stream->from, (int)stream->to);
	(void)sys_close(stream->from);
	return result < 0 ? result : 0;
}

/* Exec keeps what is ignored, and gives everything else its default action, sigaction(2). */
static long set_signals(const struct exec_plan_signals *signals, uint32_t *call)
{
	long result = 0;

	*call = PLAN_SIGNALS_RT_SIGACTION;
	for (int signal = 1; result >= 0 && signal <= LAST_SIGNAL; signal++) {
		int is_ignored = (signals->ignored >> (signal - 1)) & 1;
		const struct sys_action action = { .handler = is_ignored ? SYS_IGNORED : 0 };

		if (is_ignored || (signal != SIGKILL && signal != SIGSTOP))
			result = sys_action(signal, &action, NULL);
	}
	if (result < 0)
		return result;
	*call = PLAN_SIGNALS_RT_SIGPROCMASK;
	return sys_set_blocked_signals(signals->blocked);
}

static long execute(struct vectors *vectors, const char *path)
{
	vectors->argv[vectors->argc] = NULL;
	vectors->envp[vectors->envc] = NULL;
	return sys_execve(path, vectors->argv, vectors->envp);
}

static long carry_out(const struct exec_plan_step *step, struct vectors *vectors, struct set_up_steps *set_up,
		      const struct start *start, struct plan_failure *failure)
{
	const void *payload = exec_plan_payload(step);
	const struct exec_plan_range *range = payload;
	const char **path = &failure->path;

	switch (step->type) {
	case PLAN_CLEAR_ENV:
		vectors->envc = vectors->inherited = 0;
		return 0;
	case PLAN_UNSET_ENV:
		unset_variable(vectors, payload);
		return 0;
	case PLAN_SET_ENV:
		unset_variable(vectors, payload);
		vectors->envp[vectors->envc++] = (char *)payload; /* execve(2) only reads it */
		return 0;
	case PLAN_ORIGINAL_ARGS:
		for (uint32_t i = 0; i < range->count; i++)
			vectors->argv[vectors->argc++] = start->argv[range->first + i];
		return 0;
	case PLAN_ARG:
		vectors->argv[vectors->argc++] = (char *)payload; /* execve(2) only reads it */
		return 0;
	case PLAN_CHDIR:
		*path = payload;
		return sys_chdir(payload);
	case PLAN_UMASK:
		(void)sys_umask(*(const uint32_t *)payload); /* always succeeds, umask(2) */
		return 0;
	case PLAN_RLIMIT:
		return set_limit(payload);
	case PLAN_STREAM:
		return set_stream(payload);
	case PLAN_SIGNALS:
		return set_signals(payload, &failure->call);
	case PLAN_DROP_CAPABILITIES:
		return restrict_capabilities(0);
	case PLAN_LANDLOCK:
		return enforce_landlock(payload, set_up->ruleset);
	case PLAN_SECCOMP:
		return restrict_system_calls(payload, step->length);
	case PLAN_EXEC:
		*path = payload;
		return execute(vectors, *path);
	case PLAN_EXEC_ORIGINAL:
		*path = start->argv[*(const uint32_t *)payload];
		return execute(vectors, *path);
	case PLAN_EXEC_FOUND:
		*path = set_up->found;
		return execute(vectors, *path);
	default:
		return set_up_step(set_up, step, failure);
	}
}

/* All holds: whoever has sent the plan is told before the program can do anything. */
static long tell_ready(int channel)
{
	struct message message = { .kind = MESSAGE_READY };

	return channel_send(channel, &message, NO_DESCRIPTOR);
}

struct plan_failure last_steps(const void *plan, const struct exec_plan_counts *counts, const struct plan_means *means,
			       enum last_step last)
{
	const struct exec_plan_header *header = plan;
	const struct exec_plan_step *step = exec_plan_first(plan);
	struct set_up_steps set_up = { .channel = means->channel, .ruleset = means->ruleset };
	struct plan_failure failure = { .step = PLAN_VECTORS };
	struct vectors vectors;
	long result = vectors_make(&vectors, counts, means->start);

	/* Before anything else: a set-user-ID program must not gain from the limits and the domain set below. */
	if (result == 0) {
		failure.step = PLAN_NO_NEW_PRIVS;
		result = restrict_no_new_privs();
	}
	/* The program is the plan's last step, exec_plan_check(). */
	for (uint32_t i = 0; result == 0 && i < header->step_count - (last == BEFORE_EXEC); i++, step = exec_plan_next(step)) {
		if (step->type == PLAN_LISTEN && last == BEFORE_EXEC)
			continue; /* the address is taken once */
		if (means->announces && i == header->step_count - 1) {
			failure = (struct plan_failure){ .step = PLAN_ANNOUNCE };
			result = tell_ready(means->channel);
		}
		if (result < 0)
			break;
		failure = (struct plan_failure){ .step = step->type, .index = i };
		result = carry_out(step, &vectors, &set_up, means->start, &failure);
	}
	failure.error = (uint32_t)-result;
	return failure;
}
