/*
 * Carries out a checked exec plan: the steps that a process can only do to itself, the last of which is execve(2).
 *
 * Runs:     in P0.
 * Promises: when it returns the program was not started.
 * Source:   docs/exec-plan.md
 */
#ifndef FENCE_STUB_LAST_STEPS_H
#define FENCE_STUB_LAST_STEPS_H

#include "exec-plan.h"
#include "start.h"

struct plan_failure {
	uint32_t step;	/* enum exec_plan_type */
	uint32_t index; /* which step of the plan, from 0 */
	uint32_t error; /* errno */
	const char *path; /* that was to be entered or executed, or NULL */
};

enum last_step {
	UP_TO_EXEC,  /* returns only when a step failed */
	BEFORE_EXEC, /* a rehearsal: returns with error 0 when every step but the last was carried out */
};

/* @ruleset is a Landlock ruleset or NO_DESCRIPTOR. */
struct plan_failure last_steps(const void *plan, const struct exec_plan_counts *counts, int ruleset,
			       const struct start *start, enum last_step last);

#endif
