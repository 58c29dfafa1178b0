/*
 * Runs the stub's exec plan decoder on plans from standard input.
 *
 * Runs:     in tests, with a libc, under AddressSanitizer and UndefinedBehaviorSanitizer.
 * Promises: each plan is in a block of its own of exactly its size, so that a read outside of it is found; what is
 *           accepted is walked as last-steps.c does.
 *
 *   decoder check              one line a plan: "accept", or the number of the step and what is wrong
 *   decoder fuzz SEED ROUNDS   mutates the plans of standard input; prints how many were accepted
 *
 * A plan on standard input is its size (u32), the number of arguments (u32), its bytes. The build id is all 0xab.
 */
#include "../../../native/stub/exec-plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct plan {
	uint32_t size;
	uint32_t argc;
	unsigned char *bytes;
};

static const uint8_t build_id[BUILD_ID_SIZE] = { 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab,
						 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab };

static void *checked(void *block)
{
	if (block == NULL)
		abort();
	return block;
}

/* Returns 0 at the end of the input. */
static int read_plan(struct plan *plan)
{
	uint32_t head[2];

	if (fread(head, sizeof(head), 1, stdin) != 1)
		return 0;
	*plan = (struct plan){ .size = head[0], .argc = head[1] };
	plan->bytes = checked(malloc(plan->size + 1));
	if (fread(plan->bytes, 1, plan->size, stdin) != plan->size)
		abort();
	return 1;
}

static void expect(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "broken promise: %s\n", what);
	abort();
}

/* As set-up-steps.c walks them. */
static void walk_paths(const struct exec_plan_step *step)
{
	const char *path = exec_plan_payload(step);
	const char *end = path + step->length;

	expect(path < end, "there is a path to search");
	for (; path < end; path += strlen(path) + 1)
		expect(*path != '\0', "no path to search is empty");
	expect(path == end, "the paths fill their step");
}

static void expect_string(const struct exec_plan_step *step, const char *text)
{
	expect(text + strlen(text) + 1 == (const char *)exec_plan_payload(step) + step->length && *text != '\0',
	       "every string ends");
}

/* Reads all that last-steps.c and set-up-steps.c read, and holds the plan to what exec-plan.h promises. */
static void walk(const unsigned char *bytes, uint32_t argc, const struct exec_plan_counts *counts)
{
	const struct exec_plan_header *header = (const void *)bytes;
	const struct exec_plan_step *step = exec_plan_first(bytes);
	uint32_t args = 0, set_variables = 0, rulesets = 0, searches = 0;
	uint16_t previous = 0;

	for (uint32_t i = 0; i < header->step_count; i++, step = exec_plan_next(step)) {
		const void *payload = exec_plan_payload(step);
		const struct exec_plan_range *range = payload;

		expect(step->type >> 4 >= previous >> 4, "ranks never go down");
		previous = step->type;
		switch (step->type) {
		case PLAN_SET_ENV:
			set_variables++;
			expect(strchr(payload, '=') != NULL, "a variable has a name");
			/* fall through */
		case PLAN_UNSET_ENV:
		case PLAN_CHDIR:
		case PLAN_EXEC:
			expect_string(step, payload);
			break;
		case PLAN_ARG:
			args++;
			expect(strlen(payload) + 1 == step->length, "every argument ends");
			break;
		case PLAN_ORIGINAL_ARGS:
			args += range->count;
			expect((uint64_t)range->first + range->count <= argc, "every index is in range");
			break;
		case PLAN_EXEC_ORIGINAL:
			expect(*(const uint32_t *)payload < argc, "every index is in range");
			break;
		case PLAN_LISTEN:
			expect(step->length == 16 || step->length == 28, "an address has its family's size");
			expect(*(const uint16_t *)payload == (step->length == 16 ? 2 : 10), "an address has a family");
			break;
		case PLAN_SEARCH:
			searches++;
			walk_paths(step);
			break;
		case PLAN_RULESET:
			rulesets++;
			expect(step->length == sizeof(struct exec_plan_ruleset), "a ruleset is whole");
			break;
		case PLAN_PATH_RULE:
			expect(rulesets == 1, "a rule has a ruleset");
			expect_string(step, (const char *)((const struct exec_plan_path_rule *)payload + 1));
			break;
		case PLAN_PORT_RULE:
			expect(rulesets == 1, "a rule has a ruleset");
			expect(((const struct exec_plan_port_rule *)payload)->port <= 65535, "a port is one");
			break;
		case PLAN_LANDLOCK:
			expect(rulesets <= ((const struct exec_plan_landlock *)payload)->restricts, "a ruleset is enforced");
			break;
		case PLAN_EXEC_FOUND:
			expect(searches == 1, "what is executed was searched for");
			break;
		case PLAN_SECCOMP:
			for (uint32_t at = 0; at < step->length; at++)
				(void)((const volatile char *)payload)[at];
			break;
		default:
			break;
		}
	}
	expect(previous >> 4 == PLAN_EXEC >> 4, "the program is the last step");
	expect(searches == (previous == PLAN_EXEC_FOUND), "what was searched for is executed");
	expect(args == counts->args && args > 0, "the arguments are counted");
	expect(set_variables == counts->set_variables, "the variables are counted");
}

