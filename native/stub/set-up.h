/*
 * Starts the detached processes beside P0: the Node that sets up, and the keeper.
 *
 * Runs:     in P0, and in the children that become those processes.
 * Promises: neither is a child of P0's, nor of the program's; both are in a session of their own. This process is not
 *           readable by others from then on.
 * Source:   docs/bootstrap.md; docs/launch.md for the launcher
 */
#ifndef FENCE_STUB_SET_UP_H
#define FENCE_STUB_SET_UP_H

#include "fail.h"
#include "start.h"

/* What the Node is for. */
enum set_up_face {
	SET_UP_BOOTSTRAP, /* `fence bootstrap`: it ends when the program runs, the keeper stays */
	SET_UP_LAUNCHER,  /* `fence run`: it stays as long as the program, and there is no keeper */
	SET_UP_ATTACHED,  /* `fence attach`: it is a service that launches for others too, and nobody was started here */
	SET_UP_LAUNCHED,  /* `fence launched`: it is the launcher outside of the sandbox, and nobody was started here */
};

/* What this process holds until it becomes the program. */
struct own {
	const struct start *start;
	enum set_up_face face;
	int setup; /* to the Node */
	int life;  /* to whoever outlives the program's start: the keeper, or the launcher; launched: NO_DESCRIPTOR */
	int is_refused; /* no child could go on as P0, or what it was given has no place: the plan, sent already, is not obeyed */
};

/* @file is the executable. Ends this process when it fails. */
struct own set_up_start(const struct start *start, int file, enum set_up_face face);

/* What is told when the set-up cannot go on. */
struct failure set_up_failure(const char *message);

#endif
