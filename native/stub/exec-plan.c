/* Checks an exec plan: see exec-plan.h. Makes no system call, so tests and fuzzers run it with a libc. */
#include "exec-plan.h"

#include "text.h"

#include <linux/filter.h>
#include <linux/in.h>
#include <linux/in6.h>

#define RANK(type) ((type) >> 4)
#define RLIMIT_COUNT 16
#define LAST_STREAM 2
#define LAST_PORT 65535
#define FAMILY_IPV4 2  /* AF_INET */
#define FAMILY_IPV6 10 /* AF_INET6 */

struct check {
	size_t argc;
	struct exec_plan_counts counts;
	uint16_t previous;
	int has_landlock;
	int has_seccomp;
	int has_exec;
	int has_search;
	int has_exec_found;
	int has_ruleset;
	int restricts;
};

const struct exec_plan_step *exec_plan_first(const void *bytes)
{
	return (const struct exec_plan_step *)((const char *)bytes + sizeof(struct exec_plan_header));
}

const void *exec_plan_payload(const struct exec_plan_step *step)
{
	return step + 1;
}

/* The payload's length with its padding. */
static uint64_t padded(uint32_t length)
{
	return ((uint64_t)length + 7) & ~7ULL;
}

const struct exec_plan_step *exec_plan_next(const struct exec_plan_step *step)
{
	return (const struct exec_plan_step *)((const char *)exec_plan_payload(step) + padded(step->length));
}

/* One string that fills the bytes: not empty, one NUL, at the end. */
static int is_text(const char *text, uint32_t length)
{
	if (length < 2)
		return 0;
	for (uint32_t i = 0; i < length; i++) {
		if ((text[i] == '\0') != (i == length - 1))
			return 0;
	}
	return 1;
}

static int is_string(const struct exec_plan_step *step)
{
	return is_text(exec_plan_payload(step), step->length);
}

/* Strings that fill the payload, none of them empty. */
static int are_strings(const struct exec_plan_step *step)
{
	const char *text = exec_plan_payload(step);
	int is_start = 1;

	for (uint32_t i = 0; i < step->length; i++) {
		if (is_start && text[i] == '\0')
			return 0;
		is_start = text[i] == '\0';
	}
	return step->length > 0 && is_start;
}

/* As is_string(), but an argument may be empty. */
static int is_argument(const struct exec_plan_step *step)
{
	const char *text = exec_plan_payload(step);

	return is_string(step) || (step->length == 1 && text[0] == '\0');
}

/* The position of the first '=' of a string payload, or its length. */
static uint32_t name_length(const struct exec_plan_step *step)
{
	const char *text = exec_plan_payload(step);
	uint32_t length = 0;

	while (text[length] != '\0' && text[length] != '=')
		length++;
	return length;
}

static const char *check_range(struct check *check, const struct exec_plan_step *step)
{
	const struct exec_plan_range *range = exec_plan_payload(step);

	if (step->length != sizeof(*range))
		return "a range of arguments has the wrong size";
	if (range->count == 0 || (uint64_t)range->first + range->count > check->argc)
		return "a range of arguments is outside this process's own";
	if ((uint64_t)check->counts.args + range->count > UINT32_MAX / 2)
		return "there are too many arguments";
	check->counts.args += range->count;
	return NULL;
}

static int is_stream(const struct exec_plan_stream *stream)
{
	return stream->to <= LAST_STREAM && (stream->from > LAST_STREAM || stream->from == -1);
}

/* Of Linux itself, with a port. */
static int is_address(const struct exec_plan_step *step)
{
	const struct sockaddr_in *ipv4 = exec_plan_payload(step);
	const struct sockaddr_in6 *ipv6 = exec_plan_payload(step);

	if (step->length == sizeof(*ipv4))
		return ipv4->sin_family == FAMILY_IPV4 && ipv4->sin_port != 0;
	return step->length == sizeof(*ipv6) && ipv6->sin6_family == FAMILY_IPV6 && ipv6->sin6_port != 0;
}

/* Landlock has none above 32 bits. */
static int are_masks(const uint64_t *masks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (masks[i] > UINT32_MAX)
			return 0;
	}
	return 1;
}

static int is_ruleset(const struct exec_plan_step *step)
{
	return step->length == sizeof(struct exec_plan_ruleset) &&
	       are_masks(exec_plan_payload(step), sizeof(struct exec_plan_ruleset) / sizeof(uint64_t));
}

static int is_path_rule(const struct exec_plan_step *step)
{
	const struct exec_plan_path_rule *rule = exec_plan_payload(step);

	return step->length > sizeof(*rule) && are_masks(&rule->directory_access, 1) &&
	       are_masks(&rule->file_access, 1) && rule->flags <= LANDLOCK_ADD_RULE_QUIET && rule->reserved == 0 &&
	       is_text((const char *)(rule + 1), step->length - (uint32_t)sizeof(*rule));
}

static int is_port_rule(const struct exec_plan_step *step)
{
	const struct exec_plan_port_rule *rule = exec_plan_payload(step);

	return step->length == sizeof(*rule) && rule->port <= LAST_PORT && are_masks(&rule->access, 1) &&
	       rule->flags <= LANDLOCK_ADD_RULE_QUIET && rule->reserved == 0;
}

static const char *check_rule(const struct check *check, int is_well_formed)
{
	if (!check->has_ruleset)
		return "a Landlock rule has no ruleset";
	return is_well_formed ? NULL : "a Landlock rule is malformed";
}