/* NULL, or what is wrong. */
static const char *decode(const struct plan *plan, uint32_t *failed_step)
{
	struct exec_plan_counts counts;
	unsigned char *exact = checked(malloc(plan->size > 0 ? plan->size : 1));
	const char *wrong;

	memcpy(exact, plan->bytes, plan->size);
	wrong = exec_plan_check(exact, plan->size, plan->argc, build_id, &counts, failed_step);
	if (wrong == NULL)
		walk(exact, plan->argc, &counts);
	free(exact);
	return wrong;
}

static int check(void)
{
	struct plan plan;

	while (read_plan(&plan)) {
		uint32_t failed_step;
		const char *wrong = decode(&plan, &failed_step);

		if (wrong == NULL)
			puts("accept");
		else
			printf("%u %s\n", failed_step, wrong);
		free(plan.bytes);
	}
	return 0;
}

/* xorshift64*: the same rounds for the same seed. */
static uint64_t random_number(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static void mutate(struct plan *plan, uint64_t *state)
{
	static const uint32_t telling[] = { 0, 1, 7, 8, 9, 24, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff };
	uint32_t at = (uint32_t)(random_number(state) % plan->size);
	uint32_t word = telling[random_number(state) % (sizeof(telling) / sizeof(telling[0]))];

	switch (random_number(state) % 4) {
	case 0:
		plan->bytes[at] ^= (unsigned char)(1u << random_number(state) % 8);
		break;
	case 1:
		plan->bytes[at] = (unsigned char)random_number(state);
		break;
	case 2:
		at &= ~3u;
		if (plan->size - at >= sizeof(word))
			memcpy(plan->bytes + at, &word, sizeof(word));
		break;
	default:
		plan->size = at + 1;
		break;
	}
	/* Most plans would only be refused for their size. */
	if (plan->size >= sizeof(struct exec_plan_header) && random_number(state) % 8 != 0)
		memcpy(plan->bytes + offsetof(struct exec_plan_header, size), &plan->size, sizeof(plan->size));
}

static int fuzz(uint64_t state, unsigned long rounds)
{
	struct plan plan, *corpus = NULL;
	size_t count = 0;
	unsigned long accepted = 0;

	while (read_plan(&plan)) {
		corpus = checked(realloc(corpus, (count + 1) * sizeof(*corpus)));
		corpus[count++] = plan;
	}
	if (count == 0)
		abort();
	for (unsigned long i = 0; i < rounds; i++) {
		const struct plan *original = &corpus[random_number(&state) % count];
		struct plan mutant = *original;
		uint32_t failed_step;

		mutant.bytes = checked(malloc(mutant.size + 1));
		memcpy(mutant.bytes, original->bytes, mutant.size);
		for (uint64_t edits = 1 + random_number(&state) % 4; edits > 0; edits--)
			mutate(&mutant, &state);
		accepted += decode(&mutant, &failed_step) == NULL;
		free(mutant.bytes);
	}
	printf("%lu\n", accepted);
	while (count > 0)
		free(corpus[--count].bytes);
	free(corpus);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "fuzz") == 0)
		return fuzz(strtoull(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
	return check();
}
