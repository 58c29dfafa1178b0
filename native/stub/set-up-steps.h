/*
 * The steps of an exec plan that set up what a set-up process would have made: listening sockets, a Landlock ruleset, the
 * program's path.
 *
 * Runs:     in P0.
 * Promises: every descriptor made here is close-on-exec and above 2, or closed again: the program inherits none.
 * Source:   docs/exec-plan.md; src/bridge/listener.ts, src/inside/new-ruleset.ts and src/inside/program.ts do the same in Node
 */
#ifndef FENCE_STUB_SET_UP_STEPS_H
#define FENCE_STUB_SET_UP_STEPS_H

#include "exec-plan.h"

/* What is there so far. */
struct set_up_steps {
	int channel;	   /* where listening sockets go */
	int ruleset;	   /* Landlock's, or NO_DESCRIPTOR */
	const char *found; /* the program's path, after PLAN_SEARCH */
};

/* Carries out one step of a checked plan. Returns 0 or -errno; @failure, which has the step's index, is told call and path. */
long set_up_step(struct set_up_steps *set_up, const struct exec_plan_step *step, struct plan_failure *failure);

#endif
