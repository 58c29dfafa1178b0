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

/* What the steps may use beside the plan. */
struct plan_means {
	const struct start *start;
	int ruleset; /* a Landlock ruleset that came with the plan, or NO_DESCRIPTOR */
	int channel; /* to whoever has sent the plan: listening sockets go there */
	int announces; /* whether MESSAGE_READY goes there, too, before the last step */
};

enum last_step {
	UP_TO_EXEC,  /* returns only when a step failed */
	BEFORE_EXEC, /* a rehearsal, which does not listen: returns with error 0 when every step but the last was carried out */
};

struct plan_failure last_steps(const void *plan, const struct exec_plan_counts *counts, const struct plan_means *means,
			       enum last_step last);

#endif