/* What is to be set up inside. */
static const char *check_set_up(struct check *check, const struct exec_plan_step *step)
{
	switch (step->type) {
	case PLAN_LISTEN:
		return is_address(step) ? NULL : "an address to listen on is malformed";
	case PLAN_SEARCH:
		check->has_search++;
		return are_strings(step) ? NULL : "the paths to search are malformed";
	case PLAN_RULESET:
		check->has_ruleset++;
		return is_ruleset(step) ? NULL : "the Landlock ruleset is malformed";
	case PLAN_PATH_RULE:
		return check_rule(check, is_path_rule(step));
	case PLAN_PORT_RULE:
		return check_rule(check, is_port_rule(step));
	default:
		return "a step has an unknown type";
	}
}

static const char *check_landlock(struct check *check, const struct exec_plan_step *step)
{
	const struct exec_plan_landlock *landlock = exec_plan_payload(step);

	check->has_landlock++;
	if (step->length != sizeof(*landlock) || landlock->restricts > 1)
		return "the Landlock step is malformed";
	check->restricts = landlock->restricts == 1;
	return NULL;
}

static const char *check_payload(struct check *check, const struct exec_plan_step *step)
{
	const void *payload = exec_plan_payload(step);

	switch (step->type) {
	case PLAN_CLEAR_ENV:
	case PLAN_DROP_CAPABILITIES:
		return step->length == 0 ? NULL : "a step without operands has some";
	case PLAN_UNSET_ENV:
		if (!is_string(step) || name_length(step) != step->length - 1)
			return "the name of a variable is malformed";
		return NULL;
	case PLAN_SET_ENV:
		if (!is_string(step) || name_length(step) == 0 || name_length(step) == step->length - 1)
			return "a variable is malformed";
		check->counts.set_variables++;
		return NULL;
	case PLAN_ORIGINAL_ARGS:
		return check_range(check, step);
	case PLAN_ARG:
		check->counts.args++;
		return is_argument(step) ? NULL : "an argument is malformed";
	case PLAN_CHDIR:
		return is_string(step) ? NULL : "a path is malformed";
	case PLAN_UMASK:
		return step->length == sizeof(uint32_t) && *(const uint32_t *)payload <= 0777 ? NULL
											      : "the umask is malformed";
	case PLAN_RLIMIT:
		return step->length == sizeof(struct exec_plan_rlimit) &&
				       ((const struct exec_plan_rlimit *)payload)->resource < RLIMIT_COUNT
			       ? NULL
			       : "a resource limit is malformed";
	case PLAN_STREAM:
		return step->length == sizeof(struct exec_plan_stream) && is_stream(payload) ? NULL
											      : "a standard stream is malformed";
	case PLAN_SIGNALS:
		return step->length == sizeof(struct exec_plan_signals) ? NULL : "the signals are malformed";
	case PLAN_LANDLOCK:
		return check_landlock(check, step);
	case PLAN_SECCOMP:
		check->has_seccomp++;
		return step->length % sizeof(struct sock_filter) == 0 &&
				       step->length / sizeof(struct sock_filter) <= EXEC_PLAN_MAX_FILTER
			       ? NULL
			       : "the seccomp filter is malformed";
	case PLAN_EXEC:
		check->has_exec++;
		return is_string(step) ? NULL : "the program's path is malformed";
	case PLAN_EXEC_ORIGINAL:
		check->has_exec++;
		return step->length == sizeof(uint32_t) && *(const uint32_t *)payload < check->argc
			       ? NULL
			       : "the program's path is not an argument of this process";
	case PLAN_EXEC_FOUND:
		check->has_exec++;
		check->has_exec_found++;
		return step->length == 0 ? NULL : "a step without operands has some";
	default:
		return check_set_up(check, step);
	}
}

static const char *check_whole(const struct check *check)
{
	if (check->has_landlock != 1)
		return "there must be one answer for Landlock";
	if (check->has_seccomp != 1)
		return "there must be one answer for seccomp";
	if (check->has_exec != 1)
		return "there must be one program";
	if (check->has_search != check->has_exec_found)
		return "what is searched for must be what is executed";
	if (check->has_ruleset > 1)
		return "there must be one Landlock ruleset at most";
	if (check->has_ruleset && !check->restricts)
		return "the Landlock ruleset is not enforced";
	if (check->counts.args == 0)
		return "the program has no argument 0";
	return NULL;
}

const char *exec_plan_check(const void *bytes, size_t size, size_t argc, const uint8_t build_id[BUILD_ID_SIZE],
			    struct exec_plan_counts *counts, uint32_t *failed_step)
{
	const struct exec_plan_header *header = bytes;
	const struct exec_plan_step *step = exec_plan_first(bytes);
	struct check check = { .argc = argc };
	const char *wrong;
	uint64_t left;

	*failed_step = 0;
	if (size < sizeof(*header) || size > EXEC_PLAN_MAX_SIZE || header->magic != EXEC_PLAN_MAGIC ||
	    header->size != size)
		return "it does not start as a plan of its size";
	if (header->version != EXEC_PLAN_VERSION || memcmp(header->build_id, build_id, BUILD_ID_SIZE) != 0)
		return "it was made by another build of fence";
	left = size - sizeof(*header);
	for (uint32_t i = 0; i < header->step_count; i++, step = exec_plan_next(step)) {
		*failed_step = i;
		if (left < sizeof(*step) || padded(step->length) > left - sizeof(*step) || step->reserved != 0)
			return "a step ends outside the plan";
		left -= sizeof(*step) + padded(step->length);
		if (RANK(step->type) < RANK(check.previous))
			return "its steps are not in the safe order";
		check.previous = step->type;
		wrong = check_payload(&check, step);
		if (wrong != NULL)
			return wrong;
	}
	if (left != 0)
		return "it has bytes after its last step";
	*counts = check.counts;
	return check_whole(&check);
}
